//! Events, each with the webhooks that matched it when it was dispatched.
//!
//! Large data is an item of its own, written before the event's row and with the same expiry.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    event::{Event, EventText},
    id::{DeliveryId, EventId, WebhookId},
    pattern::EventType,
    webhook::delay,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{
    Condition, Key, Table, TableError, Written,
    item::{item, number, text},
    key,
    pagination::{Page, PageRequest, TimeRange},
    response_size::text_bytes,
    unreadable::readable,
};

/// Maximum size of a stored event, in bytes. Its data must fit into one item, which DynamoDB limits
/// to 400 KB.
pub const MAX_EVENT_BYTES: usize = 350 * 1024;

/// Maximum number of webhooks that one event can match. Bounded by the size of its row.
pub const MAX_MATCHES: usize = 1000;

/// Maximum duration of a chain of attempts: seven days of schedule, and a day for queue delays.
const MAX_RETRY_CHAIN: SignedDuration = SignedDuration::from_hours(8 * 24);

/// A dispatched event.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatched {
    /// The event, with its data as JSON text.
    pub event: EventText,
    /// The webhooks that matched. Final: only these get the event.
    pub matches: Vec<WebhookId>,
    /// Time of the dispatch.
    pub dispatched_at: Timestamp,
    /// Seconds after the event at which the first attempt of a match is due, if it has a delay.
    pub delays: BTreeMap<WebhookId, u32>,
}

impl Dispatched {
    /// When the delay of the delivery to this webhook ends; `None` if it has none.
    pub fn delay_ends_at(&self, webhook: WebhookId) -> Option<Timestamp> {
        let seconds = self.delays.get(&webhook)?;
        Some(delay::ends_at(self.event.id, *seconds))
    }

    /// When the first attempt for this webhook is due.
    pub fn due_at(&self, webhook: WebhookId) -> Timestamp {
        let delay = self.delays.get(&webhook).zip(self.delay_ends_at(webhook));
        delay.map_or(self.dispatched_at, |(seconds, ends_at)| {
            delay::due_at(ends_at, *seconds, self.dispatched_at)
        })
    }
}

/// Maximum size in bytes of data in an event's row. Larger data has an item in its own partition: a
/// partition takes 1,000 write units (of 1 KB) a second, and large data would use up those of a
/// day.
const MAX_DATA_BYTES_IN_ROW: usize = 32 * 1024;

#[derive(Serialize, Deserialize)]
pub(super) struct EventRow {
    id: EventId,
    #[serde(rename = "type")]
    kind: EventType,
    timestamp: Timestamp,
    /// JSON text, because DynamoDB's numbers would change some values. None if it has an item of
    /// its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// Size in a response, in bytes, of data that has an item of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response_bytes: Option<usize>,
    #[serde(default)]
    hops: u8,
    matches: Vec<WebhookId>,
    dispatched_at: Timestamp,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    delays: BTreeMap<WebhookId, u32>,
    expires_at: i64,
}

/// Data with an item of its own.
#[derive(Serialize, Deserialize)]
struct EventDataRow {
    data: String,
    expires_at: i64,
}

impl EventRow {
    /// Returns the event with its data, which is in the row or is this one.
    fn with_data(self, data: Option<String>) -> Result<Dispatched, TableError> {
        let Self {
            id,
            kind,
            timestamp,
            hops,
            matches,
            dispatched_at,
            delays,
            ..
        } = self;
        let data = self
            .data
            .or(data)
            .ok_or_else(|| TableError::Document(format!("data of {id} is missing")))?;
        let event = EventText {
            id,
            kind,
            timestamp,
            data,
            hops,
        };
        Ok(Dispatched {
            event,
            matches,
            dispatched_at,
            delays,
        })
    }
}

/// Returns the size of the event in the table, in bytes.
pub fn stored_bytes(event: &Event) -> usize {
    event.data.to_string().len() + event.kind.as_str().len()
}

impl Table {
    /// Writes the event unless it exists. Returns the stored one.
    pub async fn put_event(&self, dispatched: Dispatched) -> Result<Dispatched, TableError> {
        let Dispatched {
            event,
            matches,
            dispatched_at,
            delays,
        } = &dispatched;
        let absent = || Condition::absent_at(*dispatched_at);
        // The IDs of derived events may contain a time long past. The retention begins with the last
        // first attempt.
        let last_due = matches.iter().map(|webhook| dispatched.due_at(*webhook));
        let kept_from = last_due.fold(*dispatched_at, Timestamp::max);
        let expires_at = self.expiry(event.id.made_at().max(kept_from));
        let is_large = event.data.len() > MAX_DATA_BYTES_IN_ROW;
        if is_large {
            let data = EventDataRow {
                data: event.data.clone(),
                expires_at,
            };
            self.put_data(event.id, data, absent()).await?;
        }
        let row = EventRow {
            id: event.id,
            kind: event.kind.clone(),
            timestamp: event.timestamp,
            data: (!is_large).then(|| event.data.clone()),
            response_bytes: is_large.then(|| text_bytes(&event.data)),
            hops: event.hops,
            matches: matches.clone(),
            dispatched_at: *dispatched_at,
            delays: delays.clone(),
            expires_at,
        };
        match self
            .put_item(item(&Key::event(event.id), None, row)?, absent())
            .await?
        {
            Written::Yes => Ok(dispatched),
            Written::ConditionFailed => Ok(self.event(event.id).await?.unwrap_or(dispatched)),
        }
    }

