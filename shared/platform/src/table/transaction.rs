//! Transactions: writes that all take effect, or none of them.

use std::{fmt::Display, time::Duration};

use aws_sdk_dynamodb::{
    error::BuildError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{ConditionCheck, Delete, Put, TransactWriteItem, Update},
};
use domain::audit::Entry;

use super::{
    Condition, Item, Key, Table, TableError, WriteError, Written,
    item::{number, text},
};

/// Tries for a transaction that conflicts with others.
const MAX_TRIES: u32 = 5;

/// A transaction. A resource's own write comes first: if several conditions fail, the first of
/// them determines the error.
#[derive(Debug, Clone)]
pub(super) struct Transaction<'a> {
    table: &'a Table,
    writes: Vec<Write>,
}

#[derive(Debug, Clone)]
struct Write {
    action: Action,
    condition: Condition,
    /// The name that this write claims.
    claimed: Option<Key>,
}

#[derive(Debug, Clone)]
enum Action {
    Put(Item),
    /// The key and the update expression.
    Update(Key, String),
    Delete(Key),
    Check(Key),
}

impl Table {
    /// Starts a transaction.
    pub(super) fn transaction(&self) -> Transaction<'_> {
        Transaction {
            table: self,
            writes: Vec::new(),
        }
    }
}

