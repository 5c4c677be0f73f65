//! Fake of one DynamoDB table with a primary key `pk`, `sk` and two indexes: `listing` over
//! `list_pk`, `list_sk`, which contains whole items, and `status` over `status_pk`, `status_sk`,
//! which contains keys and `awaited`.

mod query;
pub mod units;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::time::Instant;

use self::units::Units;
use super::{
    AwsError,
    expression::{Expression, Item},
    update,
};

/// Partition key and sort key of an item.
pub type Key = (String, String);

/// The table and the writes to it.
#[derive(Debug, Default)]
pub struct Table {
    items: BTreeMap<Key, Item>,
    writes: Vec<RecordedWrite>,
    /// `ClientRequestToken`s of completed transactions. A repeated one succeeds without effect.
    transactions: BTreeSet<String>,
    /// Capacity consumed since the calls were last cleared.
    pub units: Units,
}

/// A recorded write.
#[derive(Debug, Clone)]
pub struct RecordedWrite {
    /// The key of the item.
    pub key: Key,
    /// The item after the write, or `None` if it was deleted.
    pub item: Option<Item>,
    /// The time of the write, by tokio's clock.
    pub at: Instant,
}

/// Maximum size of an item, in bytes.
const MAX_BYTES: usize = 400 * 1024;

impl Table {
    /// Returns every write that took effect, in order.
    pub fn writes(&self) -> &[RecordedWrite] {
        &self.writes
    }

    /// Returns all items.
    pub fn items(&self) -> &BTreeMap<Key, Item> {
        &self.items
    }

    /// Stores an item without recording a write.
    ///
    /// # Panics
    /// If the item has no key.
    pub fn seed(&mut self, item: Value) {
        let key = key_of(&item).expect("a key");
        let Value::Object(item) = item else {
            panic!("{item} is no item")
        };
        self.items.insert(key, item);
    }

    pub(super) fn execute(&mut self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        match operation {
            "GetItem" => {
                let found = self.items.get(&key_of(&request["Key"])?);
                let bytes = found.map_or(0, units::size);
                self.units += units::read(bytes, request["ConsistentRead"] == true);
                Ok(found.map_or_else(|| json!({}), |item| json!({"Item": item})))
            }
            "PutItem" => self.write(Write::put(request)?),
            "DeleteItem" => self.write(Write::of(request, Change::Delete)?),
            "UpdateItem" => self.update(request),
            "BatchGetItem" => self.get_many(request),
            "TransactWriteItems" => self.transact(request),
            "Query" => self.query(request),
            _ => panic!("DynamoDB's {operation} is not supported by the fake"),
        }
    }

    fn update(&mut self, request: &Value) -> Result<Value, AwsError> {
        let key = key_of(&request["Key"])?;
        let before = self.items.get(&key).cloned().unwrap_or_default();
        self.write(Write::of(request, Change::Update(request))?)?;
        if request["ReturnValues"] != "UPDATED_NEW" {
            return Ok(json!({}));
        }
        let changed = self.items[&key]
            .iter()
            .filter(|(name, value)| before.get(*name) != Some(value));
        let changed: Item = changed
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Ok(json!({"Attributes": changed}))
    }

    fn write(&mut self, write: Write<'_>) -> Result<Value, AwsError> {
        if !write.allowed(self) {
            let item = self.items.get(&write.key);
            self.units += units::write(item, item, false);
            return Err(AwsError::new("ConditionalCheckFailedException"));
        }
        write.make(self, false);
        Ok(json!({}))
    }

    fn get_many(&mut self, request: &Value) -> Result<Value, AwsError> {
        let mut responses = serde_json::Map::new();
        for (table, wanted) in request["RequestItems"].as_object().expect("RequestItems") {
            let keys: Vec<Key> = wanted["Keys"]
                .as_array()
                .expect("Keys")
                .iter()
                .map(key_of)
                .collect::<Result<_, _>>()?;
            let distinct: BTreeSet<&Key> = keys.iter().collect();
            if keys.is_empty() || keys.len() > 100 || distinct.len() < keys.len() {
                return Err(AwsError::new("ValidationException"));
            }
            for key in &keys {
                let bytes = self.items.get(key).map_or(0, units::size);
                self.units += units::read(bytes, wanted["ConsistentRead"] == true);
            }
            let found: Vec<&Item> = keys.iter().filter_map(|key| self.items.get(key)).collect();
            responses.insert(table.clone(), json!(found));
        }
        Ok(json!({"Responses": responses, "UnprocessedKeys": {}}))
    }

