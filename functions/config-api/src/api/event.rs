//! Event types and events.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use domain::{
    event,
    event_type::BuiltIn,
    time::{show_event, show_millis},
    validation::ValidationErrors,
};
use platform::table::{event_types::CustomType, events::Dispatched};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use utoipa::ToSchema;

use super::{Delivery, FieldError, Problem};

#[derive(Debug, ToSchema)]
pub struct EventTypeInput {
    /// Words of `a-z0-9_` separated by dots.
    #[schema(max_length = 100)]
    pub name: String,
    #[schema(max_length = 1000)]
    pub description: Option<String>,
    /// A sample of `data`. At most 16 KiB of JSON.
    #[schema(value_type = Option<Object>)]
    pub example: Option<Value>,
}

/// Fields of a custom event type to change (RFC 7396).
#[derive(Debug, ToSchema)]
pub struct EventTypePatch(pub EventTypeInput);

#[derive(Debug, Serialize, ToSchema)]
pub struct EventType {
    pub name: String,
    pub description: Option<String>,
    /// A sample of `data`.
    #[schema(value_type = Option<Value>)]
    pub example: Option<Box<RawValue>>,
    pub built_in: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub created_at: Option<String>,
}

impl From<CustomType> for EventType {
    fn from(own: CustomType) -> Self {
        let CustomType {
            name,
            description,
            example,
            created_at,
            ..
        } = own;
        Self {
            name: name.to_string(),
            description,
            example: example.and_then(|text| RawValue::from_string(text).ok()),
            built_in: false,
            created_at: Some(show_millis(created_at)),
        }
    }
}

impl From<&BuiltIn> for EventType {
    fn from(known: &BuiltIn) -> Self {
        Self {
            name: known.name.to_owned(),
            description: Some(known.description.to_owned()),
            example: RawValue::from_string(known.example.to_string()).ok(),
            built_in: true,
            created_at: None,
        }
    }
}

#[derive(Debug, ToSchema)]
pub struct EventInput {
    /// A built-in or custom event type.
    pub r#type: String,
    /// When it happened. Default: when it is accepted.
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
    #[schema(value_type = Object)]
    pub data: Value,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    pub id: String,
    pub r#type: String,
    #[schema(format = DateTime)]
    pub timestamp: String,
}

impl From<event::Event> for Accepted {
    fn from(event: event::Event) -> Self {
        Self {
            id: event.id.to_string(),
            r#type: event.kind.to_string(),
            timestamp: show_event(event.timestamp),
        }
    }
}

#[derive(Debug, ToSchema)]
pub struct BatchInput {
    #[schema(min_items = 1, max_items = 100)]
    pub events: Vec<BatchEvent>,
}

#[derive(Debug, ToSchema)]
pub struct BatchEvent {
    pub r#type: String,
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
    #[schema(value_type = Object)]
    pub data: Value,
    #[schema(min_length = 1, max_length = 255)]
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BatchResults {
    pub results: Vec<BatchResult>,
}

/// The result of one event in a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum BatchResult {
    Accepted(Accepted),
    Rejected(BatchRejection),
}

/// An event in a batch that was not accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchRejection {
    /// Why the event was not accepted.
    pub error: BatchError,
}

/// Why an event in a batch was not accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchError {
    /// The HTTP status that the event would get on its own.
    pub status: u16,
    /// What is wrong.
    pub detail: String,
    /// Every invalid field of the event.
    pub errors: Vec<FieldError>,
}

impl From<Result<event::Event, Problem>> for BatchResult {
    fn from(result: Result<event::Event, Problem>) -> Self {
        match result {
            Ok(event) => Self::Accepted(event.into()),
            Err(problem) => Self::Rejected(BatchRejection {
                error: problem.into(),
            }),
        }
    }
}

/// In a batch, the idempotency key is a field of the event instead of a header.
impl From<Problem> for BatchError {
    fn from(problem: Problem) -> Self {
        let errors = ValidationErrors(problem.errors)
            .of_field("idempotency_key")
            .0;
        Self {
            status: problem.status.as_u16(),
            detail: problem.detail,
            errors: errors.into_iter().map(FieldError::from).collect(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Event {
    pub id: String,
    pub r#type: String,
    #[schema(format = DateTime)]
    pub timestamp: String,
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
}

impl TryFrom<Dispatched> for Event {
    type Error = serde_json::Error;

    /// Fails if the stored data is not JSON.
    fn try_from(dispatched: Dispatched) -> Result<Self, serde_json::Error> {
        let event = dispatched.event;
        Ok(Self {
            id: event.id.to_string(),
            r#type: event.kind.to_string(),
            timestamp: show_event(event.timestamp),
            data: RawValue::from_string(event.data)?,
        })
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EventWithDeliveries {
    pub id: String,
    pub r#type: String,
    #[schema(format = DateTime)]
    pub timestamp: String,
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
    pub deliveries: Vec<Delivery>,
}

impl EventWithDeliveries {
    /// Adds the deliveries to an event.
    pub fn new(event: Event, deliveries: Vec<Delivery>) -> Self {
        let Event {
            id,
            r#type,
            timestamp,
            data,
        } = event;
        Self {
            id,
            r#type,
            timestamp,
            data,
            deliveries,
        }
    }
}