impl Transaction<'_> {
    /// Writes an item, whether it exists or not.
    pub(super) fn put(&mut self, item: Item) {
        self.put_if(item, Condition::default());
    }

    /// Writes an item if the condition holds. Returns the write's index.
    pub(super) fn put_if(&mut self, item: Item, condition: Condition) -> usize {
        self.push(Action::Put(item), condition)
    }

    /// Updates an item in place if the condition holds. `update` uses the values of `condition`.
    /// Returns the write's index.
    pub(super) fn update(&mut self, key: Key, update: &str, condition: Condition) -> usize {
        self.push(Action::Update(key, update.to_owned()), condition)
    }

    /// Deletes an item, whether it exists or not.
    pub(super) fn delete(&mut self, key: Key) {
        self.delete_if(key, Condition::default());
    }

    /// Deletes an item if the condition holds. Returns the write's index.
    pub(super) fn delete_if(&mut self, key: Key, condition: Condition) -> usize {
        self.push(Action::Delete(key), condition)
    }

    /// Requires that the condition holds for an item that is not written. Returns the check's
    /// index.
    pub(super) fn check(&mut self, key: Key, condition: Condition) -> usize {
        self.push(Action::Check(key), condition)
    }

    /// Claims a name for the resource with this ID. Fails with [`WriteError::NameTaken`].
    pub(super) fn claim_name(&mut self, name: Key, id: impl Display) {
        let mut item = name.attributes();
        item.insert("id".to_owned(), text(id.to_string()));
        let index = self.put_if(item, Condition::absent());
        self.writes[index].claimed = Some(name);
    }

    /// Moves the resource with this ID from the name `old` to `new`, if they differ.
    pub(super) fn rename(&mut self, old: Key, new: Key, id: impl Display) {
        if old != new {
            self.claim_name(new, id);
            self.delete(old);
        }
    }

    /// Adds `change` to the attribute of a resource that counts its users, and increments the
    /// resource's version. Fails if the resource does not exist. Returns the write's index.
    pub(super) fn count(&mut self, resource: Key, attribute: &str, change: i8) -> usize {
        self.count_if(resource, attribute, change, Condition::present())
    }

    /// Like [`count`](Self::count), but with another condition.
    pub(super) fn count_if(
        &mut self,
        resource: Key,
        attribute: &str,
        change: i8,
        condition: Condition,
    ) -> usize {
        let update = format!("SET #version = #version + :one ADD #{attribute} :change");
        let values = [(":change", number(change)), (":one", number(1))];
        self.update(resource, &update, condition.with(values))
    }

    /// Counts a use of `after` instead of `before` with `count`, if they differ.
    pub(super) fn move_use<I: PartialEq>(
        &mut self,
        before: Option<I>,
        after: Option<I>,
        count: impl Fn(&mut Self, I, i8),
    ) {
        if before != after {
            for (id, change) in [(before, -1), (after, 1)] {
                if let Some(id) = id {
                    count(self, id, change);
                }
            }
        }
    }

    /// Writes the audit entry of the change.
    pub(super) fn audit(&mut self, entry: &Entry) -> Result<(), TableError> {
        self.put(self.table.audit_item(entry)?);
        Ok(())
    }

    /// Returns the table, for reads that the writes depend on.
    pub(super) fn table(&self) -> &Table {
        self.table
    }

    /// Returns whether nothing would be written. DynamoDB rejects an empty transaction.
    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Returns the number of writes, the index of the next one.
    pub(super) fn len(&self) -> usize {
        self.writes.len()
    }

    /// Executes the transaction.
    pub(super) async fn commit(&self) -> Result<(), WriteError> {
        match self.try_commit().await? {
            Ok(()) => Ok(()),
            Err(index) => Err(self.error(index).await?),
        }
    }

    /// Executes the transaction. Does not report which condition failed.
    pub(super) async fn commit_if(&self) -> Result<Written, TableError> {
        let done = self.try_commit().await?;
        Ok(done.map_or(Written::ConditionFailed, |()| Written::Yes))
    }

    /// Executes the transaction. `Err(index)` is the first write whose condition failed. A
    /// transaction that conflicts with another on an item is retried.
    pub(super) async fn try_commit(&self) -> Result<Result<(), usize>, TableError> {
        let writes = self.writes.iter().map(|write| self.build(write.clone()));
        let writes = writes
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TableError::Request(error.to_string()))?;
        let mut tries = 0;
        loop {
            let request = self.table.client.transact_write_items();
            let request = request.set_transact_items(Some(writes.clone()));
            let Err(error) = request.send().await else {
                return Ok(Ok(()));
            };
            let cancelled_by = |code: &str| match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled
                    .cancellation_reasons()
                    .iter()
                    .position(|reason| reason.code() == Some(code)),
                _ => None,
            };
            if let Some(index) = cancelled_by("ConditionalCheckFailed") {
                return Ok(Err(index));
            }
            tries += 1;
            if tries == MAX_TRIES || cancelled_by("TransactionConflict").is_none() {
                return Err(error.into());
            }
            tokio::time::sleep(Duration::from_millis(20) * 2_u32.pow(tries)).await;
        }
    }

    /// Maps the index of a failed write to the error.
    pub(super) async fn error(&self, index: usize) -> Result<WriteError, TableError> {
        let claimed = self
            .writes
            .get(index)
            .and_then(|write| write.claimed.as_ref());
        Ok(match claimed {
            Some(name) => {
                WriteError::NameTaken(self.table.id_by_name(name).await?.unwrap_or_default())
            }
            None => WriteError::Changed,
        })
    }

    fn push(&mut self, action: Action, condition: Condition) -> usize {
        self.writes.push(Write {
            action,
            condition,
            claimed: None,
        });
        self.writes.len() - 1
    }

    fn build(&self, write: Write) -> Result<TransactWriteItem, BuildError> {
        let table = &self.table.name;
        let condition = write.condition;
        let built = TransactWriteItem::builder();
        let built = match write.action {
            Action::Put(item) => {
                let (expression, names, values) = condition.into_parts();
                let put = Put::builder().table_name(table).set_item(Some(item));
                let put = put
                    .set_condition_expression(expression)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values);
                built.put(put.build()?)
            }
            Action::Update(key, update) => {
                let (expression, names, values) = condition.into_update_parts(&update);
                let write = Update::builder()
                    .table_name(table)
                    .set_key(Some(key.attributes()));
                let write = write
                    .update_expression(update)
                    .set_condition_expression(expression)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values);
                built.update(write.build()?)
            }
            Action::Delete(key) => {
                let (expression, names, values) = condition.into_parts();
                let delete = Delete::builder()
                    .table_name(table)
                    .set_key(Some(key.attributes()));
                let delete = delete
                    .set_condition_expression(expression)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values);
                built.delete(delete.build()?)
            }
            Action::Check(key) => {
                let (expression, names, values) = condition.into_parts();
                let check = ConditionCheck::builder()
                    .table_name(table)
                    .set_key(Some(key.attributes()));
                let check = check
                    .set_condition_expression(expression)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values);
                built.condition_check(check.build()?)
            }
        };
        Ok(built.build())
    }
}
