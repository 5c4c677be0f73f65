//! Fake of one DynamoDB table with a primary key `pk`, `sk` and two indexes: `listing` over
//! `list_pk`, `list_sk`, which contains whole items, and `status` over `status_pk`, `status_sk`,
//! which contains keys and `awaited`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::time::Instant;

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

/// Maximum number of bytes that one page of a query reads.
const MAX_PAGE_BYTES: usize = 1024 * 1024;

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
            return Err(AwsError::new("ConditionalCheckFailedException"));
        }
        write.make(self);
        Ok(json!({}))
    }

    fn get_many(&self, request: &Value) -> Result<Value, AwsError> {
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
            write.make(self);
        }
        self.transactions.insert(token);
        Ok(json!({}))
    }

    fn query(&self, request: &Value) -> Result<Value, AwsError> {
        let (of_index, sort) = match request
            .get("IndexName")
            .map(|name| name.as_str().expect("a name"))
        {
            None => ("pk", "sk"),
            Some("listing") => ("list_pk", "list_sk"),
            Some("status") => ("status_pk", "status_sk"),
            Some(index) => panic!("there is no index {index}"),
        };
        if sort != "sk" && request["ConsistentRead"] == true {
            return Err(AwsError::new("ValidationException"));
        }
        let wanted = Expression::of(request, "KeyConditionExpression").expect("a key condition");
        let candidates: Box<dyn Iterator<Item = &Item>> = match wanted.partition() {
            Some(pk) if sort == "sk" => {
                let of_it = self.items.range((pk.to_owned(), String::new())..);
                Box::new(
                    of_it
                        .take_while(move |((partition, _), _)| partition == pk)
                        .map(|(_, item)| item),
                )
            }
            Some(pk) => Box::new(self.items.values().filter(move |item| {
                item.get(of_index)
                    .is_some_and(|partition| partition["S"] == pk)
            })),
            None => Box::new(self.items.values()),
        };
        let mut found: Vec<&Item> = candidates.filter(|item| wanted.holds(Some(item))).collect();
        let place = |item: &Item| {
            [sort, "pk", "sk"].map(|name| item[name]["S"].as_str().unwrap_or_default().to_owned())
        };
        found.sort_by_key(|item| place(item));
        if request["ScanIndexForward"] == false {
            found.reverse();
        }
        if let Some(start) = request["ExclusiveStartKey"].as_object() {
            let seen = found.iter().position(|item| place(item) == place(start));
            found.drain(..=seen.expect("pages begin after an item that is there"));
        }
        let limit = request["Limit"]
            .as_u64()
            .map_or(usize::MAX, |limit| usize::try_from(limit).expect("small"));
        let full = |sum: &mut usize, item: &&Item| {
            *sum += item.values().map(bytes).sum::<usize>();
            Some(*sum > MAX_PAGE_BYTES)
        };
        let most = 1 + found.iter().scan(0, full).take_while(|full| !full).count();
        let limit = limit.min(most);
        found.truncate(limit);
        let projected =
            |name: &str| ["pk", "sk", "status_pk", "status_sk", "awaited"].contains(&name);
        let asked = request["ProjectionExpression"].as_str();
        let asked =
            |name: &str| asked.is_none_or(|names| names.split(", ").any(|asked| asked == name));
        let shown = found.iter().map(|item| {
            let shown = item
                .iter()
                .filter(|(name, _)| asked(name) && (sort != "status_sk" || projected(name)));
            shown
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect::<Item>()
        });
        let mut response = json!({"Items": shown.collect::<Vec<_>>(), "Count": found.len()});
        // Even if nothing follows: DynamoDB stops at the limit without checking.
        if let Some(last) = found.last().filter(|_| found.len() == limit) {
            let key = BTreeSet::from(["pk", "sk", of_index, sort]).into_iter();
            response["LastEvaluatedKey"] = key
                .map(|name| (name.to_owned(), last[name].clone()))
                .collect();
        }
        Ok(response)
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

    fn make(self, table: &mut Table) {
        let item = match self.change {
            Change::Nothing => return,
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
