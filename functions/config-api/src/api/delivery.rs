//! Deliveries.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use domain::{attempt, delivery};
use serde::Serialize;
use utoipa::ToSchema;

use super::Attempt;

mirror! {
    /// Status of a delivery.
    #[serde(rename_all = "lowercase")]
    DeliveryStatus of delivery::Status {
        /// No attempt has been made yet.
        Pending,
        /// An attempt succeeded.
        Succeeded,
        /// The last attempt failed or a manual retry was requested. The next attempt is scheduled.
        Retrying,
        /// The schedule ended without success.
        Failed,
        /// The request could not be built, or its target is not allowed.
        Blocked,
        /// The webhook was deleted or disabled before the delivery ended, or another event ended its
        /// delay.
        Cancelled,
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Delivery {
    pub id: String,
    pub webhook_id: String,
    pub event_id: String,
    pub event_type: String,
    pub status: DeliveryStatus,
    /// Why it was cancelled: `superseded by evt_…`, `webhook deleted` or `webhook disabled`.
    pub reason: Option<String>,
    /// Number of attempts made.
    pub attempt_count: u32,
    /// Why the last attempt failed; null after a success or before the first attempt.
    pub last_error: Option<String>,
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryWithAttempts {
    pub id: String,
    pub webhook_id: String,
    pub event_id: String,
    pub event_type: String,
    pub status: DeliveryStatus,
    /// Why it was cancelled: `superseded by evt_…`, `webhook deleted` or `webhook disabled`.
    pub reason: Option<String>,
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

impl DeliveryWithAttempts {
    /// Adds the attempts to a delivery.
    pub fn new(delivery: Delivery, attempts: Vec<attempt::Attempt>) -> Self {
        let Delivery {
            id,
            webhook_id,
            event_id,
            event_type,
            status,
            reason,
            attempt_count,
            last_error,
            next_attempt_at,
            updated_at,
        } = delivery;
        Self {
            id,
            webhook_id,
            event_id,
            event_type,
            status,
            reason,
            attempt_count,
            last_error,
            next_attempt_at,
            updated_at,
            attempts: attempts.into_iter().map(Attempt::from).collect(),
        }
    }
}
