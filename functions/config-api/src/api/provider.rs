//! Providers of messages and calls.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use std::collections::BTreeMap;

use domain::{
    provider,
    secrets::mask::{self, hint},
    template::BodyTemplate,
    time::show_millis,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    BusinessField, Channel, Condition, Format, Method, ProviderAuth, ProviderCallback,
    ProviderCallbackInput, ProviderInbound, Warning, headers, warnings,
};

mirror! {
    /// Whether a provider can be used.
    #[serde(rename_all = "snake_case")]
    ProviderStatus of provider::Status {
        /// It can send.
        Active,
        /// It was imported without its secrets and can't send.
        NeedsSecrets,
    }
}

#[derive(Debug, ToSchema)]
pub struct ProviderInput {
    /// Unique across all channels, case-insensitive.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Your account ID at the provider. Available as `{provider.provider_id}`.
    #[schema(min_length = 1, max_length = 100)]
    pub provider_id: String,
    pub channel: Channel,
    /// `https://…`; may contain tags after the authority.
    pub send_url: String,
    /// Write-only. Required by all types of `auth` except `account` and `none`, and by a
    /// `{secret.api_key}` tag.
    pub api_key: Option<String>,
    /// Write-only. Required if `auth` or a `{secret.secret_key}` tag uses it.
    pub secret_key: Option<String>,
    /// Use this provider when a message names none. Only one per channel.
    #[schema(default = false)]
    pub default: Option<bool>,
    /// Default sender of messages and calls.
    #[schema(max_length = 255)]
    pub from: Option<String>,
    pub auth: Option<ProviderAuth>,
    pub request: Option<ProviderRequest>,
    pub response: Option<ProviderResponse>,
    pub callback: Option<ProviderCallbackInput>,
    pub inbound: Option<ProviderInbound>,
    /// Provider of the same channel that takes the messages that this one can't send: after its last
    /// attempt, or at once if no request can be made. At most three providers in a chain.
    pub fallback_provider_id: Option<String>,
}

/// Fields of a provider to change (RFC 7396). `null` resets a field to its default; omitted fields,
/// including keys, are unchanged.
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct ProviderPatch(pub ProviderInput);

#[derive(Debug, Serialize, ToSchema)]
pub struct Provider {
    pub id: String,
    pub name: String,
    pub provider_id: String,
    pub channel: Channel,
    /// Where messages are sent. Values that look like tokens are masked.
    pub send_url: String,
    /// The key's last four characters; null if it has fewer than 16.
    pub api_key_hint: Option<String>,
    /// The key's last four characters; null if it has fewer than 16.
    pub secret_key_hint: Option<String>,
    pub default: bool,
    /// Default sender of messages and calls.
    pub from: Option<String>,
    pub auth: ProviderAuth,
    pub request: Option<ProviderRequest>,
    pub response: Option<ProviderResponse>,
    pub callback: Option<ProviderCallback>,
    pub inbound: Option<ProviderInbound>,
    /// Provider that takes the messages that this one can't send.
    pub fallback_provider_id: Option<String>,
    /// URL for the provider's status reports and inbound messages; null without `callback` and
    /// `inbound`. Without a `verification`, keep it secret: anyone who knows it can post to it.
    pub callback_url: Option<String>,
    /// `needs_secrets`: the provider was imported without its secrets and can't send.
    pub status: ProviderStatus,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Text in the templates that looks like a tag but is sent as it is. Only in responses to
    /// requests that create or update a provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warnings: Option<Vec<Warning>>,
}

/// Format of requests. Default: a JSON document of the message.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderRequest {
    #[schema(default = "POST")]
    pub method: Option<Method>,
    #[schema(default = "json")]
    pub format: Option<Format>,
    /// Extra headers. Values may contain tags. At most 20.
    pub headers: Option<BTreeMap<String, String>>,
    /// Template with tags such as `{message.to}`, `{message.text}`, `{provider.callback_url}` and
    /// `{secret.api_key}`.
    #[schema(max_length = 32768)]
    pub body: Option<String>,
    /// Limits of the provider's API, by message field: `from`, `subject`, `text`, `html`, `url`,
    /// `content` (text and HTML together) or `twiml`. Messages that exceed them are rejected with
    /// 422.
    pub limits: Option<BTreeMap<String, ProviderLimit>>,
}

