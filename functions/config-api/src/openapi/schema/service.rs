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
    /// Unique without regard to case.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    pub authorization: AuthorizationInput,
}

/// Any of an account's fields (RFC 7396): what is left out stays, secrets included.
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
    /// OAuth 2.0 (RFC 6749): `Authorization: Bearer` with a token of its own.
    OAuth2 {
        grant_type: GrantType,
        token_url: String,
        client_id: String,
        client_secret: String,
        /// Names separated by spaces.
        scope: Option<String>,
        audience: Option<String>,
        /// With the grant type `refresh_token`.
        refresh_token: Option<String>,
        /// Where the client's id and secret go; by default into the header.
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
    /// Unique without regard to case.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    #[schema(default = "custom_http")]
    pub r#type: Option<ServiceType>,
    /// The account whose authorization calls carry; this or `account`.
    pub account_id: Option<String>,
    /// A new account, created with the service; this or `account_id`.
    pub account: Option<AccountInput>,
    /// `https://…`, maybe with a path; no query.
    pub server_url: String,
    #[schema(minimum = 1, maximum = 25, default = 10)]
    pub timeout_seconds: Option<u32>,
    /// What callers are told when the service gives no answer in that time.
    #[schema(min_length = 1, max_length = 1000)]
    pub timeout_message: Option<String>,
    /// Who the service's own calls are made for. Without a user there is no inbound URL.
    pub user_id: Option<String>,
    /// How the service's own calls are checked.
    pub verification: Option<VerificationInput>,
}

/// Any of a service's fields (RFC 7396): what is left out stays, secrets included.
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
    /// Where the service calls; null without a user. Whoever knows it can call.
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
        /// `sha256` when left out.
        algorithm: Option<Algorithm>,
        /// `hex` when left out.
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
    /// Joined to the service's `server_url`, which it cannot leave; no query.
    pub path: Option<String>,
    /// Texts, numbers and booleans, or lists of them.
    pub query: Option<BTreeMap<String, Value>>,
    pub headers: Option<BTreeMap<String, String>>,
    #[schema(default = "json")]
    pub format: Option<Format>,
    /// `json`: any value; `form`: an object of texts, numbers and booleans, or lists of them;
    /// `xml`: a text.
    pub body: Option<Value>,
}

#[derive(Debug, ToSchema)]
pub struct Sent {
    pub status: u16,
    /// Without those that hold credentials or are about the connection. What looks like a
    /// credential in the others is masked.
    pub headers: BTreeMap<String, String>,
    /// Present, and true, where headers were left out because all of them have more than 64 KiB.
    #[schema(required = false)]
    pub headers_truncated: Option<bool>,
    /// JSON when it is JSON, else the text, else base64.
    pub body: Value,
    /// `base64` where the body is neither JSON nor text.
    #[schema(required = false)]
    pub body_encoding: Option<String>,
    pub elapsed_ms: u64,
}

/// How a third party can fail.
#[derive(Debug, IntoResponses)]
pub enum ThirdParty {
    /// The service's answer is too large or compressed, or its account gets no token
    #[response(status = 502, content_type = "application/problem+json")]
    BadGateway(Problem),
    /// No complete answer within the timeout, or the service cannot be reached; `reason` tells
    /// which
    #[response(status = 504, content_type = "application/problem+json")]
    GatewayTimeout(Problem),
}
