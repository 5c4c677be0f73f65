//! Accounts of connected services and providers.

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

use super::Reason;

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
        /// User name at the authorization server. Only with the grant type `password`.
        username: Option<String>,
        /// The user's password. Only with the grant type `password`. Write-only.
        password: Option<String>,
        /// Where the client's ID and secret go. Default: `header`.
        client_auth: Option<ClientAuth>,
        /// The field of the token endpoint's response that is sent as the bearer token. Default:
        /// `access_token`.
        token_type: Option<TokenType>,
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
        /// User name at the authorization server. Only with the grant type `password`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        username: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(required = false, value_type = Option<String>)]
        // Absent for other grants, null without a hint.
        password_hint: Option<Option<String>>,
        client_auth: ClientAuth,
        /// The field of the token endpoint's response that is sent as the bearer token.
        token_type: TokenType,
    },
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    ClientCredentials,
    RefreshToken,
    Password,
}

mirror! {
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    ClientAuth of oauth2::ClientAuth {
        Header,
        Body,
    }
}

mirror! {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    TokenType of oauth2::TokenType {
        AccessToken,
        IdToken,
    }
}

#[derive(Debug, ToSchema)]
pub struct AccountTestInput {
    /// A service of the account to send a `GET` to. Required if the authorization is `header`.
    pub service_id: Option<String>,
    /// Appended to the service's `server_url`; `..` can't leave it. Only with `service_id`.
    pub path: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AccountTested {
    /// Whether the account got a token, if it needs one, and the service, if there is one, responded
    /// with a status below 400.
    pub ok: bool,
    /// Status of the token endpoint's response; null if there is none.
    pub status_code: Option<u16>,
    /// Why there is no token: the token endpoint's own `error` and `error_description`, else what
    /// went wrong. Null if there is one, or if the account needs none.
    pub error: Option<String>,
    /// The token endpoint's own `token_type`; null if it names none.
    pub token_type: Option<String>,
    /// The token's lifetime in seconds, as the token endpoint states it; null if it does not.
    pub expires_in: Option<u32>,
    /// Duration of the token request in milliseconds; 0 if there is none.
    pub elapsed_ms: u64,
    /// The request to the service. Absent if no service was given, or if there is no token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub service: Option<ServiceTested>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceTested {
    /// Status of the service's response; null if there is none.
    pub status: Option<u16>,
    pub elapsed_ms: u64,
    /// Why there is no response; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<Reason>,
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
            token_type,
        } = oauth2;
        let (grant_type, refresh_token, user) = match grant {
            Grant::ClientCredentials => (GrantType::ClientCredentials, None, None),
            Grant::RefreshToken(token) => (GrantType::RefreshToken, Some(token), None),
            Grant::Password { username, password } => {
                (GrantType::Password, None, Some((username, password)))
            }
        };
        Self::OAuth2 {
            grant_type,
            token_url: mask::url(token_url.as_str()),
            client_id: client_id.clone(),
            client_secret_hint: hint(client_secret.expose_secret()),
            scope: scope.clone(),
            audience: audience.clone(),
            refresh_token_hint: refresh_token.map(|token| hint(token.expose_secret())),
            username: user.map(|(username, _)| username.clone()),
            password_hint: user.map(|(_, password)| hint(password.expose_secret())),
            client_auth: (*client_auth).into(),
            token_type: (*token_type).into(),
        }
    }
}
