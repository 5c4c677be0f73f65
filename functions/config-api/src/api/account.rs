//! Accounts of connected services.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use domain::{
    account::{
        self, Authorization,
        oauth2::{self, Grant, OAuth2},
    },
    secrets::mask::{self, hint},
    time::show_millis,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

#[derive(Debug, Serialize, ToSchema)]
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

#[derive(Debug, Serialize, ToSchema)]
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
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(required = false, value_type = Option<String>)]
        // Absent for other grants, null without a hint.
        refresh_token_hint: Option<Option<String>>,
        client_auth: ClientAuth,
    },
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    ClientCredentials,
    RefreshToken,
}

mirror! {
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    ClientAuth of oauth2::ClientAuth {
        Header,
        Body,
    }
}

impl From<&account::Account> for Account {
    fn from(account: &account::Account) -> Self {
        let account::Settings {
            name,
            authorization,
        } = &account.settings;
        Self {
            id: account.id.to_string(),
            name: name.clone(),
            authorization: authorization.into(),
            created_at: show_millis(account.created_at),
            updated_at: show_millis(account.updated_at),
        }
    }
}

impl From<&Authorization> for AuthorizationView {
    fn from(authorization: &Authorization) -> Self {
        match authorization {
            Authorization::None => Self::None,
            Authorization::Header { name, value } => Self::Header {
                name: name.to_string(),
                value_hint: hint(value.expose_secret()),
            },
            Authorization::OAuth2(oauth2) => oauth2.into(),
        }
    }
}

impl From<&OAuth2> for AuthorizationView {
    fn from(oauth2: &OAuth2) -> Self {
        let OAuth2 {
            grant,
            token_url,
            client_id,
            client_secret,
            scope,
            audience,
            client_auth,
        } = oauth2;
        let (grant_type, refresh_token_hint) = match grant {
            Grant::ClientCredentials => (GrantType::ClientCredentials, None),
            Grant::RefreshToken(token) => {
                (GrantType::RefreshToken, Some(hint(token.expose_secret())))
            }
        };
        Self::OAuth2 {
            grant_type,
            token_url: mask::url(token_url.as_str()),
            client_id: client_id.clone(),
            client_secret_hint: hint(client_secret.expose_secret()),
            scope: scope.clone(),
            audience: audience.clone(),
            refresh_token_hint,
            client_auth: (*client_auth).into(),
        }
    }
}
