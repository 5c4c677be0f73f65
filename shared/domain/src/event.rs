//! Events published by the application and delivered by webhooks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer, ser::Error};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    id::EventId,
    pattern::EventType,
    time,
    validation::{FieldReader, Validated, ValidationErrors, string},
};
use sha2::{Digest, Sha256};

/// An accepted event. Its `data` is an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Event ID, also the `webhook-id` of every delivery.
    pub id: EventId,
    /// Event type.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When it happened, according to the publisher; otherwise when it was accepted.
    pub timestamp: Timestamp,
    /// Data for tags and conditions.
    pub data: Value,
    /// How many times the chain that led to it has left Tieline and re-entered it, through an
    /// inbound URL or the API.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u8,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
pub(crate) fn is_zero(hops: &u8) -> bool {
    *hops == 0
}

/// An event with its data as JSON text, as in queues and the table. Parsed into values,
/// `[0,0,0,…]` takes about forty times the memory of its text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Queued<Box<RawValue>>")]
pub struct EventText {
    /// Event ID.
    pub id: EventId,
    /// Event type.
    pub kind: EventType,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The payload: the text of a JSON object.
    pub data: String,
    /// How many times the chain that led to it has left Tieline and re-entered it.
    pub hops: u8,
}

impl EventText {
    /// Parses the data.
    ///
    /// # Errors
    /// If the data is not JSON.
    pub fn parse(&self) -> serde_json::Result<Event> {
        Ok(Event {
            id: self.id,
            kind: self.kind.clone(),
            timestamp: self.timestamp,
            data: serde_json::from_str(&self.data)?,
            hops: self.hops,
        })
    }
}

impl From<&Event> for EventText {
    fn from(event: &Event) -> Self {
        Self {
            id: event.id,
            kind: event.kind.clone(),
            timestamp: event.timestamp,
            data: event.data.to_string(),
            hops: event.hops,
        }
    }
}

/// The JSON form of an [`EventText`], with the fields of [`Event`].
#[derive(Serialize, Deserialize)]
struct Queued<Data> {
    id: EventId,
    #[serde(rename = "type")]
    kind: EventType,
    timestamp: Timestamp,
    data: Data,
    #[serde(default, skip_serializing_if = "is_zero")]
    hops: u8,
}

impl From<Queued<Box<RawValue>>> for EventText {
    fn from(queued: Queued<Box<RawValue>>) -> Self {
        let mut data: String = Box::<str>::from(queued.data).into();
        // Queue messages are ASCII. `\u00e9` would take more space in the table than `é`.
        if data.contains("\\u")
            && let Ok(value) = serde_json::from_str::<Value>(&data)
        {
            data = value.to_string();
        }
        Self {
            id: queued.id,
            kind: queued.kind,
            timestamp: queued.timestamp,
            data,
            hops: queued.hops,
        }
    }
}

impl Serialize for EventText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data: &RawValue = serde_json::from_str(&self.data).map_err(S::Error::custom)?;
        Queued {
            id: self.id,
            kind: self.kind.clone(),
            timestamp: self.timestamp,
            data,
            hops: self.hops,
        }
        .serialize(serializer)
    }
}

/// An event from a client.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Event type. The caller checks whether it is known.
    pub kind: EventType,
    /// When it happened, if the client sent a time.
    pub timestamp: Option<Timestamp>,
    /// Data.
    pub data: Map<String, Value>,
}

impl NewEvent {
    /// Parses `{type, data, timestamp}`.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let new = Self::take(&mut fields);
        fields.finish(new)
    }

    /// Reads the fields of an event in a document with more fields.
    pub fn take(fields: &mut FieldReader) -> Option<Self> {
        let kind = fields.required("type", |value| Ok(EventType::parse(&string(value)?)?));
        let data = fields.required("data", object);
        let timestamp =
            fields.defaulted("timestamp", None, |value| self::timestamp(value).map(Some));
        Some(Self {
            kind: kind?,
            timestamp: timestamp?,
            data: data?,
        })
    }

    /// Returns the event with this ID, accepted at `now`.
    pub fn accept(self, id: EventId, now: Timestamp) -> Event {
        let Self {
            kind,
            timestamp,
            data,
        } = self;
        Event {
            id,
            kind,
            timestamp: timestamp.unwrap_or_else(|| time::of_event(now)),
            data: Value::Object(data),
            hops: 0,
        }
    }
}

/// Derives an event ID from the event's type, cause and time. The same input gives the same ID.
pub fn derived_id(kind: &EventType, cause: &str, at: Timestamp) -> EventId {
    let digest = Sha256::digest(format!("{kind}|{cause}"));
    let random = digest
        .iter()
        .take(16)
        .fold(0, |bits, byte| (bits << 8) | u128::from(*byte));
    EventId::new(at, random)
}

/// A JSON object.
pub fn object(value: Value) -> Validated<Map<String, Value>> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(ValidationErrors::here("must be an object")),
    }
}

/// An RFC 3339 time.
pub fn timestamp(value: Value) -> Validated<Timestamp> {
    let time = time::parse(&string(value)?);
    time.ok_or_else(|| {
        ValidationErrors::here("must be an RFC 3339 time such as 2026-01-31T12:00:00Z")
    })
}
