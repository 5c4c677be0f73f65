//! The audit log, by day. Entries are written with the change that they tell of, in one transaction.

use std::fmt::Display;

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::audit::{Actor, Entry};
use serde::{Deserialize, Serialize};

use super::{
    Item, Key, Table, TableError, item, key,
    walk::{Page, Slice, Span},
};
use crate::{clock, random};

/// The entry of what `actor` does now.
pub fn entry(actor: Actor, action: &str, resource: &impl Display, changes: Vec<String>) -> Entry {
    let (id, at) = (random::id(), clock::now());
    Entry { id, at, actor, action: action.to_owned(), resource: resource.to_string(), changes }
}

#[derive(Serialize, Deserialize)]
struct Row<E> {
    #[serde(flatten)]
    entry: E,
    expires_at: i64,
}

impl Table {
    /// Writes an entry by itself, where nothing was changed.
    pub async fn note(&self, entry: &Entry) -> Result<(), TableError> {
        self.put(self.audit_item(entry)?, None).await.map(|_| ())
    }

    /// The entries of a span of time, newest first.
    pub async fn audit(&self, span: Span, slice: &Slice) -> Result<Page<Entry>, TableError> {
        Ok(self.by_day::<Row<Entry>>(key::audit, span, slice).await?.map(|row| row.entry))
    }

    pub(super) fn audit_write(&self, entry: &Entry) -> Result<TransactWriteItem, TableError> {
        self.write(self.audit_item(entry)?, None)
    }

    fn audit_item(&self, entry: &Entry) -> Result<Item, TableError> {
        item(&Key::audit(entry.id), None, Row { entry, expires_at: self.expiry(entry.at) })
    }
}
