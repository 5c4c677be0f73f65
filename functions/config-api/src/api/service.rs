//! Connected services, and requests to them.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use std::collections::BTreeMap;

use domain::{secrets::mask, service, time::show_millis};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoResponses, ToSchema};

use super::{AccountInput, Format, Method, Problem, VerificationInput, VerificationView};

#[derive(Debug, ToSchema)]
pub struct ServiceInput {
    /// Unique, case-insensitive.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    #[schema(default = "custom_http")]
    pub r#type: Option<ServiceType>,
    /// The account that authenticates requests. Mutually exclusive with `account`.
    pub account_id: Option<String>,
    /// A new account to create with the service. Mutually exclusive with `account_id`.
    pub account: Option<AccountInput>,
    /// `https://…`, optionally with a path. No query.
    pub server_url: String,
    #[schema(minimum = 1, maximum = 25, default = 10)]
    pub timeout_seconds: Option<u32>,
    /// The error's `detail` if the service does not respond within the timeout.
    #[schema(min_length = 1, max_length = 1000)]
    pub timeout_message: Option<String>,
    /// The user for whom the service sends webhooks. Required for an inbound URL.
    pub user_id: Option<String>,
    /// How requests of the service to its inbound URL are verified.
    pub verification: Option<VerificationInput>,
}

/// Fields of a service to change (RFC 7396). Omitted fields, including secrets, are unchanged.
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct ServicePatch(pub ServiceInput);

#[derive(Debug, Serialize, ToSchema)]
pub struct Service {
    pub id: String,
    pub name: String,
    pub r#type: ServiceType,
    pub account_id: String,
    pub server_url: String,
    pub timeout_seconds: u32,
    pub timeout_message: String,
    pub user_id: Option<String>,
    /// Inbound URL for the service's webhooks; null without a user. Without `verification`, anyone
    /// who knows it can post to it.
    pub webhook_url: Option<String>,
    pub verification: VerificationView,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

mirror! {
    ServiceType of service::Kind {
        #[serde(rename = "custom_http")]
        CustomHttp,
    }
}

impl Service {
    /// The service, with its inbound URL.
    pub fn new(service: &service::Service, webhook_url: Option<String>) -> Self {
        let service::Settings {
            name,
            kind,
            account_id,
            server_url,
            timeout_seconds,
            timeout_message,
            user_id,
            verification,
        } = &service.settings;
        Self {
            id: service.id.to_string(),
            name: name.clone(),
            r#type: (*kind).into(),
            account_id: account_id.to_string(),
            server_url: mask::url(server_url.as_str()),
            timeout_seconds: *timeout_seconds,
            timeout_message: timeout_message.clone(),
            user_id: user_id.map(|user| user.to_string()),
            webhook_url,
            verification: verification.into(),
            created_at: show_millis(service.created_at),
            updated_at: show_millis(service.updated_at),
        }
    }
}

#[derive(Debug, ToSchema)]
pub struct SendInput {
    #[schema(default = "POST")]
    pub method: Option<Method>,
    /// Appended to the service's `server_url`; `..` can't leave it. No query.
    pub path: Option<String>,
    /// Strings, numbers and booleans, or lists of them.
    pub query: Option<BTreeMap<String, Value>>,
    pub headers: Option<BTreeMap<String, String>>,
    #[schema(default = "json")]
    pub format: Option<Format>,
    /// `json`: any value. `form`: an object of strings, numbers and booleans, or lists of them.
    /// `xml`: a string.
    pub body: Option<Value>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Sent {
    pub status: u16,
    /// Response headers, except cookies, authentication challenges and connection headers. Values of
    /// credentials, or that look like one, are masked.
    pub headers: BTreeMap<String, String>,
    /// True if headers were omitted because they exceed 64 KiB in total; otherwise absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub headers_truncated: bool,
    /// The body: a JSON value if it is JSON, else a string, or base64 if it is not text.
    pub body: Value,
    /// `base64` if the body is neither JSON nor text; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub body_encoding: Option<&'static str>,
    pub elapsed_ms: u64,
}

/// Errors of third parties.
#[derive(Debug, IntoResponses)]
pub enum ThirdParty {
    /// The service's response is too large or compressed, or its account could not get a token.
    #[response(status = 502, content_type = "application/problem+json")]
    BadGateway(Problem),
    /// No complete response within the timeout, or the service is unreachable. `reason` says why.
    #[response(status = 504, content_type = "application/problem+json")]
    GatewayTimeout(Problem),
}
