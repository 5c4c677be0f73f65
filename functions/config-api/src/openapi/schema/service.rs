//! Accounts and connected services.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

use std::collections::BTreeMap;

use domain::template::Format;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoResponses, ToSchema};

use super::Method;
use crate::http::Problem;

#[derive(Debug, ToSchema)]
pub struct AccountInput {
    /// Unique, case-insensitive.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    pub authorization: AuthorizationInput,
}

/// Fields of an account to change (RFC 7396). Omitted fields, including secrets, are unchanged.
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
pub struct AccountPatch(pub AccountInput);

#[derive(Debug, ToSchema)]
pub struct Account {
    pub id: String,
    pub name: String,
    pub authorization: AuthorizationView,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum AuthorizationInput {
    None,
    /// A header with a fixed value.
    Header {
        name: String,
        value: String,
    },
    /// OAuth 2.0 (RFC 6749). Tieline gets a token and sends it as `Authorization: Bearer`.
    OAuth2 {
        grant_type: GrantType,
        token_url: String,
        client_id: String,
        client_secret: String,
        /// Scopes, separated by spaces.
        scope: Option<String>,
        audience: Option<String>,
        /// Refresh token. Only with the grant type `refresh_token`.
        refresh_token: Option<String>,
        /// Where the client's ID and secret go. Default: `header`.
        client_auth: Option<ClientAuth>,
    },
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum AuthorizationView {
    None,
    Header {
        name: String,
        value_hint: Option<String>,
    },
    OAuth2 {
        grant_type: GrantType,
        token_url: String,
        client_id: String,
        client_secret_hint: Option<String>,
        scope: Option<String>,
        audience: Option<String>,
        #[schema(required = false)]
        refresh_token_hint: Option<String>,
        client_auth: ClientAuth,
    },
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    ClientCredentials,
    RefreshToken,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    Header,
    Body,
}

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

#[derive(Debug, ToSchema)]
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

#[derive(Debug, ToSchema)]
pub enum ServiceType {
    #[schema(rename = "custom_http")]
    CustomHttp,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum VerificationInput {
    None,
    StandardWebhooks {
        secret: String,
    },
    Github {
        secret: String,
    },
    Stripe {
        secret: String,
    },
    Slack {
        secret: String,
    },
    Shopify {
        secret: String,
    },
    Twilio {
        secret: String,
    },
    Hmac {
        secret: String,
        header: String,
        /// Hash function. Default: `sha256`.
        algorithm: Option<Algorithm>,
        /// Encoding of the signature. Default: `hex`.
        encoding: Option<Encoding>,
        prefix: Option<String>,
    },
    Basic {
        username: String,
        password: String,
    },
    Header {
        name: String,
        value: String,
    },
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum VerificationView {
    None,
    StandardWebhooks {
        secret_hint: Option<String>,
    },
    Github {
        secret_hint: Option<String>,
    },
    Stripe {
        secret_hint: Option<String>,
    },
    Slack {
        secret_hint: Option<String>,
    },
    Shopify {
        secret_hint: Option<String>,
    },
    Twilio {
        secret_hint: Option<String>,
    },
    Hmac {
        secret_hint: Option<String>,
        header: String,
        algorithm: Algorithm,
        encoding: Encoding,
        prefix: String,
    },
    Basic {
        username: String,
        password_hint: Option<String>,
    },
    Header {
        name: String,
        value_hint: Option<String>,
    },
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    Hex,
    Base64,
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

#[derive(Debug, ToSchema)]
pub struct Sent {
    pub status: u16,
    /// Response headers, except credentials and connection headers. Values that look like
    /// credentials are masked.
    pub headers: BTreeMap<String, String>,
    /// True if headers were omitted because they exceed 64 KiB in total; otherwise absent.
    #[schema(required = false)]
    pub headers_truncated: Option<bool>,
    /// The body: a JSON value if it is JSON, else a string, or base64 if it is not text.
    pub body: Value,
    /// `base64` if the body is neither JSON nor text; otherwise absent.
    #[schema(required = false)]
    pub body_encoding: Option<String>,
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
