//! Webhooks.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use std::collections::BTreeMap;

use domain::{
    pattern,
    secrets::mask::{self, hint},
    signature::SigningSecret,
    template::BodyTemplate,
    time::show_millis,
    webhook::{self, Destination, delay, health, settings},
};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    AuthInput, AuthView, Condition, Format, Method, RetryPolicy, Signing, Warning, headers,
    warnings,
};

/// Event types that a webhook subscribes to: one (`message`), all with a prefix (`insight.*`), or
/// all (`*`).
#[derive(Debug, Serialize, ToSchema)]
#[schema(
    value_type = String,
    max_length = 102,
    pattern = "^(\\*|[a-z0-9_]+(\\.[a-z0-9_]+)*(\\.\\*)?)$",
    example = "insight.*"
)]
pub struct Pattern(pattern::Pattern);

mirror! {
    /// Why Tieline disabled a webhook.
    #[serde(rename_all = "snake_case")]
    DisabledReason of health::DisabledReason {
        /// The receiver responded with 410 Gone.
        Gone,
        /// Days of failures without a success.
        Failing,
    }
}

mirror! {
    /// Which response statuses count as success.
    Success of settings::Success {
        #[serde(rename = "2xx-3xx")]
        TwoOrThreeHundreds,
        #[serde(rename = "2xx")]
        TwoHundreds,
    }
}

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
    /// Template with tags and filters. Default: the standard envelope of type, timestamp and data.
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
    pub success_when: Option<Condition>,
    #[schema(minimum = 0, maximum = 604_800, default = 0)]
    pub delay_seconds: Option<u32>,
    pub unless: Option<Unless>,
    /// For finding webhooks. At most 10, of 1 to 50 characters.
    #[schema(max_items = 10)]
    pub labels: Option<Vec<String>>,
}

/// Events that cancel a delivery during its delay, if they have the same value at `key` as its event.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unless {
    /// Patterns of event types. At most 40 together with the webhook's `events`.
    #[schema(min_items = 1, max_items = 39)]
    pub events: Vec<Pattern>,
    /// Path in the event's data. Events without a value there cancel nothing and are not cancelled.
    #[schema(example = "id")]
    pub key: String,
}

impl From<&delay::Unless> for Unless {
    fn from(unless: &delay::Unless) -> Self {
        Self {
            events: unless.events.iter().cloned().map(Pattern).collect(),
            key: unless.key.as_str().to_owned(),
        }
    }
}

/// Fields of a webhook to change (RFC 7396). `null` resets a field to its default; omitted fields
/// are unchanged.
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct WebhookPatch(pub WebhookInput);

#[derive(Debug, Serialize, ToSchema)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub secret: Option<String>,
    pub signing: Signing,
    pub retry: RetryPolicy,
    pub timeout_seconds: u32,
    pub success: Success,
    pub rate_limit_per_second: Option<u32>,
    pub success_when: Option<Condition>,
    pub delay_seconds: u32,
    pub unless: Option<Unless>,
    /// For finding webhooks.
    pub labels: Vec<String>,
    pub status: WebhookStatus,
    /// Why Tieline disabled it; null if it is active or an admin disabled it.
    pub disabled_reason: Option<DisabledReason>,
    #[schema(format = DateTime)]
    pub failing_since: Option<String>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Text in the templates that looks like a tag but is sent as it is. Only in responses to
    /// requests that create or update a webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warnings: Option<Vec<Warning>>,
}

mirror! {
    /// Whether a webhook sends deliveries.
    #[serde(rename_all = "snake_case")]
    WebhookStatus of webhook::Status {
        /// It does.
        Active,
        /// It was disabled.
        Disabled,
        /// It is disabled and was cloned without its secrets. Supply them to enable it.
        NeedsSecrets,
    }
}

impl From<&webhook::Webhook> for Webhook {
    fn from(webhook: &webhook::Webhook) -> Self {
        let webhook::Webhook {
            id,
            settings,
            secrets,
            state,
            secret_origins: _,
            missing: _,
        } = webhook;
        let webhook::Settings {
            name,
            destination,
            events,
            conditions,
            enabled,
            method,
            format,
            body,
            headers: extra,
            auth,
            secrets: named,
            signing,
            retry,
            timeout_seconds,
            success,
            rate_limit_per_second,
            success_when,
            delay,
            labels,
        } = settings;
        let (url, service_id, path) = match destination {
            Destination::Url(url) => (Some(mask::url(url.as_str())), None, None),
            Destination::Service { service, path } => (
                None,
                Some(service.to_string()),
                Some(mask::url(path.as_str())),
            ),
        };
        let secrets_hint = named
            .iter()
            .map(|(name, value)| (name.clone(), hint(value.expose_secret())));
        let health = state.health.as_ref();
        Self {
            id: id.to_string(),
            name: name.clone(),
            url,
            service_id,
            path,
            events: events.iter().map(pattern::Pattern::to_string).collect(),
            conditions: conditions.as_ref().map(Condition::from),
            enabled: *enabled,
            method: method.into(),
            format: (*format).into(),
            body: body.as_ref().map(BodyTemplate::as_str).map(str::to_owned),
            headers: headers(extra),
            auth: auth.into(),
            secrets_hint: secrets_hint.collect(),
            secret_hint: hint(secrets.current.expose()),
            secret: None,
            signing: signing.into(),
            retry: retry.into(),
            timeout_seconds: *timeout_seconds,
            success: (*success).into(),
            rate_limit_per_second: *rate_limit_per_second,
            success_when: success_when.as_ref().map(|when| when.condition().into()),
            delay_seconds: delay.seconds,
            unless: delay.unless.as_ref().map(Unless::from),
            labels: labels.clone(),
            status: webhook.status().into(),
            disabled_reason: state.disabled_reason.map(DisabledReason::from),
            failing_since: health.map(|health| show_millis(health.failing_since)),
            created_at: show_millis(state.created_at),
            updated_at: show_millis(state.updated_at),
            warnings: None,
        }
    }
}

impl Webhook {
    /// Adds a generated secret, which is shown only once.
    #[must_use]
    pub fn with_secret(self, secret: Option<&SigningSecret>) -> Self {
        Self {
            secret: secret.map(|secret| secret.expose().to_owned()),
            ..self
        }
    }

    /// Adds the warnings about its templates.
    #[must_use]
    pub fn with_warnings(self, settings: &webhook::Settings) -> Self {
        Self {
            warnings: Some(warnings(settings.warnings())),
            ..self
        }
    }
}