    /// Writes an event's data. The event's row follows, so that the data of a row always exists.
    async fn put_data(
        &self,
        id: EventId,
        data: EventDataRow,
        absent: Condition,
    ) -> Result<(), TableError> {
        let key = Key::event_data(id);
        let expires_at = number(data.expires_at);
        if self.put_item(item(&key, None, data)?, absent).await? == Written::ConditionFailed {
            // An earlier try wrote it. The data must not expire before the row.
            let earlier = Condition::that("#expires_at < :at", [(":at", expires_at)]);
            self.update_item(&key, "SET #expires_at = :at", earlier)
                .await?;
        }
        Ok(())
    }

    /// Adds a webhook to the event's matches. Does nothing if it is already there, if the row has
    /// no space left, or if the event has expired.
    pub async fn add_match(&self, id: DeliveryId) -> Result<(), TableError> {
        let webhook = text(id.webhook.to_string());
        let values = [
            (":webhook", webhook.clone()),
            (":added", AttributeValue::L(vec![webhook])),
            (
                ":most",
                number(i64::try_from(MAX_MATCHES).unwrap_or(i64::MAX)),
            ),
        ];
        let condition = "size(#matches) < :most AND NOT contains(#matches, :webhook)";
        let update = "SET #matches = list_append(#matches, :added)";
        let (Some(_) | None) = self
            .update_item(
                &Key::event(id.event),
                update,
                Condition::that(condition, values),
            )
            .await?;
        Ok(())
    }

    /// Extends an event's expiry so that a chain of attempts from `now` on can read it. The
    /// condition fails if it has expired.
    pub async fn extend_event(&self, id: EventId, now: Timestamp) -> Result<Written, TableError> {
        // Usually the ID alone shows that the event lasts long enough.
        if self.expiry(id.made_at()) > now.as_second().saturating_add(MAX_RETRY_CHAIN.as_secs()) {
            return Ok(Written::Yes);
        }
        let values = [
            (":expires_at", number(self.expiry(now))),
            (":next", number(now.as_second().saturating_add(1))),
        ];
        let extend = async |key: Key| {
            let alive = Condition::that("#expires_at >= :next", values.clone());
            self.update_item(&key, "SET #expires_at = :expires_at", alive)
                .await
        };
        // Small data has no item, and the condition fails.
        extend(Key::event_data(id)).await?;
        let kept = extend(Key::event(id)).await?;
        Ok(if kept.is_some() {
            Written::Yes
        } else {
            Written::ConditionFailed
        })
    }

    /// Returns an event.
    pub async fn event(&self, id: EventId) -> Result<Option<Dispatched>, TableError> {
        let Some(row) = self.get::<EventRow>(&Key::event(id)).await? else {
            return Ok(None);
        };
        let data = match row.data {
            Some(_) => None,
            None => self.get::<EventDataRow>(&Key::event_data(id)).await?,
        };
        row.with_data(data.map(|row| row.data)).map(Some)
    }

    /// Lists the events of a time range, newest first.
    pub async fn events(
        &self,
        range: TimeRange,
        page_request: &PageRequest,
    ) -> Result<Page<Dispatched>, TableError> {
        let Page {
            items,
            next,
            response_bytes,
        } = self
            .by_day::<EventRow>(key::events, range, page_request)
            .await?;
        let mut readable_items = Vec::with_capacity(items.len());
        for event in self.with_data(items).await? {
            let event = event.and_then(|dispatched| {
                let EventText { id, data, .. } = &dispatched.event;
                let valid = serde_json::from_str::<IgnoredAny>(data);
                valid
                    .map_err(|error| TableError::Document(format!("data of {id}: {error}")))
                    .map(|_| dispatched)
            });
            readable_items.extend(readable("event", event)?);
        }
        Ok(Page {
            items: readable_items,
            next,
            response_bytes,
        })
    }

    /// Loads the data that these rows lack. One error for each event whose data is missing or
    /// unreadable.
    pub(super) async fn with_data(
        &self,
        rows: Vec<EventRow>,
    ) -> Result<Vec<Result<Dispatched, TableError>>, TableError> {
        let lacking = rows.iter().filter(|row| row.data.is_none());
        let keys: Vec<Key> = lacking.map(|row| Key::event_data(row.id)).collect();
        let mut items = self.get_all(&keys).await?;
        let complete = |row: EventRow| {
            let item = match row.data {
                Some(_) => None,
                None => items.remove(&Key::event_data(row.id)),
            };
            let data = item
                .map(serde_dynamo::from_item::<_, EventDataRow>)
                .transpose()?;
            row.with_data(data.map(|row| row.data))
        };
        Ok(rows.into_iter().map(complete).collect())
    }
}
