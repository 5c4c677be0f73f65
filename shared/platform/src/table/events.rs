//! Events, each with the webhooks that matched it when it was dispatched.

use domain::{
    event::Event,
    id::{DeliveryId, EventId, WebhookId},
    pattern::EventType,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};

use super::{
    AttributeValue, Condition, Item, Key, Table, TableError, Written, item, key, number, text,
    walk::{Page, Slice, Span},
};

/// Maximum size of a stored event, in bytes. DynamoDB limits an item to 400 KB, of which the
/// matches take up to 30 KB.
pub const MOST_EVENT_BYTES: usize = 350 * 1024;

/// Maximum number of webhooks that one event can match. Bounded by the size of its row.
pub const MOST_MATCHES: usize = 1000;

/// An event with its data as JSON text, as in the queue and the table. Parsed into values,
/// `[0,0,0,…]` takes about forty times the memory of its text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "QueuedEvent")]
pub struct EventText {
    /// Event ID.
    pub id: EventId,
    /// Event type.
    pub kind: EventType,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The payload: the text of a JSON object.
    pub data: String,
    /// Number of times that the event left Tieline and came back.
    pub hops: u8,
}

/// An event in its queue message, with the fields of [`Event`].
#[derive(Deserialize)]
struct QueuedEvent {
    id: EventId,
    #[serde(rename = "type")]
    kind: EventType,
    timestamp: Timestamp,
    data: Box<RawValue>,
    #[serde(default)]
    hops: u8,
}

impl From<QueuedEvent> for EventText {
    fn from(
        QueuedEvent {
            id,
            kind,
            timestamp,
            data,
            hops,
        }: QueuedEvent,
    ) -> Self {
        let mut data: String = Box::<str>::from(data).into();
        // Queue messages are ASCII. `\u00e9` would take more space in the table than `é`.
        if data.contains("\\u")
            && let Ok(value) = serde_json::from_str::<Value>(&data)
        {
            data = value.to_string();
        }
        Self {
            id,
            kind,
            timestamp,
            data,
            hops,
        }
    }
}

impl From<&Event> for EventText {
    fn from(event: &Event) -> Self {
        let Event {
            id,
            kind,
            timestamp,
            data,
            hops,
        } = event;
        Self {
            id: *id,
            kind: kind.clone(),
            timestamp: *timestamp,
            data: data.to_string(),
            hops: *hops,
        }
    }
}

impl EventText {
    /// Parses the data.
    pub fn parse(&self) -> Result<Event, TableError> {
        let data = serde_json::from_str(&self.data);
        let data =
            data.map_err(|error| TableError::Document(format!("data of {}: {error}", self.id)))?;
        Ok(Event {
            id: self.id,
            kind: self.kind.clone(),
            timestamp: self.timestamp,
            data,
            hops: self.hops,
        })
    }
}

/// Maximum duration of a chain of attempts: seven days of schedule, and a day for queue delays.
const MAX_RETRY_CHAIN: SignedDuration = SignedDuration::from_hours(8 * 24);

/// A dispatched event.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatched {
    /// The event.
    pub event: EventText,
    /// The webhooks that matched. Final: only these get the event.
    pub matches: Vec<WebhookId>,
    /// Time of the dispatch.
    pub dispatched_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Row {
    id: EventId,
    #[serde(rename = "type")]
    kind: EventType,
    timestamp: Timestamp,
    /// JSON text, because DynamoDB's numbers would change some values.
    data: String,
    #[serde(default)]
    hops: u8,
    matches: Vec<WebhookId>,
    dispatched_at: Timestamp,
    expires_at: i64,
}

impl From<Row> for Dispatched {
    fn from(row: Row) -> Self {
        let Row {
            id,
            kind,
            timestamp,
            data,
            hops,
            matches,
            dispatched_at,
            expires_at: _,
        } = row;
        Self {
            event: EventText {
                id,
                kind,
                timestamp,
                data,
                hops,
            },
            matches,
            dispatched_at,
        }
    }
}

impl Dispatched {
    /// Parses the row of an event.
    pub(crate) fn from_item(item: Item) -> Result<Self, TableError> {
        Ok(serde_dynamo::from_item::<_, Row>(item)?.into())
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
        } = &dispatched;
        let row = Row {
            id: event.id,
            kind: event.kind.clone(),
            timestamp: event.timestamp,
            data: event.data.clone(),
            hops: event.hops,
            matches: matches.clone(),
            dispatched_at: *dispatched_at,
            // The IDs of derived events may contain a time long past.
            expires_at: self.expiry(event.id.made_at().max(*dispatched_at)),
        };
        match self
            .put_item(
                item(&Key::event(event.id), None, row)?,
                Some(Condition::absent_at(*dispatched_at)),
            )
            .await?
        {
            Written::Yes => Ok(dispatched),
            Written::Refused => Ok(self.event(event.id).await?.unwrap_or(dispatched)),
        }
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
                number(i64::try_from(MOST_MATCHES).unwrap_or(i64::MAX)),
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
    pub async fn keep_event(&self, id: EventId, now: Timestamp) -> Result<Written, TableError> {
        // Usually the ID alone shows that the event lasts long enough.
        if self.expiry(id.made_at()) > now.as_second().saturating_add(MAX_RETRY_CHAIN.as_secs()) {
            return Ok(Written::Yes);
        }
        let values = [
            (":expires_at", number(self.expiry(now))),
            (":next", number(now.as_second().saturating_add(1))),
        ];
        let alive = Condition::that("#expires_at >= :next", values);
        let kept = self
            .update_item(&Key::event(id), "SET #expires_at = :expires_at", alive)
            .await?;
        Ok(if kept.is_some() {
            Written::Yes
        } else {
            Written::Refused
        })
    }

    /// Returns an event.
    pub async fn event(&self, id: EventId) -> Result<Option<Dispatched>, TableError> {
        Ok(self
            .get::<Row>(&Key::event(id))
            .await?
            .map(Dispatched::from))
    }

    /// Lists the events of a time range, newest first.
    pub async fn events(&self, span: Span, slice: &Slice) -> Result<Page<Dispatched>, TableError> {
        let page = self.by_day::<Row>(key::events, span, slice).await?;
        page.open("event", async |row| {
            let data = serde_json::from_str::<IgnoredAny>(&row.data);
            data.map_err(|error| TableError::Document(format!("data of {}: {error}", row.id)))?;
            Ok(Dispatched::from(row))
        })
        .await
    }
}
