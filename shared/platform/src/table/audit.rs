//! The audit log, by day. Entries are written with the change that they tell of, in one
//! transaction.

use std::fmt::Display;

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::{
    audit::{Actor, Entry},
    id::CredentialId,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    Condition, Item, Key, Table, TableError, Written, item, key,
    walk::{Page, Slice, Span},
};
use crate::{clock, random};

/// Least time between two entries of refused uses of one credential.
const REFUSAL_INTERVAL: SignedDuration = SignedDuration::from_mins(15);

/// The entry of what `actor` does now.
pub fn entry(actor: Actor, action: &str, resource: &impl Display, changes: Vec<String>) -> Entry {
    let (id, at) = (random::id(), clock::now());
    Entry {
        id,
        at,
        actor,
        action: action.to_owned(),
        resource: resource.to_string(),
        changes,
    }
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

    /// Writes the entry of a refused use of a credential, unless there was one within the last 15
    /// minutes: whoever has an ended token could fill the log with it.
    pub async fn note_refused(
        &self,
        credential: CredentialId,
        entry: &Entry,
    ) -> Result<(), TableError> {
        let mark = serde_json::json!({"expires_at": entry.at.as_second().saturating_add(REFUSAL_INTERVAL.as_secs())});
        let mark = item(&Key::refusal(credential), None, mark)?;
        match self.put(mark, Some(Condition::absent_at(entry.at))).await? {
            Written::Yes => self.note(entry).await,
            Written::Refused => Ok(()),
        }
    }

    /// The entries of a span of time, newest first.
    pub async fn audit(&self, span: Span, slice: &Slice) -> Result<Page<Entry>, TableError> {
        Ok(self
            .by_day::<Row<Entry>>(key::audit, span, slice)
            .await?
            .map(|row| row.entry))
    }

    pub(super) fn audit_write(&self, entry: &Entry) -> Result<TransactWriteItem, TableError> {
        self.write(self.audit_item(entry)?, None)
    }

    fn audit_item(&self, entry: &Entry) -> Result<Item, TableError> {
        item(
            &Key::audit(entry.id),
            None,
            Row {
                entry,
                expires_at: self.expiry(entry.at),
            },
        )
    }
}
