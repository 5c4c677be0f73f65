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

/// DynamoDB's limit for an item is 400 KB; the matches of an event take up to 30 KB of it.
pub const MOST_EVENT_BYTES: usize = 350 * 1024;

/// The most webhooks that one event can match: they have room in its row.
pub const MOST_MATCHES: usize = 1000;

/// An event with its data as JSON text, as queue and table have it. As a tree of values,
/// `[0,0,0,…]` takes some forty times the memory of its text: whoever needs no values keeps the
/// text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "QueuedEvent")]
pub struct EventText {
    /// Its ID.
    pub id: EventId,
    /// What happened.
    pub kind: EventType,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The payload: the text of a JSON object.
    pub data: String,
    /// How many times it left Tieline and came in again.
    pub hops: u8,
}

/// An event as its queue message writes it: the fields of [`Event`].
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
        // Queue messages are ASCII: `\u00e9` for `é` would take more room in the table than what
        // was accepted.
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
    /// The event with its data as values.
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

/// The longest that a chain of attempts takes: seven days of schedule, and a day for queues that
/// are late.
const LONGEST_CHAIN: SignedDuration = SignedDuration::from_hours(8 * 24);

/// An event that was dispatched.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatched {
    /// The event.
    pub event: EventText,
    /// The webhooks that matched: they and no others get it.
    pub matches: Vec<WebhookId>,
    /// When.
    pub dispatched_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Row {
    id: EventId,
    #[serde(rename = "type")]
    kind: EventType,
    timestamp: Timestamp,
    /// JSON text: DynamoDB's own numbers would change some values.
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
    /// Reads the row of an event.
    pub(crate) fn from_item(item: Item) -> Result<Self, TableError> {
        Ok(serde_dynamo::from_item::<_, Row>(item)?.into())
    }
}

/// How many bytes the event takes in the table.
pub fn stored_bytes(event: &Event) -> usize {
    event.data.to_string().len() + event.kind.as_str().len()
}

impl Table {
    /// Writes the event unless it is there; then what is there counts, and comes back.
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
            // The ids of events that Tieline derives may carry a time long past.
            expires_at: self.expiry(event.id.made_at().max(*dispatched_at)),
        };
        match self
            .put(
                item(&Key::event(event.id), None, row)?,
                Some(Condition::absent_at(*dispatched_at)),
            )
            .await?
        {
            Written::Yes => Ok(dispatched),
            Written::Refused => Ok(self.event(event.id).await?.unwrap_or(dispatched)),
        }
    }

    /// Adds a webhook to those that the event of this delivery was matched with, unless it is
    /// there, or they are as many as its row has room for, or the event is gone.
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

    /// Keeps an event for as long as a chain of attempts that starts at `now` may need it. Refused
    /// when it has expired.
    pub async fn keep_event(&self, id: EventId, now: Timestamp) -> Result<Written, TableError> {
        // Mostly it is young enough, by its id alone.
        if self.expiry(id.made_at()) > now.as_second().saturating_add(LONGEST_CHAIN.as_secs()) {
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

    /// One event.
    pub async fn event(&self, id: EventId) -> Result<Option<Dispatched>, TableError> {
        Ok(self
            .get::<Row>(&Key::event(id))
            .await?
            .map(Dispatched::from))
    }

    /// The events of a span of time, newest first.
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
