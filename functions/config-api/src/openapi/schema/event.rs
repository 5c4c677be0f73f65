//! Event types, events and deliveries.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

use domain::{
    delivery::{Attempt, Status},
    invalid::Invalid,
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, ToSchema)]
pub struct EventTypeInput {
    /// Words of `a-z0-9_` joined by dots.
    #[schema(max_length = 100)]
    pub name: String,
    #[schema(max_length = 1000)]
    pub description: Option<String>,
    /// A sample of `data`: at most 16 KiB as JSON.
    #[schema(value_type = Option<Object>)]
    pub example: Option<Value>,
}

/// A JSON merge patch of the description and the example.
#[derive(Debug, ToSchema)]
pub struct EventTypePatch(pub EventTypeInput);

#[derive(Debug, ToSchema)]
pub struct EventType {
    pub name: String,
    pub description: Option<String>,
    pub example: Option<Value>,
    pub built_in: bool,
    #[schema(required = false, format = DateTime)]
    pub created_at: Option<String>,
}

#[derive(Debug, ToSchema)]
pub struct EventInput {
    /// A built-in type, or one of one's own.
    pub r#type: String,
    /// When it happened; by default when it is accepted.
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
    #[schema(value_type = Object)]
    pub data: Value,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct Accepted {
    pub id: String,
    pub r#type: String,
    #[schema(format = DateTime)]
    pub timestamp: String,
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

#[derive(Debug, ToSchema)]
pub struct BatchResults {
    pub results: Vec<BatchResult>,
}

/// What became of one event of a batch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum BatchResult {
    Accepted(Accepted),
    Refused(BatchRefusal),
}

/// An event of a batch that was not accepted.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BatchRefusal {
    /// Why.
    pub error: BatchError,
}

/// Why an event of a batch was not accepted.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BatchError {
    /// The HTTP status that the event alone would have got.
    pub status: u16,
    /// What is wrong.
    pub detail: String,
    /// Every wrong field of the event.
    #[schema(value_type = Vec<Invalid>)]
    pub errors: Vec<Value>,
}

#[derive(Debug, ToSchema)]
pub struct Event {
    pub id: String,
    pub r#type: String,
    #[schema(format = DateTime)]
    pub timestamp: String,
    #[schema(value_type = Object)]
    pub data: Value,
}

#[derive(Debug, ToSchema)]
pub struct EventWithDeliveries {
    pub id: String,
    pub r#type: String,
    #[schema(format = DateTime)]
    pub timestamp: String,
    #[schema(value_type = Object)]
    pub data: Value,
    pub deliveries: Vec<Delivery>,
}

#[derive(Debug, ToSchema)]
pub struct Delivery {
    pub id: String,
    pub webhook_id: String,
    pub event_id: String,
    pub event_type: String,
    pub status: Status,
    /// How many attempts were made.
    pub attempt_count: u32,
    /// Why the last attempt failed; null after a success, or while none was made.
    pub last_error: Option<String>,
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

#[derive(Debug, ToSchema)]
pub struct DeliveryWithAttempts {
    pub id: String,
    pub webhook_id: String,
    pub event_id: String,
    pub event_type: String,
    pub status: Status,
    pub attempt_count: u32,
    /// Why the last attempt failed; null after a success, or while none was made.
    pub last_error: Option<String>,
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// In their order. The newest are told in full; where all would make too large an answer (some
    /// 4 MB), the older ones come with a `response_body` of null, and beyond some 5 MB they are
    /// left out: `attempt_count` counts them all.
    pub attempts: Vec<Attempt>,
}
