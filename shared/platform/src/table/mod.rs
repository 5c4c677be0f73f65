//! The DynamoDB table: all item shapes and all accesses.
//!
//! Each access pattern is one query, get or transaction, never a scan. Reads that decisions depend
//! on are strongly consistent. Items that expire have `expires_at` (epoch seconds, DynamoDB's TTL
//! attribute). TTL deletes late, so every read treats expired items as missing.

pub mod accounts;
pub mod admin;
pub mod audit;
pub mod campaigns;
pub mod credentials;
pub mod deliveries;
pub mod event_types;
pub mod events;
pub mod idempotency;
pub mod inbound;
pub mod key;
pub mod messages;
pub mod oauth_tokens;
pub mod overdue;
pub mod pagination;
pub mod providers;
pub mod rate_limit;
pub mod response_size;
pub mod services;
mod unreadable;
pub mod users;
pub mod webhooks;

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, ConditionCheck, Delete, KeysAndAttributes, Put, ReturnValue,
        TransactWriteItem, Update,
    },
};
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, de::DeserializeOwned};

pub use self::key::Key;
use crate::{aws::AwsError, clock, document::describe_item_error};

/// Tries for a transaction that conflicts with others.
const MAX_TRANSACTION_TRIES: u32 = 5;

/// The DynamoDB table.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
    retention: SignedDuration,
}

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// Why an access failed. All of these are internal errors, and the access may be retried.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The request to DynamoDB failed.
    #[error("DynamoDB: {0}")]
    Aws(#[from] AwsError),
    /// The request can't be built, or keys of a batch stay unprocessed.
    #[error("DynamoDB: {0}")]
    Request(String),
    /// An item does not have the expected structure.
    #[error("failed to read or write an item: {0}")]
    Shape(String),
    /// A document in an item does not have the expected structure.
    #[error("failed to read or write a document: {0}")]
    Document(String),
    /// A value could not be encrypted or decrypted.
    #[error(transparent)]
    Keyring(#[from] crate::keyring::KeyringError),
}

impl<E: ProvideErrorMetadata, R> From<SdkError<E, R>> for TableError {
    fn from(error: SdkError<E, R>) -> Self {
        Self::Aws(error.into())
    }
}

impl From<serde_dynamo::Error> for TableError {
    fn from(error: serde_dynamo::Error) -> Self {
        Self::Shape(describe_item_error(&error))
    }
}

/// Why a configuration change was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A resource with this ID has the name. The ID is empty if that resource was deleted in the
    /// meantime.
    #[error("name already in use by {0}")]
    NameTaken(String),
    /// The resource was changed or deleted since it was read.
    #[error("it has changed since it was read")]
    Changed,
    /// Reading or writing the table failed.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Result of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// The item was written.
    Yes,
    /// The condition failed, and nothing was written.
    ConditionFailed,
}

impl Table {
    /// The table with this name. Events and deliveries expire after `retention_days`.
    pub fn new(client: Client, name: impl Into<String>, retention_days: u32) -> Self {
        Self {
            client,
            name: name.into(),
            retention: SignedDuration::from_hours(24 * i64::from(retention_days)),
        }
    }

    /// Retention of events and deliveries.
    pub fn retention(&self) -> SignedDuration {
        self.retention
    }

    /// Returns the expiry of an item that was created at `from`, in epoch seconds.
    fn expiry(&self, from: Timestamp) -> i64 {
        from.as_second().saturating_add(self.retention.as_secs())
    }

    /// Returns the ID of the resource with this name.
    async fn id_by_name<I: DeserializeOwned>(&self, name: &Key) -> Result<Option<I>, TableError> {
        #[derive(serde::Deserialize)]
        struct Named<I> {
            id: I,
        }
        Ok(self.get::<Named<I>>(name).await?.map(|named| named.id))
    }

    /// Executes a transaction whose first write is the resource's. The second may claim `name`.
    async fn transact_named(
        &self,
        writes: Vec<TransactWriteItem>,
        name: &Key,
    ) -> Result<(), WriteError> {
        match self.transact(writes).await? {
            Ok(()) => Ok(()),
            Err(index) => Err(self.write_error(index, name).await?),
        }
    }

    /// Maps the index of a failed condition to the error.
    async fn write_error(&self, index: usize, name: &Key) -> Result<WriteError, TableError> {
        if index != 1 {
            return Ok(WriteError::Changed);
        }
        Ok(WriteError::NameTaken(
            self.id_by_name(name).await?.unwrap_or_default(),
        ))
    }

