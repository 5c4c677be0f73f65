//! Webhooks.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

use std::collections::BTreeMap;

use domain::{
    condition::Condition,
    delivery::Attempt,
    pattern::Pattern,
    retry::RetryPolicy,
    template::Format,
    webhook::{DisabledReason, request::Preview},
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
    /// A connected service, whose account authenticates the calls.
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
    /// Extra headers; values may hold tags. At most 20.
    pub headers: Option<BTreeMap<String, String>>,
    pub auth: Option<AuthInput>,
    /// Named values for tags: `{secret.<name>}`. Never shown again.
    pub secrets: Option<BTreeMap<String, String>>,
    /// 24 to 75 characters, or `whsec_` and the base64 of 24 to 64 bytes. Made and shown once when
    /// absent.
    pub secret: Option<String>,
    pub signing: Option<Signing>,
    pub retry: Option<RetryPolicy>,
    /// For the whole exchange.
    #[schema(minimum = 1, maximum = 30, default = 15)]
    pub timeout_seconds: Option<u32>,
    #[schema(default = "2xx-3xx")]
    pub success: Option<Success>,
    #[schema(minimum = 1, maximum = 1000)]
    pub rate_limit_per_second: Option<u32>,
}

/// Any of a webhook's fields (RFC 7396): null sets one back to its default, what is left out stays.
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct WebhookPatch(pub WebhookInput);

#[derive(Debug, ToSchema)]
pub struct Webhook {
    pub id: String,
    pub name: String,
    /// What looks like a token is masked. Null where it sends to a service.
    pub url: Option<String>,
    pub service_id: Option<String>,
    pub path: Option<String>,
    pub events: Vec<String>,
    pub conditions: Option<Condition>,
    pub enabled: bool,
    pub method: Method,
    pub format: Format,
    pub body: Option<String>,
    /// What looks like a secret, by the header's name or by the value, is masked (`•••`).
    pub headers: BTreeMap<String, String>,
    pub auth: AuthView,
    /// The last characters of each secret value.
    pub secrets_hint: BTreeMap<String, Option<String>>,
    /// The last characters of the signing secret.
    pub secret_hint: Option<String>,
    /// The signing secret, only in the answer to the request that made it.
    #[schema(required = false)]
    pub secret: Option<String>,
    pub signing: Signing,
    pub retry: RetryPolicy,
    pub timeout_seconds: u32,
    pub success: Success,
    pub rate_limit_per_second: Option<u32>,
    pub status: WebhookStatus,
    /// Null while it is active, and when an admin disabled it.
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
    /// Standard Webhooks 1.0 headers.
    Standard,
    /// The secret itself in a header of this name.
    Header { name: String },
}

#[derive(Debug, ToSchema)]
pub struct TestInput {
    /// By default a sample of a type that the webhook wants.
    pub event: Option<SampleInput>,
}

/// An event to try a webhook with.
#[derive(Debug, ToSchema)]
pub struct SampleInput {
    /// A built-in type, or one of one's own.
    #[schema(example = "ticket.created")]
    pub r#type: String,
    /// When it happened; by default now.
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
    /// By default the type's example.
    #[schema(value_type = Object, required = false)]
    pub data: Option<Value>,
}

#[derive(Debug, ToSchema)]
pub struct Tested {
    pub attempt: Attempt,
}

#[derive(Debug, ToSchema)]
pub struct RenderInput {
    /// By default a sample of a type that the webhook wants.
    pub event: Option<SampleInput>,
}

#[derive(Debug, ToSchema)]
pub struct Rendered {
    /// Null when the event's values don't fit the request: then `blocked` says why.
    pub request: Option<Preview>,
    #[schema(required = false)]
    pub blocked: Option<String>,
    /// Whether the event's type and data would lead to a delivery.
    pub matched: bool,
    pub conditions: Vec<Comparison>,
    /// Tags that name nothing, those of a request that can't be made included.
    pub missing_tags: Vec<String>,
}

#[derive(Debug, ToSchema)]
pub struct Comparison {
    pub field: String,
    pub op: String,
    pub value: Value,
    /// What the event has there; null when nothing. At most 16 KiB: of a longer text its beginning,
    /// of a longer array or object the beginning of its JSON.
    pub actual: Option<Value>,
    /// Whether `actual` was cut; absent where it was not.
    #[schema(required = false)]
    pub truncated: Option<bool>,
    pub outcome: bool,
}

#[derive(Debug, ToSchema)]
pub struct RotateSecretInput {
    /// How long the old secret signs beside the new one.
    #[schema(minimum = 0, maximum = 604_800, default = 86400)]
    pub overlap_seconds: Option<u32>,
}

#[derive(Debug, ToSchema)]
pub struct ReplayInput {
    /// What became of the deliveries, or `missed`: events that the webhook did not get, as it was
    /// disabled or did not exist, and that it wants as it is now.
    #[schema(default = "failed")]
    pub status: Option<ReplayStatus>,
    /// Event accepted at this time or later; by default all that are kept.
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// Event accepted at this time or earlier; by default now.
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// Where to go on: a former answer's `next_cursor`. It holds the range and the status that it
    /// was given for.
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
    /// How many were queued, at most 500. It may be none although more follow.
    pub count: usize,
    /// Give it as `cursor` to go on; null when the range is through.
    pub next_cursor: Option<String>,
}
