//! Events that end delays: "30 minutes after the last reply".
//!
//! Dispatch records each event that matches `unless` of a webhook, by the fingerprint of what it is
//! about. When a delayed delivery is due, it looks for a later event with its own fingerprint. Each
//! event has an item of its own: repeating the write changes nothing, and the order of the writes
//! does not matter.

use domain::{
    id::{EventId, WebhookId},
    webhook::delay,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::table::{
    Condition, Key, Table, TableError, Written,
    item::{item, text, text_of},
    key,
};

#[derive(Serialize)]
struct SupersedingRow {
    expires_at: i64,
}

impl Table {
    /// Records that the event ends delays of the webhook. `now` is the start of its retention.
    pub async fn record_superseding(
        &self,
        webhook: WebhookId,
        fingerprint: &str,
        event: EventId,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let row = SupersedingRow {
            expires_at: self.expiry(now),
        };
        let key = Key::superseding(webhook, fingerprint, event);
        let (Written::Yes | Written::ConditionFailed) = self
            .put_item(item(&key, None, row)?, Condition::default())
            .await?;
        Ok(())
    }

    /// Returns the first event with this fingerprint that was accepted after `event` and before the
    /// end of its delay.
    pub async fn superseded_by(
        &self,
        webhook: WebhookId,
        fingerprint: &str,
        event: EventId,
        ends_at: Timestamp,
    ) -> Result<Option<EventId>, TableError> {
        let Some(range) = delay::superseding(event, ends_at) else {
            return Ok(None);
        };
        let found = self
            .partition(&key::superseding(webhook, fingerprint))
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":first", text(range.start().ulid().to_string()))
            .expression_attribute_values(":last", text(range.end().ulid().to_string()))
            .limit(1)
            .send()
            .await?;
        let first = found.items.unwrap_or_default().into_iter().next();
        let id = first.and_then(|item| text_of(&item, "sk")?.parse().ok());
        Ok(id.map(EventId::from_ulid))
    }
}
