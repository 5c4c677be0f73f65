//! Authentication of requests to providers.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use domain::provider;
use serde::Serialize;
use utoipa::ToSchema;

/// How requests authenticate. Default: `signed`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ProviderAuth {
    /// The header `x-api-key`, and Standard Webhooks 1.0 signature headers made with the secret
    /// key.
    Signed,
    /// HTTP Basic authentication with API key and secret key.
    Basic,
    /// The API key as a bearer token.
    Bearer,
    /// The API key in a header with this name.
    Header { name: String },
    /// The authorization of an account, as for connected services.
    Account { account_id: String },
    /// No authentication header. For APIs that expect the key in the URL or body, use the tag
    /// `{secret.api_key}`.
    None,
}

impl From<&provider::Auth> for ProviderAuth {
    fn from(auth: &provider::Auth) -> Self {
        match auth {
            provider::Auth::Signed => Self::Signed,
            provider::Auth::Basic => Self::Basic,
            provider::Auth::Bearer => Self::Bearer,
            provider::Auth::Header(name) => Self::Header {
                name: name.to_string(),
            },
            provider::Auth::Account(id) => Self::Account {
                account_id: id.to_string(),
            },
            provider::Auth::None => Self::None,
        }
    }
}
