//! Event types, events and deliveries.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

use domain::{attempt::Attempt, delivery::Status, validation::FieldError};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

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
    /// A built-in or custom event type.
    pub r#type: String,
    /// When it happened. Default: when it is accepted.
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

/// The result of one event in a batch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum BatchResult {
    Accepted(Accepted),
    Refused(BatchRefusal),
}

/// An event in a batch that was not accepted.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BatchRefusal {
    /// Why the event was not accepted.
    pub error: BatchError,
}

/// Why an event in a batch was not accepted.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BatchError {
    /// The HTTP status that the event would get on its own.
    pub status: u16,
    /// What is wrong.
    pub detail: String,
    /// Every invalid field of the event.
    #[schema(value_type = Vec<FieldError>)]
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
    /// Number of attempts made.
    pub attempt_count: u32,
    /// Why the last attempt failed; null after a success or before the first attempt.
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
    /// Why the last attempt failed; null after a success or before the first attempt.
    pub last_error: Option<String>,
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Attempts, oldest first. Responses are limited to about 4 MB: above that, the `response_body`
    /// of older attempts is null. Above about 5 MB, the oldest attempts are omitted.
    /// `attempt_count` includes them.
    pub attempts: Vec<Attempt>,
}
