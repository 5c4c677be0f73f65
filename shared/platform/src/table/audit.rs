//! The audit log, by day. An entry is written in the transaction of its change.

use std::fmt::Display;

use domain::{
    audit::{Actor, Entry},
    id::CredentialId,
};
use jiff::SignedDuration;

use super::{
    Condition, Item, Key, Table, TableError, Written,
    item::{Expiring, item},
    key,
    pagination::{Page, PageRequest, TimeRange},
};
use crate::{clock, random};

/// Minimum interval between two entries for rejected uses of the same credential.
const REFUSAL_INTERVAL: SignedDuration = SignedDuration::from_mins(15);

/// Creates the entry for an action of `actor` at the current time.
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

impl Table {
    /// Writes an entry that belongs to no change.
    pub async fn record_audit(&self, entry: &Entry) -> Result<(), TableError> {
        self.put_item(self.audit_item(entry)?, Condition::default())
            .await
            .map(|_| ())
    }

    /// Writes the entry for a rejected use of a credential, unless there was one within 15 minutes.
    /// Bounds what a client with a revoked or expired token can write.
    pub async fn record_rejected_use(
        &self,
        credential: CredentialId,
        entry: &Entry,
    ) -> Result<(), TableError> {
        let mark = serde_json::json!({"expires_at": entry.at.as_second().saturating_add(REFUSAL_INTERVAL.as_secs())});
        let mark = item(&Key::refusal(credential), None, mark)?;
        match self.put_item(mark, Condition::absent_at(entry.at)).await? {
            Written::Yes => self.record_audit(entry).await,
            Written::ConditionFailed => Ok(()),
        }
    }

    /// Lists the entries of a time range, newest first.
    pub async fn audit(
        &self,
        range: TimeRange,
        page_request: &PageRequest,
    ) -> Result<Page<Entry>, TableError> {
        Ok(self
            .by_day::<Expiring<Entry>>(key::audit, range, page_request)
            .await?
            .map(|stored| stored.row))
    }

    pub(super) fn audit_item(&self, entry: &Entry) -> Result<Item, TableError> {
        item(
            &Key::audit(entry.id),
            None,
            Expiring {
                row: entry,
                expires_at: self.expiry(entry.at),
            },
        )
    }
}
