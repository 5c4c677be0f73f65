//! The audit log, by day. Entries are written with the change that they tell of, in one transaction.

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::audit::Entry;
use serde::{Deserialize, Serialize};

use super::{
    Item, Key, Table, TableError, item, key,
    walk::{Page, Slice, Span},
};

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
        let page = self.by_day::<Row<Entry>>(key::audit, span, slice).await?;
        Ok(Page { items: page.items.into_iter().map(|row| row.entry).collect(), next: page.next })
    }

    pub(super) fn audit_write(&self, entry: &Entry) -> Result<TransactWriteItem, TableError> {
        self.write(self.audit_item(entry)?, None)
    }

    fn audit_item(&self, entry: &Entry) -> Result<Item, TableError> {
        item(&Key::audit(entry.id), None, Row { entry, expires_at: self.expiry(entry.at) })
    }
}
