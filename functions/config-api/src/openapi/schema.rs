//! Documents as clients read and write them. These types describe; the parsers in the domain decide.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

use std::collections::BTreeMap;

use domain::{
    condition::Condition,
    credential::Status as CredentialStatus,
    delivery::{Attempt, Status},
    retry::RetryPolicy,
    scope::Scope,
    template::Format,
    user::Role,
    webhook::{DisabledReason, request::Preview},
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, IntoResponses, ToSchema};

use crate::http::Problem;

/// A page of a list, newest first.
#[derive(Debug, ToSchema)]
pub struct List<T> {
    pub data: Vec<T>,
    /// Give it as `cursor` to get the next page; null on the last.
    pub next_cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many at the most.
    #[param(minimum = 1, maximum = 100, default = 50)]
    pub limit: Option<u32>,
    /// Where to go on: a former answer's `next_cursor`.
    pub cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatch {
    /// Change it only if it still has this `ETag`.
    #[serde(rename = "If-Match")]
    pub if_match: Option<String>,
}

/// How a request can be refused by its content.
#[derive(Debug, IntoResponses)]
pub enum Refused {
    /// Not JSON, or a cursor that this list did not give
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
    /// No such resource
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// A name that is taken, or a state that does not allow it
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// The resource has changed since its `ETag` was read
    #[response(status = 412, content_type = "application/problem+json")]
    Stale(Problem),
    /// Every wrong field, by its JSON pointer
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
}

#[derive(Debug, ToSchema)]
pub struct UserInput {
    /// Unique without regard to case.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    pub email: Option<String>,
    #[schema(default = "member")]
    pub role: Option<Role>,
    /// Whether its credentials and inbound URLs work.
    #[schema(default = true)]
    pub active: Option<bool>,
}

/// Any of a user's fields (RFC 7396).
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct UserPatch(pub UserInput);

#[derive(Debug, ToSchema)]
pub struct User {
    pub id: String,
    pub name: String,
    pub email: Option<String>,
    pub role: Role,
    pub active: bool,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

#[derive(Debug, ToSchema)]
pub struct CredentialInput {
    /// What it is for.
    #[schema(min_length = 1, max_length = 200)]
    pub description: String,
    /// Not more than the caller's own.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// Who holds it; by default the caller's user.
    pub user_id: Option<String>,
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    #[schema(minimum = 1, maximum = 365, default = 90)]
    pub rotate_after_days: Option<u32>,
}

/// `description`, `scopes`, `expires_at`, `rotate_after_days` (RFC 7396).
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct CredentialPatch(pub CredentialInput);

#[derive(Debug, ToSchema)]
pub struct RotateInput {
    /// How long the old token counts beside the new one; by default it stops at once.
    #[schema(minimum = 0, maximum = 604_800, default = 0)]
    pub overlap_seconds: Option<u32>,
}

#[derive(Debug, ToSchema)]
pub struct Credential {
    pub id: String,
    pub description: String,
    pub scopes: Vec<Scope>,
    pub user_id: String,
    pub status: CredentialStatus,
    /// The token, only in the answer to the request that made it.
    #[schema(required = false)]
    pub token: Option<String>,
    pub token_hint: String,
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The user who made it; null for the first admin's.
    pub created_by: Option<String>,
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    pub rotate_after_days: u32,
    #[schema(format = DateTime)]
    pub rotated_at: Option<String>,
    #[schema(format = DateTime)]
    pub rotation_due_at: String,
    pub rotation_overdue: bool,
    /// To within 15 minutes.
    #[schema(format = DateTime)]
    pub last_used_at: Option<String>,
}

#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Rotation {
    Overdue,
    DueSoon,
}

#[derive(Debug, ToSchema)]
pub struct AuditEntry {
    pub id: String,
    #[schema(format = DateTime)]
    pub at: String,
    /// A credential, or `system`.
    pub actor: String,
    /// Such as `webhook.updated` or `sign_in.refused`.
    pub action: String,
    pub resource: String,
    /// The names of the fields that changed.
    pub changes: Vec<String>,
}

#[derive(Debug, ToSchema)]
pub struct WebhookInput {
    /// Unique without regard to case.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// `https://…`; tags such as `{ticket.id}` may stand after the authority.
    #[schema(example = "https://example.com/hooks/{ticket.id}")]
    pub url: String,
    /// `message`, `insight.*`, `*`
    #[schema(min_items = 1, max_items = 40)]
    pub events: Vec<String>,
    pub conditions: Option<Condition>,
    #[schema(default = true)]
    pub enabled: Option<bool>,
    #[schema(default = "POST")]
    pub method: Option<Method>,
    #[schema(default = "json")]
    pub format: Option<Format>,
    /// A template with tags; by default the envelope of type, timestamp and data.
    #[schema(max_length = 32768)]
    pub body: Option<String>,
    /// Extra headers; values may hold tags. At most 20.
    pub headers: Option<BTreeMap<String, String>>,
    pub auth: Option<AuthInput>,
    /// Named values for tags: `{secret.<name>}`. Never shown again.
    pub secrets: Option<BTreeMap<String, String>>,
    /// 24 to 75 characters, or `whsec_` and the base64 of 24 to 64 bytes. Made and shown once when absent.
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
    /// What looks like a token is masked.
    pub url: String,
    pub events: Vec<String>,
    pub conditions: Option<Condition>,
    pub enabled: bool,
    pub method: Method,
    pub format: Format,
    pub body: Option<String>,
    /// Values of headers that carry secrets are masked.
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
    Basic { username: String, password: String },
    ApiKey { header: String, value: String },
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AuthView {
    None,
    Basic { username: String, password_hint: Option<String> },
    ApiKey { header: String, value_hint: Option<String> },
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
    pub event: Option<EventInput>,
}

#[derive(Debug, ToSchema)]
pub struct Tested {
    pub attempt: Attempt,
}

#[derive(Debug, ToSchema)]
pub struct RenderInput {
    pub event: EventInput,
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
    pub missing_tags: Vec<String>,
}

#[derive(Debug, ToSchema)]
pub struct Comparison {
    pub field: String,
    pub op: String,
    pub value: Value,
    /// What the event has there; null when nothing.
    pub actual: Option<Value>,
    pub outcome: bool,
}

#[derive(Debug, ToSchema)]
pub struct RotateSecretInput {
    /// How long the old secret signs beside the new one.
    #[schema(minimum = 0, maximum = 604_800, default = 86400)]
    pub overlap_seconds: Option<u32>,
}

#[derive(Debug, ToSchema)]
pub struct EventTypeInput {
    /// Words of `a-z0-9_` joined by dots.
    #[schema(max_length = 100)]
    pub name: String,
    #[schema(max_length = 1000)]
    pub description: Option<String>,
    /// A sample of `data`.
    #[schema(value_type = Object)]
    pub example: Option<Value>,
}

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

#[derive(Debug, ToSchema)]
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
    /// One for each event, in their order: `{id, type, timestamp}` or `{error: {status, detail, errors}}`.
    pub results: Vec<Value>,
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
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
    #[schema(format = DateTime)]
    pub updated_at: String,
    pub attempts: Vec<Attempt>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::{event::NewEvent, invalid::Problems, target::Allow, webhook::Settings};
    use serde_json::{Map, json};
    use utoipa::PartialSchema;

