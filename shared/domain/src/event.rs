//! Events: what the application publishes and webhooks carry on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    id::EventId,
    invalid::{Checked, Fields, Problems, string},
    pattern::EventType,
    time,
};

/// An accepted event. Its `data` is an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its id: the `webhook-id` of every delivery.
    pub id: EventId,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When it happened, by the publisher's word; else when it was accepted.
    pub timestamp: Timestamp,
    /// What tags and conditions read.
    pub data: Value,
    /// How many times what led to it left Tieline and came in again, by an inbound URL or the API.
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

/// An event as a client gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// What happened; whether the type is known is for the caller to check.
    pub kind: EventType,
    /// When, if the client says so.
    pub timestamp: Option<Timestamp>,
    /// The payload.
    pub data: Map<String, Value>,
}

impl NewEvent {
    /// Reads `{type, data, timestamp}`.
    pub fn parse(value: Value) -> Checked<Self> {
        let mut fields = Fields::of(value)?;
        let new = Self::take(&mut fields);
        fields.finish(new)
    }

    /// Takes the event's own fields out of `fields`, for documents that hold more.
    pub fn take(fields: &mut Fields) -> Option<Self> {
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

    /// The event under this id, as accepted at `now`.
    pub fn accept(self, id: EventId, now: Timestamp) -> Event {
        let Self {
            kind,
            timestamp,
            data,
        } = self;
        Event {
            id,
            kind,
            timestamp: timestamp.unwrap_or(now),
            data: Value::Object(data),
            hops: 0,
        }
    }
}

/// The value must be an object.
pub fn object(value: Value) -> Checked<Map<String, Value>> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Problems::here("must be an object")),
    }
}

/// The value must be an RFC 3339 time.
pub fn timestamp(value: Value) -> Checked<Timestamp> {
    let time = time::parse(&string(value)?);
    time.ok_or_else(|| Problems::here("must be an RFC 3339 time such as 2026-01-31T12:00:00Z"))
}
