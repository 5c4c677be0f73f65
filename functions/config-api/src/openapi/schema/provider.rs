//! Providers of messages and calls.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

use std::collections::BTreeMap;

use domain::{
    message::{Channel, Status},
    provider,
    template::Format,
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Method;

#[derive(Debug, ToSchema)]
pub struct ProviderInput {
    /// Unique without regard to case, across all channels.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// How the provider calls itself, or the account with it; for the tag `{provider.provider_id}`
    /// too.
    #[schema(min_length = 1, max_length = 100)]
    pub provider_id: String,
    pub channel: Channel,
    /// `https://…`; tags may stand after the authority.
    pub send_url: String,
    /// Never shown again. Required where `auth` or a tag takes it: everywhere but with `auth` of
    /// type `none`.
    pub api_key: Option<String>,
    /// Never shown again. Required where `auth` or a tag takes it.
    pub secret_key: Option<String>,
    /// Whether messages that name no provider go through it: one of a channel's providers at the
    /// most.
    #[schema(default = false)]
    pub default: Option<bool>,
    /// The sender of messages and calls that name none.
    #[schema(max_length = 255)]
    pub from: Option<String>,
    pub auth: Option<ProviderAuth>,
    pub request: Option<ProviderRequest>,
    pub response: Option<ProviderResponse>,
    pub callback: Option<ProviderCallback>,
}

/// Any of a provider's fields (RFC 7396): null sets one back to its default, what is left out
/// stays, keys included.
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct ProviderPatch(pub ProviderInput);

#[derive(Debug, ToSchema)]
pub struct Provider {
    pub id: String,
    pub name: String,
    pub provider_id: String,
    pub channel: Channel,
    /// What looks like a token is masked.
    pub send_url: String,
    /// The key's last characters.
    pub api_key_hint: Option<String>,
    /// The key's last characters.
    pub secret_key_hint: Option<String>,
    pub default: bool,
    /// The sender of messages and calls that name none.
    pub from: Option<String>,
    pub auth: ProviderAuth,
    pub request: Option<ProviderRequest>,
    pub response: Option<ProviderResponse>,
    pub callback: Option<ProviderCallback>,
    /// Where the provider reports to; null without `callback`. Whoever knows it can report.
    pub callback_url: Option<String>,
    /// `needs_secrets`: it was imported, and lacks its keys.
    pub status: provider::Status,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// How calls authenticate; `signed` when left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ProviderAuth {
    /// `x-api-key`, and the headers of Standard Webhooks 1.0 made with the secret key.
    Signed,
    /// HTTP Basic: API key and secret key.
    Basic,
    /// The API key as a bearer token.
    Bearer,
    /// The API key in a header of this name.
    Header { name: String },
    /// No header: for APIs that take a key in the URL or the body, by the tag `{secret.api_key}`.
    None,
}

/// What a request looks like; a JSON document of the message when left out.
#[derive(Debug, ToSchema)]
pub struct ProviderRequest {
    #[schema(default = "POST")]
    pub method: Option<Method>,
    #[schema(default = "json")]
    pub format: Option<Format>,
    /// Extra headers; values may hold tags. At most 20.
    pub headers: Option<BTreeMap<String, String>>,
    /// A template with tags such as `{message.to}`, `{message.text}`, `{provider.callback_url}`,
    /// `{secret.api_key}`.
    #[schema(max_length = 32768)]
    pub body: Option<String>,
    /// What the provider's API demands of a message, by message field: `from`, `subject`, `text`,
    /// `html`, `url`, or `twiml`. A message that does not comply is refused with 422.
    pub limits: Option<BTreeMap<String, ProviderLimit>>,
}

/// The limit of one message field.
#[derive(Debug, ToSchema)]
pub struct ProviderLimit {
    /// Whether messages without the field are refused.
    #[schema(default = false)]
    pub required: Option<bool>,
    /// Maximum length in UTF-16 code units.
    #[schema(minimum = 1, maximum = 131_072)]
    pub max_length: Option<u64>,
}

#[derive(Debug, ToSchema)]
pub struct ProviderResponse {
    /// Where the provider's own id of the message stands in its answer: a JSON pointer.
    #[schema(example = "/sid")]
    pub id_pointer: Option<String>,
}

/// How the provider's reports are read: JSON, forms, or queries.
#[derive(Debug, ToSchema)]
pub struct ProviderCallback {
    /// Where the message's id stands: the provider's, or ours.
    #[schema(example = "/MessageSid")]
    pub id_pointer: String,
    #[schema(example = "/MessageStatus")]
    pub status_pointer: String,
    /// What the provider's statuses mean. Required but for calls.
    pub statuses: Option<BTreeMap<String, Status>>,
    /// Where the URL of a call's recording stands.
    pub recording_pointer: Option<String>,
}

#[derive(Debug, ToSchema)]
pub struct ProviderTest {
    /// The recipient.
    pub to: String,
    pub from: Option<String>,
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
    /// Of a call.
    pub url: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
}
