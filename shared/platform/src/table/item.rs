//! DynamoDB items and their attributes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::{Key, TableError};
use crate::clock;

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// A row that expires.
#[derive(Serialize, Deserialize)]
pub(super) struct Expiring<T> {
    #[serde(flatten)]
    pub(super) row: T,
    /// Epoch seconds.
    pub(super) expires_at: i64,
}

/// Builds the item of a serializable row: its key, and its position in the index `listing`, if it
/// is listed.
pub(super) fn item<T: Serialize>(
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

/// Returns whether the item's TTL has not passed.
pub(super) fn is_live(item: &Item) -> bool {
    let expires_at = item
        .get("expires_at")
        .and_then(|value| value.as_n().ok()?.parse::<i64>().ok());
    expires_at.is_none_or(|end| clock::now().as_second() < end)
}

/// Returns the item's primary key, if it was read with the item.
pub(super) fn key_of(item: &Item) -> Option<Key> {
    Some(Key {
        pk: text_of(item, "pk")?,
        sk: text_of(item, "sk")?,
    })
}

/// Returns a text attribute.
pub(super) fn text_of(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}