    fn transact(&mut self, request: &Value) -> Result<Value, AwsError> {
        let token = request["ClientRequestToken"]
            .as_str()
            .expect("the SDK sends a token")
            .to_owned();
        if self.transactions.contains(&token) {
            return Ok(json!({}));
        }
        let writes = request["TransactItems"]
            .as_array()
            .expect("TransactItems")
            .iter()
            .map(|write| {
                let (kind, write) = write
                    .as_object()
                    .and_then(|kinds| kinds.iter().next())
                    .expect("a kind of write");
                match kind.as_str() {
                    "Put" => Write::put(write),
                    "Delete" => Write::of(write, Change::Delete),
                    "Update" => Write::of(write, Change::Update(write)),
                    "ConditionCheck" => Write::of(write, Change::Nothing),
                    kind => panic!("{kind} is not supported by the fake"),
                }
            });
        let writes: Vec<Write<'_>> = writes.collect::<Result<_, _>>()?;
        let distinct: BTreeSet<&Key> = writes.iter().map(|write| &write.key).collect();
        if writes.is_empty() || writes.len() > 100 || distinct.len() < writes.len() {
            return Err(AwsError::new("ValidationException"));
        }
        let allowed: Vec<bool> = writes.iter().map(|write| write.allowed(self)).collect();
        if allowed.contains(&false) {
            let code = |allowed: &bool| json!({"Code": if *allowed { "None" } else { "ConditionalCheckFailed" }});
            let reasons: Vec<Value> = allowed.iter().map(code).collect();
            return Err(AwsError::new("TransactionCanceledException")
                .with("CancellationReasons", json!(reasons)));
        }
        for write in writes {
            write.make(self, true);
        }
        self.transactions.insert(token);
        Ok(json!({}))
    }
}

/// The change to the item under the key.
enum Change<'a> {
    Put(&'a Item),
    Delete,
    /// By the `UpdateExpression` of the request.
    Update(&'a Value),
    Nothing,
}

struct Write<'a> {
    key: Key,
    change: Change<'a>,
    condition: Option<Expression<'a>>,
}

impl<'a> Write<'a> {
    fn put(request: &'a Value) -> Result<Self, AwsError> {
        let item = request["Item"].as_object().expect("an item");
        if bytes(&request["Item"]) > MAX_BYTES {
            return Err(AwsError::new("ValidationException"));
        }
        let condition = Expression::of(request, "ConditionExpression");
        Ok(Self {
            key: key_of(&request["Item"])?,
            change: Change::Put(item),
            condition,
        })
    }

    fn of(request: &'a Value, change: Change<'a>) -> Result<Self, AwsError> {
        let condition = Expression::of(request, "ConditionExpression");
        Ok(Self {
            key: key_of(&request["Key"])?,
            change,
            condition,
        })
    }

    fn allowed(&self, table: &Table) -> bool {
        self.condition
            .as_ref()
            .is_none_or(|condition| condition.holds(table.items.get(&self.key)))
    }

    fn make(self, table: &mut Table, transaction: bool) {
        let item = match self.change {
            Change::Nothing => {
                let item = table.items.get(&self.key);
                table.units += units::write(item, item, transaction);
                return;
            }
            Change::Put(item) => Some(item.clone()),
            Change::Delete => None,
            Change::Update(request) => {
                let (pk, sk) = self.key.clone();
                let key = || {
                    json!({"pk": {"S": pk}, "sk": {"S": sk}})
                        .as_object()
                        .cloned()
                        .unwrap_or_default()
                };
                let before = table.items.get(&self.key).cloned().unwrap_or_else(key);
                Some(update::updated(
                    &before,
                    &Expression::of(request, "UpdateExpression").expect("an update"),
                ))
            }
        };
        table.units += units::write(table.items.get(&self.key), item.as_ref(), transaction);
        match item.clone() {
            Some(item) => table.items.insert(self.key.clone(), item),
            None => table.items.remove(&self.key),
        };
        table.writes.push(RecordedWrite {
            key: self.key,
            item,
            at: Instant::now(),
        });
    }
}

/// Estimates the stored size in bytes.
fn bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(bytes).sum(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| name.len() + bytes(value))
            .sum(),
        _ => 1,
    }
}

fn key_of(attributes: &Value) -> Result<Key, AwsError> {
    let part = |name: &str| {
        attributes[name]["S"]
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    part("pk")
        .zip(part("sk"))
        .ok_or_else(|| AwsError::new("ValidationException"))
}
