//! Authentication of requests to a provider: with its two keys, or by an account.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderName, header::AUTHORIZATION};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::{
    id::AccountId,
    outgoing::header_name,
    validation::{FieldReader, Validated, ValidationErrors, string},
};

/// Authentication of requests to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// The API key in `x-api-key`, and the Standard Webhooks 1.0 headers, signed with the secret
    /// key.
    Signed,
    /// Basic authentication (RFC 7617) with the API key as user name and the secret key as
    /// password.
    Basic,
    /// The API key as a bearer token (RFC 6750).
    Bearer,
    /// The API key in this header.
    Header(HeaderName),
    /// The authorization of this account, as for connected services.
    Account(AccountId),
    /// No header. The keys are only sent where tags refer to them.
    None,
}

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

impl Auth {
    /// Parses `{"type": "signed" | "basic" | "bearer" | "header" | "account" | "none", …}`.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let auth = match fields.required("type", string).as_deref() {
            Some("signed") => Some(Self::Signed),
            Some("basic") => Some(Self::Basic),
            Some("bearer") => Some(Self::Bearer),
            Some("header") => fields.required("name", header_name).map(Self::Header),
            Some("account") => fields
                .required("account_id", |value| Ok(string(value)?.parse()?))
                .map(Self::Account),
            Some("none") => Some(Self::None),
            Some(_) => {
                return Err(ValidationErrors::here(
                    "must be one of: signed, basic, bearer, header, account, none",
                )
                .under("type"));
            }
            None => None,
        };
        fields.finish(auth)
    }

    /// The document that [`Auth::parse`] reads.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Signed => json!({"type": "signed"}),
            Self::Basic => json!({"type": "basic"}),
            Self::Bearer => json!({"type": "bearer"}),
            Self::Header(name) => json!({"type": "header", "name": name.as_str()}),
            Self::Account(id) => json!({"type": "account", "account_id": id}),
            Self::None => json!({"type": "none"}),
        }
    }

    /// Whether it requires the API key.
    pub const fn needs_api_key(&self) -> bool {
        !matches!(self, Self::Account(_) | Self::None)
    }

    /// Whether it also requires the secret key.
    pub const fn needs_secret_key(&self) -> bool {
        matches!(self, Self::Signed | Self::Basic)
    }

    /// The account that authenticates requests.
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Account(id) => Some(*id),
            _ => None,
        }
    }

    /// Name of the header that contains the API key.
    pub fn header_name(&self) -> Option<HeaderName> {
        match self {
            Self::Signed => Some(API_KEY),
            Self::Basic | Self::Bearer => Some(AUTHORIZATION),
            Self::Header(name) => Some(name.clone()),
            Self::Account(_) | Self::None => None,
        }
    }

    /// Value of that header; `None` if a key is missing.
    pub(super) fn header_value(
        &self,
        api_key: Option<&SecretString>,
        secret_key: Option<&SecretString>,
    ) -> Option<SecretString> {
        let api_key = api_key?;
        let key = api_key.expose_secret();
        match self {
            Self::Signed | Self::Header(_) => Some(api_key.clone()),
            Self::Bearer => Some(format!("Bearer {key}").into()),
            Self::Basic => secret_key.map(|secret| {
                let pair = BASE64_STANDARD.encode(format!("{key}:{}", secret.expose_secret()));
                format!("Basic {pair}").into()
            }),
            Self::Account(_) | Self::None => None,
        }
    }
}