/// Limit of a message field.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderLimit {
    /// Whether messages without the field are rejected.
    #[schema(default = false)]
    pub required: Option<bool>,
    /// Maximum length in UTF-16 code units.
    #[schema(minimum = 1, maximum = 131_072)]
    pub max_length: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderResponse {
    /// JSON pointer to the provider's message ID in its response.
    #[schema(example = "/sid")]
    pub id_pointer: Option<String>,
    // Earlier releases import no bundle that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_when: Option<Condition>,
}

#[derive(Debug, ToSchema)]
pub struct ProviderTest {
    /// The recipient.
    pub to: String,
    pub from: Option<String>,
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
    /// URL from which the provider fetches call instructions. Only for calls.
    pub url: Option<String>,
    /// Name or ID of the provider's template.
    #[schema(min_length = 1, max_length = 100)]
    pub template: Option<String>,
    /// Business fields for the provider's template, as in messages.
    #[schema(value_type = Option<BTreeMap<String, BusinessField>>)]
    pub fields: Option<Value>,
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
}

/// The settings of a provider that responses and bundles have in common.
#[derive(Debug, Serialize)]
pub(super) struct SharedSettings {
    name: String,
    provider_id: String,
    channel: Channel,
    send_url: String,
    from: Option<String>,
    request: Option<ProviderRequest>,
    response: Option<ProviderResponse>,
    // Earlier releases import no bundle that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    inbound: Option<ProviderInbound>,
}

impl From<&provider::Settings> for SharedSettings {
    fn from(settings: &provider::Settings) -> Self {
        let response = &settings.response;
        let is_set = *response != provider::ResponseSettings::default();
        Self {
            name: settings.name.clone(),
            provider_id: settings.provider_id.clone(),
            channel: settings.channel.into(),
            send_url: mask::url(settings.send_url.as_str()),
            from: settings.from.clone(),
            request: settings.request.as_ref().map(ProviderRequest::from),
            response: is_set.then(|| response.into()),
            inbound: settings.inbound.as_ref().map(ProviderInbound::from),
        }
    }
}

impl From<&provider::ResponseSettings> for ProviderResponse {
    fn from(response: &provider::ResponseSettings) -> Self {
        let provider::ResponseSettings {
            id_pointer,
            success_when,
        } = response;
        Self {
            id_pointer: id_pointer
                .as_ref()
                .map(|pointer| pointer.as_str().to_owned()),
            success_when: success_when.as_ref().map(|when| when.condition().into()),
        }
    }
}

impl Provider {
    /// The provider, with the URL for its status reports.
    pub fn new(provider: &provider::Provider, callback_url: Option<String>) -> Self {
        let settings = &provider.settings;
        let SharedSettings {
            name,
            provider_id,
            channel,
            send_url,
            from,
            request,
            response,
            inbound,
        } = settings.into();
        let key_hint = |key: &Option<SecretString>| hint(key.as_ref()?.expose_secret());
        Self {
            id: provider.id.to_string(),
            name,
            provider_id,
            channel,
            send_url,
            api_key_hint: key_hint(&settings.api_key),
            secret_key_hint: key_hint(&settings.secret_key),
            default: settings.default,
            from,
            auth: (&settings.auth).into(),
            request,
            response,
            callback: settings.callback.as_ref().map(ProviderCallback::from),
            inbound,
            fallback_provider_id: settings.fallback_provider_id.map(|id| id.to_string()),
            callback_url,
            status: settings.status().into(),
            created_at: show_millis(provider.created_at),
            updated_at: show_millis(provider.updated_at),
            warnings: None,
        }
    }

    /// Adds the warnings about its templates.
    #[must_use]
    pub fn with_warnings(self, settings: &provider::Settings) -> Self {
        Self {
            warnings: Some(warnings(settings.warnings())),
            ..self
        }
    }
}

impl From<&provider::RequestTemplate> for ProviderRequest {
    fn from(template: &provider::RequestTemplate) -> Self {
        let provider::RequestTemplate {
            method,
            format,
            headers: extra,
            body,
            limits,
        } = template;
        let limits = limits.iter().map(|(field, required, max_length)| {
            let limit = ProviderLimit {
                required: Some(required),
                max_length,
            };
            (field.to_owned(), limit)
        });
        Self {
            method: Some(method.into()),
            format: Some((*format).into()),
            headers: Some(headers(extra)),
            body: body.as_ref().map(BodyTemplate::as_str).map(str::to_owned),
            limits: Some(limits.collect()),
        }
    }
}
