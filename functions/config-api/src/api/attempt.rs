//! Attempts of deliveries, messages and calls.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use domain::{attempt, id::ProviderId, time::show_millis};
use serde::Serialize;
use utoipa::ToSchema;

/// Record of an attempt.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When the attempt started.
    #[schema(format = DateTime)]
    pub at: String,
    /// Duration in milliseconds.
    pub duration_ms: u64,
    /// HTTP status of the response, if there was one.
    pub status_code: Option<u16>,
    /// Error text; null on success.
    pub error: Option<String>,
    /// The request, without secrets.
    pub request: Requested,
    /// Name of the provider when it got the message. Only for messages and calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider: Option<String>,
    /// ID of the provider. Only for messages and calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider_id: Option<String>,
    /// Response body, at most 16 KiB; null without a response.
    pub response_body: Option<String>,
    /// Tags that had no value in this event, or one that a filter can't take.
    pub missing_tags: Vec<String>,
}

/// Recorded request of an attempt.
#[derive(Debug, Serialize, ToSchema)]
pub struct Requested {
    /// HTTP method.
    pub method: String,
    /// URL, with values that look like tokens masked.
    pub url: String,
}

/// The attempt of a test.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tested {
    pub attempt: Attempt,
}

impl From<attempt::Attempt> for Attempt {
    fn from(attempt: attempt::Attempt) -> Self {
        let attempt::Attempt {
            number,
            at,
            duration_ms,
            status_code,
            error,
            request: attempt::Requested { method, url },
            response_body,
            missing_tags,
        } = attempt;
        Self {
            number,
            at: show_millis(at),
            duration_ms,
            status_code,
            error,
            request: Requested { method, url },
            provider: None,
            provider_id: None,
            response_body,
            missing_tags,
        }
    }
}

impl Attempt {
    /// Adds the provider of a message's attempt.
    #[must_use]
    pub fn through(self, id: ProviderId, name: &str) -> Self {
        Self {
            provider: Some(name.to_owned()),
            provider_id: Some(id.to_string()),
            ..self
        }
    }
}
