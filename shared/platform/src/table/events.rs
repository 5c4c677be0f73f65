//! Events, each with the webhooks that matched it when it was dispatched.

use domain::{
    event::Event,
    id::{DeliveryId, EventId, WebhookId},
    pattern::EventType,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    AttributeValue, Condition, Item, Key, Table, TableError, Written, item, key, number, text,
    walk::{Page, Slice, Span},
};

/// DynamoDB's limit for an item is 400 KB; the matches of an event take up to 30 KB of it.
pub const MOST_EVENT_BYTES: usize = 350 * 1024;

/// The most webhooks that one event can match: they have room in its row.
pub const MOST_MATCHES: usize = 1000;

/// An event that was dispatched.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatched {
    /// The event.
    pub event: Event,
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

impl TryFrom<Row> for Dispatched {
    type Error = TableError;

    fn try_from(row: Row) -> Result<Self, TableError> {
        let data = serde_json::from_str(&row.data).map_err(|error| TableError::Document(error.to_string()))?;
        let event = Event { id: row.id, kind: row.kind, timestamp: row.timestamp, data, hops: row.hops };
        Ok(Self { event, matches: row.matches, dispatched_at: row.dispatched_at })
    }
}

impl Dispatched {
    /// Reads the row of an event.
    pub(crate) fn from_item(item: Item) -> Result<Self, TableError> {
        serde_dynamo::from_item::<_, Row>(item)?.try_into()
    }
}

/// How many bytes the event takes in the table.
pub fn stored_bytes(event: &Event) -> usize {
    event.data.to_string().len() + event.kind.as_str().len()
}

impl Table {
    /// Writes the event unless it is there; then what is there counts, and comes back.
    pub async fn put_event(&self, dispatched: Dispatched) -> Result<Dispatched, TableError> {
        let Dispatched { event, matches, dispatched_at } = &dispatched;
        let row = Row {
            id: event.id,
            kind: event.kind.clone(),
            timestamp: event.timestamp,
            data: event.data.to_string(),
            hops: event.hops,
            matches: matches.clone(),
            dispatched_at: *dispatched_at,
            expires_at: self.expiry(event.id.made_at()),
        };
        match self.put(item(&Key::event(event.id), None, row)?, Some(Condition::absent_at(*dispatched_at))).await? {
            Written::Yes => Ok(dispatched),
            Written::Refused => Ok(self.event(event.id).await?.unwrap_or(dispatched)),
        }
    }

    /// Adds a webhook to those that the event of this delivery was matched with, unless it is there, or they are as many
    /// as its row has room for, or the event is gone.
    pub async fn add_match(&self, id: DeliveryId) -> Result<(), TableError> {
        let webhook = text(id.webhook.to_string());
        let values = [
            (":webhook", webhook.clone()),
            (":added", AttributeValue::L(vec![webhook])),
            (":most", number(i64::try_from(MOST_MATCHES).unwrap_or(i64::MAX))),
        ];
        let condition = "size(#matches) < :most AND NOT contains(#matches, :webhook)";
        let update = "SET #matches = list_append(#matches, :added)";
        let (Some(_) | None) =
            self.update_item(&Key::event(id.event), update, Condition::that(condition, values)).await?;
        Ok(())
    }

    /// One event.
    pub async fn event(&self, id: EventId) -> Result<Option<Dispatched>, TableError> {
        self.get::<Row>(&Key::event(id)).await?.map(Dispatched::try_from).transpose()
    }

    /// The events of a span of time, newest first.
    pub async fn events(&self, span: Span, slice: &Slice) -> Result<Page<Dispatched>, TableError> {
        let page = self.by_day::<Row>(key::events, span, slice).await?;
        let items = page.items.into_iter().map(Dispatched::try_from).collect::<Result<_, _>>()?;
        Ok(Page { items, next: page.next, weight: page.weight })
    }
}