    use super::*;

    /// Gives every described field a value of a wrong type: the parser must know each, and miss none.
    fn assert_described<T: PartialSchema>(parse: impl Fn(Value) -> Result<(), Problems>) {
        let described = json!(T::schema());
        let names = described["properties"].as_object().expect("an object schema").keys();
        let document: Map<String, Value> = names.map(|name| (name.clone(), json!(-0.5))).collect();
        let described: BTreeSet<String> = document.keys().map(|name| format!("/{name}")).collect();
        let problems = parse(document.into()).expect_err("every field is wrong").0;
        assert!(problems.iter().all(|problem| !problem.detail.contains("known field")), "{problems:?}");
        let known: BTreeSet<String> = problems.into_iter().map(|problem| problem.pointer).collect();
        assert_eq!(known, described);
    }

    #[test]
    fn what_is_described_is_what_is_parsed() {
        assert_described::<WebhookInput>(|value| Settings::parse(value, &Allow::default()).map(drop));
        let (user, now) = (platform::random::id(), platform::clock::now());
        assert_described::<UserInput>(|value| domain::user::Settings::parse(value).map(drop));
        assert_described::<CredentialInput>(|value| domain::credential::Settings::parse(value, user, now).map(drop));
        assert_described::<EventInput>(|value| NewEvent::parse(value).map(drop));
        assert_described::<EventTypeInput>(|value| crate::routes::event_types::parse(value).map(drop));
    }
}