    async fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, TableError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .consistent_read(true);
        request
            .send()
            .await?
            .item
            .filter(is_live)
            .map(serde_dynamo::from_item)
            .transpose()
            .map_err(TableError::from)
    }

    /// Writes an item if `condition` holds. No condition overwrites.
    async fn put_item(
        &self,
        item: Item,
        condition: Option<Condition>,
    ) -> Result<Written, TableError> {
        let Condition {
            expression,
            names,
            values,
        } = condition.unwrap_or_default();
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item));
        let put = put
            .set_condition_expression(expression)
            .set_expression_attribute_names(names);
        let put = put.set_expression_attribute_values(values);
        match put.send().await {
            Ok(_) => Ok(Written::Yes),
            Err(error) if is_condition_failure(&error) => Ok(Written::ConditionFailed),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads many items, in requests of at most 100 keys (DynamoDB's limit). Omits missing ones.
    pub(crate) async fn get_all(&self, keys: &[Key]) -> Result<HashMap<Key, Item>, TableError> {
        let mut distinct: Vec<&Key> = keys.iter().collect();
        distinct.sort_by(|a, b| (&a.pk, &a.sk).cmp(&(&b.pk, &b.sk)));
        distinct.dedup();
        let parts = try_join_all(distinct.chunks(100).map(|chunk| self.get_chunk(chunk))).await?;
        Ok(parts
            .into_iter()
            .flatten()
            .filter(is_live)
            .filter_map(|item| Some((key_of(&item)?, item)))
            .collect())
    }

    async fn get_chunk(&self, keys: &[&Key]) -> Result<Vec<Item>, TableError> {
        let mut left: Vec<_> = keys.iter().map(|key| key.attributes()).collect();
        let mut items = Vec::with_capacity(left.len());
        // DynamoDB returns at most 16 MB and lists the unprocessed keys.
        while !left.is_empty() {
            let wanted = KeysAndAttributes::builder()
                .consistent_read(true)
                .set_keys(Some(left))
                .build();
            let wanted = wanted.map_err(|error| TableError::Request(error.to_string()))?;
            let response = self
                .client
                .batch_get_item()
                .request_items(&self.name, wanted)
                .send()
                .await?;
            let found: usize = items.len();
            items.extend(
                response
                    .responses
                    .unwrap_or_default()
                    .into_values()
                    .flatten(),
            );
            let unread = response.unprocessed_keys.unwrap_or_default();
            left = unread.into_values().flat_map(|rest| rest.keys).collect();
            if items.len() == found && !left.is_empty() {
                return Err(TableError::Request(
                    "throttled: no key of a batch was processed".to_owned(),
                ));
            }
        }
        Ok(items)
    }

    /// Returns all items of a partition in sort-key order, without unreadable ones.
    async fn all<T: DeserializeOwned>(&self, pk: &str) -> Result<Vec<T>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true);
        let query = query
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(pk));
        let items = query
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        Ok(items
            .into_iter()
            .filter(is_live)
            .filter_map(unreadable::from_item)
            .collect())
    }

    /// Returns the sort keys of a partition's items.
    async fn sort_keys(&self, pk: &str) -> Result<Vec<String>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .projection_expression("sk");
        let query = query
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(pk));
        let items = query
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        Ok(items
            .iter()
            .filter_map(|item| item.get("sk")?.as_s().ok().cloned())
            .collect())
    }

    /// Executes these writes as one transaction. `Err(index)` is the first whose condition failed.
    /// A transaction that conflicts with another on an item is retried.
    async fn transact(
        &self,
        writes: Vec<TransactWriteItem>,
    ) -> Result<Result<(), usize>, TableError> {
        let mut tries = 0;
        loop {
            let request = self
                .client
                .transact_write_items()
                .set_transact_items(Some(writes.clone()));
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
            if tries == MAX_TRANSACTION_TRIES || cancelled_by("TransactionConflict").is_none() {
                return Err(error.into());
            }
            tokio::time::sleep(Duration::from_millis(20) * 2_u32.pow(tries)).await;
        }
    }

    fn tx_put(
        &self,
        item: Item,
        condition: Option<Condition>,
    ) -> Result<TransactWriteItem, TableError> {
        let Condition {
            expression,
            names,
            values,
        } = condition.unwrap_or_default();
        let put = Put::builder().table_name(&self.name).set_item(Some(item));
        let put = put
            .set_condition_expression(expression)
            .set_expression_attribute_names(names);
        let put = put.set_expression_attribute_values(values);
        let put = put
            .build()
            .map_err(|error| TableError::Request(error.to_string()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn tx_check(&self, key: &Key, condition: Condition) -> Result<TransactWriteItem, TableError> {
        let Condition {
            expression,
            names,
            values,
        } = condition;
        let check = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(key.attributes()));
        let check = check
            .set_condition_expression(expression)
            .set_expression_attribute_names(names);
        let check = check.set_expression_attribute_values(values);
        let check = check
            .build()
            .map_err(|error| TableError::Request(error.to_string()))?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// Updates an item in place. `expression` uses the names and values of `condition`.
    fn tx_update(
        &self,
        key: &Key,
        expression: &str,
        condition: Condition,
    ) -> Result<TransactWriteItem, TableError> {
        let Condition {
            expression: condition,
            mut names,
            values,
        } = condition;
        names.get_or_insert_default().extend(names_in(expression));
        let update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(key.attributes()));
        let update = update
            .update_expression(expression)
            .set_condition_expression(condition);
        let update = update
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values);
        let update = update
            .build()
            .map_err(|error| TableError::Request(error.to_string()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Updates an item in place. Returns the changed attributes, or none if the condition failed.
    async fn update_item(
        &self,
        key: &Key,
        expression: &str,
        condition: Condition,
    ) -> Result<Option<Item>, TableError> {
        let Condition {
            expression: condition,
            mut names,
            values,
        } = condition;
        names.get_or_insert_default().extend(names_in(expression));
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()));
        let update = update
            .update_expression(expression)
            .set_condition_expression(condition);
        let update = update.set_expression_attribute_names(names);
        let update =
            update.set_expression_attribute_values(values.filter(|values| !values.is_empty()));
        match update.return_values(ReturnValue::UpdatedNew).send().await {
            Ok(response) => Ok(Some(response.attributes.unwrap_or_default())),
            Err(error) if is_condition_failure(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn tx_delete(
        &self,
        key: &Key,
        condition: Option<Condition>,
    ) -> Result<TransactWriteItem, TableError> {
        let Condition {
            expression,
            names,
            values,
        } = condition.unwrap_or_default();
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key.attributes()));
        let delete = delete
            .set_condition_expression(expression)
            .set_expression_attribute_names(names);
        let delete = delete.set_expression_attribute_values(values);
        let delete = delete
            .build()
            .map_err(|error| TableError::Request(error.to_string()))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}

/// A condition expression with its names and values.
#[derive(Debug, Default)]
struct Condition {
    expression: Option<String>,
    names: Option<HashMap<String, String>>,
    values: Option<HashMap<String, AttributeValue>>,
}

impl Condition {
    /// The item does not exist.
    fn absent() -> Self {
        Self {
            expression: Some("attribute_not_exists(pk)".to_owned()),
            ..Self::default()
        }
    }

    /// The item does not exist or has expired.
    fn absent_at(now: Timestamp) -> Self {
        let expression = "attribute_not_exists(pk) OR #expires_at <= :now";
        Self::that(expression, [(":now", number(now.as_second()))])
    }

    /// A condition over `values`. In `expression`, `#name` is the attribute `name` (many plain
    /// names are reserved words).
    fn that(
        expression: &str,
        values: impl IntoIterator<Item = (&'static str, AttributeValue)>,
    ) -> Self {
        let names = Some(names_in(expression)).filter(|names| !names.is_empty());
        let values = values
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Self {
            expression: Some(expression.to_owned()),
            names,
            values: Some(values),
        }
    }

    /// The item exists.
    fn present() -> Self {
        Self {
            expression: Some("attribute_exists(pk)".to_owned()),
            ..Self::default()
        }
    }
}

/// Returns the attribute of each `#name` in an expression.
fn names_in(expression: &str) -> HashMap<String, String> {
    let words = expression.split(|c: char| !c.is_alphanumeric() && !"#_".contains(c));
    words
        .filter_map(|word| Some((word.to_owned(), word.strip_prefix('#')?.to_owned())))
        .collect()
}

/// Returns whether a single write failed its condition.
fn is_condition_failure<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// Returns whether the item's TTL has not passed.
fn is_live(item: &Item) -> bool {
    let expires_at = item
        .get("expires_at")
        .and_then(|value| value.as_n().ok()?.parse::<i64>().ok());
    expires_at.is_none_or(|end| clock::now().as_second() < end)
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

fn key_of(item: &Item) -> Option<Key> {
    let part = |name: &str| item.get(name)?.as_s().ok().cloned();
    Some(Key {
        pk: part("pk")?,
        sk: part("sk")?,
    })
}

/// Builds the item of a serializable row: its key, and its position in the index `listing`, if it
/// is listed.
fn item<T: Serialize>(
    key: &Key,
    listing: Option<(&str, String)>,
    row: T,
) -> Result<Item, TableError> {
    let mut item: Item = serde_dynamo::to_item(row)?;
    item.retain(|_, value| !value.is_null());
    item.extend(key.attributes());
    if let Some((list_pk, list_sk)) = listing {
        item.insert("list_pk".to_owned(), text(list_pk));
        item.insert("list_sk".to_owned(), text(list_sk));
    }
    Ok(item)
}
