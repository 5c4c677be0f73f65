//! How requests to webhooks authenticate, and how they are signed.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use domain::{
    secrets::mask::hint,
    webhook::{self, auth::Auth},
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AuthInput {
    None,
    Basic {
        username: String,
        password: String,
    },
    /// `Authorization: Bearer <token>`.
    Bearer {
        token: String,
    },
    ApiKey {
        header: String,
        value: String,
    },
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AuthView {
    None,
    Basic {
        username: String,
        password_hint: Option<String>,
    },
    Bearer {
        token_hint: Option<String>,
    },
    ApiKey {
        header: String,
        value_hint: Option<String>,
    },
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Signing {
    /// Standard Webhooks 1.0 signature headers.
    Standard,
    /// The secret itself, in a header with this name.
    Header { name: String },
}

impl From<&Auth> for AuthView {
    fn from(auth: &Auth) -> Self {
        match auth {
            Auth::None => Self::None,
            Auth::Basic { username, password } => Self::Basic {
                username: username.clone(),
                password_hint: hint(password.expose_secret()),
            },
            Auth::Bearer(token) => Self::Bearer {
                token_hint: hint(token.expose_secret()),
            },
            Auth::ApiKey { header, value } => Self::ApiKey {
                header: header.to_string(),
                value_hint: hint(value.expose_secret()),
            },
        }
    }
}

impl From<&webhook::Signing> for Signing {
    fn from(signing: &webhook::Signing) -> Self {
        match signing {
            webhook::Signing::Standard => Self::Standard,
            webhook::Signing::Header(name) => Self::Header {
                name: name.to_string(),
            },
        }
    }
}
