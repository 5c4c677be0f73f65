//! Webhooks.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

use std::collections::BTreeMap;

use domain::{
    attempt::Attempt,
    condition::Condition,
    pattern::Pattern,
    retry::RetryPolicy,
    template::Format,
    webhook::{health::DisabledReason, request::Preview},
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, ToSchema)]
pub struct WebhookInput {
    /// Unique, case-insensitive.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// `https://…`; may contain tags such as `{id}` after the authority. Mutually exclusive with
    /// `service_id`.
    #[schema(example = "https://example.com/hooks/{id}")]
    pub url: Option<String>,
    /// A connected service. Its account authenticates the requests. Mutually exclusive with `url`.
    pub service_id: Option<String>,
    /// Appended to the service's `server_url`. Starts with `/`; may contain tags.
    #[schema(example = "/tickets/{id}/comments")]
    pub path: Option<String>,
    /// Event types: exact names (`message`), prefixes (`insight.*`) or all (`*`).
    #[schema(min_items = 1, max_items = 40)]
    pub events: Vec<Pattern>,
    pub conditions: Option<Condition>,
    #[schema(default = true)]
    pub enabled: Option<bool>,
    #[schema(default = "POST")]
    pub method: Option<Method>,
    #[schema(default = "json")]
    pub format: Option<Format>,
    /// Template with tags. Default: the standard envelope of type, timestamp and data.
    #[schema(max_length = 32768)]
    pub body: Option<String>,
    /// Extra headers. Values may contain tags. At most 20.
    pub headers: Option<BTreeMap<String, String>>,
    pub auth: Option<AuthInput>,
    /// Values for `{secret.<name>}` tags. Write-only.
    pub secrets: Option<BTreeMap<String, String>>,
    /// Signing secret: 24 to 75 characters, or `whsec_` followed by the base64 encoding of 24 to 64
    /// bytes. If absent, one is generated and shown once.
    pub secret: Option<String>,
    pub signing: Option<Signing>,
    pub retry: Option<RetryPolicy>,
    /// Timeout of the whole request, in seconds.
    #[schema(minimum = 1, maximum = 30, default = 15)]
    pub timeout_seconds: Option<u32>,
    #[schema(default = "2xx-3xx")]
    pub success: Option<Success>,
    #[schema(minimum = 1, maximum = 1000)]
    pub rate_limit_per_second: Option<u32>,
}

/// Fields of a webhook to change (RFC 7396). `null` resets a field to its default; omitted fields
/// are unchanged.
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct WebhookPatch(pub WebhookInput);

#[derive(Debug, ToSchema)]
pub struct Webhook {
    pub id: String,
    pub name: String,
    /// Where requests are sent; null if it sends to a service. Values that look like tokens are
    /// masked.
    pub url: Option<String>,
    pub service_id: Option<String>,
    pub path: Option<String>,
    pub events: Vec<String>,
    pub conditions: Option<Condition>,
    pub enabled: bool,
    pub method: Method,
    pub format: Format,
    pub body: Option<String>,
    /// Extra headers. Values of headers that look secret, by name or value, are masked (`•••`).
    pub headers: BTreeMap<String, String>,
    pub auth: AuthView,
    /// The last four characters of each secret; null if it has fewer than 16.
    pub secrets_hint: BTreeMap<String, Option<String>>,
    /// The last four characters of the signing secret.
    pub secret_hint: Option<String>,
    /// The signing secret. Only in the response to the request that generated it.
    #[schema(required = false)]
    pub secret: Option<String>,
    pub signing: Signing,
    pub retry: RetryPolicy,
    pub timeout_seconds: u32,
    pub success: Success,
    pub rate_limit_per_second: Option<u32>,
    pub status: WebhookStatus,
    /// Why Tieline disabled it; null if it is active or an admin disabled it.
    pub disabled_reason: Option<DisabledReason>,
    #[schema(format = DateTime)]
    pub failing_since: Option<String>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum WebhookStatus {
    Active,
    Disabled,
}

#[derive(Debug, ToSchema)]
#[schema(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

#[derive(Debug, ToSchema)]
pub enum Success {
    #[schema(rename = "2xx-3xx")]
    TwoOrThreeHundreds,
    #[schema(rename = "2xx")]
    TwoHundreds,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AuthInput {
    None,
    Basic {
        username: String,
        password: String,
    },
    /// `Authorization: Bearer <token>`.
    Bearer {
        token: String,
    },
    ApiKey {
        header: String,
        value: String,
    },
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AuthView {
    None,
    Basic {
        username: String,
        password_hint: Option<String>,
    },
    Bearer {
        token_hint: Option<String>,
    },
    ApiKey {
        header: String,
        value_hint: Option<String>,
    },
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Signing {
    /// Standard Webhooks 1.0 signature headers.
    Standard,
    /// The secret itself, in a header with this name.
    Header { name: String },
}

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
pub struct Tested {
    pub attempt: Attempt,
}

#[derive(Debug, ToSchema)]
pub struct RenderInput {
    /// The event. Default: a sample of a type that the webhook subscribes to.
    pub event: Option<SampleInput>,
}

#[derive(Debug, ToSchema)]
pub struct Rendered {
    /// The request; null if the event's values can't be inserted into it. `blocked` then says why.
    pub request: Option<Preview>,
    #[schema(required = false)]
    pub blocked: Option<String>,
    /// Whether the webhook would receive this event.
    pub matched: bool,
    pub conditions: Vec<Comparison>,
    /// Tags that had no value in this event, even if no request can be made.
    pub missing_tags: Vec<String>,
}

#[derive(Debug, ToSchema)]
pub struct Comparison {
    pub field: String,
    pub op: String,
    pub value: Value,
    /// The field's value in the event; null if it has none. Longer than 16 KiB, a string is cut,
    /// and an array or object becomes the beginning of its JSON.
    pub actual: Option<Value>,
    /// True if `actual` was cut; otherwise absent.
    #[schema(required = false)]
    pub truncated: Option<bool>,
    pub outcome: bool,
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

#[derive(Debug, ToSchema)]
pub struct Replayed {
    /// Number of queued deliveries, at most 500. Can be 0 even if there are more.
    pub count: usize,
    /// Pass it as `cursor` to continue; null when the range is complete.
    pub next_cursor: Option<String>,
}
