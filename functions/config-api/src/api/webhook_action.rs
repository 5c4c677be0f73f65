//! Tests, previews and replays of webhooks.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use std::collections::BTreeMap;

use domain::webhook::request;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Comparison, Warning};

#[derive(Debug, ToSchema)]
pub struct TestInput {
    /// The event. Default: a sample of a type that the webhook subscribes to.
    pub event: Option<SampleInput>,
}

/// An event to test a webhook with.
#[derive(Debug, ToSchema)]
pub struct SampleInput {
    /// A built-in or custom event type.
    #[schema(example = "ticket.created")]
    pub r#type: String,
    /// When it happened. Default: now.
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
    /// The event's data. Default: the type's example.
    #[schema(value_type = Object, required = false)]
    pub data: Option<Value>,
}

#[derive(Debug, ToSchema)]
pub struct CloneInput {
    /// The clone's name. Unique, case-insensitive.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
}

#[derive(Debug, ToSchema)]
pub struct RenderInput {
    /// The event. Default: a sample of a type that the webhook subscribes to.
    pub event: Option<SampleInput>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Rendered {
    /// The request; null if the event's values can't be inserted into it. `blocked` then says why.
    pub request: Option<Preview>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub blocked: Option<String>,
    /// Whether the webhook would receive this event.
    pub matched: bool,
    pub conditions: Vec<Comparison>,
    /// Tags that had no value in this event, or one that a filter can't take, even if no request
    /// can be made.
    pub missing_tags: Vec<String>,
    /// Text in the templates that looks like a tag but is sent as it is.
    pub warnings: Vec<Warning>,
}

/// A request in a preview: without secrets, and without headers that are only added when sending.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preview {
    /// HTTP method.
    pub method: String,
    /// URL, with secrets masked.
    pub url: String,
    /// Headers, with secrets masked.
    pub headers: BTreeMap<String, String>,
    /// Body, with secrets masked; at most its first 16 KiB.
    pub body: Option<String>,
    /// True if the body was truncated; otherwise absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub truncated: bool,
}

impl From<request::Preview> for Preview {
    fn from(preview: request::Preview) -> Self {
        let request::Preview {
            method,
            url,
            headers,
            body,
            truncated,
        } = preview;
        Self {
            method,
            url,
            headers,
            body,
            truncated,
        }
    }
}

#[derive(Debug, ToSchema)]
pub struct RotateSecretInput {
    /// How long requests are also signed with the old secret, in seconds.
    #[schema(minimum = 0, maximum = 604_800, default = 86400)]
    pub overlap_seconds: Option<u32>,
}

#[derive(Debug, ToSchema)]
pub struct ReplayInput {
    /// Replay deliveries with this status, or `missed`: events that match the webhook now but were
    /// published while it was disabled or before it existed.
    #[schema(default = "failed")]
    pub status: Option<ReplayStatus>,
    /// Only events accepted at or after this time. Default: all that have not expired.
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// Only events accepted at or before this time. Default: now.
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// `next_cursor` from the previous response. It contains the range and the status.
    pub cursor: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReplayStatus {
    Failed,
    Blocked,
    Cancelled,
    Succeeded,
    Missed,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Replayed {
    /// Number of queued deliveries, at most 500. Can be 0 even if there are more.
    pub count: usize,
    /// Pass it as `cursor` to continue; null when the range is complete.
    pub next_cursor: Option<String>,
}
