//! OAuth 2.0 grants (RFC 6749): what a client requests its tokens with.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::{
    secrets::{put_secret, redact::Secrets},
    validation::{FieldReader, Source, Validated, ValidationErrors, one_of, secret, text},
};

/// How a client obtains a token.
#[derive(Debug, Clone)]
pub enum Grant {
    /// With its own ID and secret (section 4.4).
    ClientCredentials,
    /// With a refresh token from a user's consent (section 6).
    RefreshToken(SecretString),
    /// With a user's name and password at the authorization server (section 4.3).
    Password {
        /// User name, 1 to 1000 characters.
        username: String,
        /// Password.
        password: SecretString,
    },
}

/// The grant without its data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GrantType {
    ClientCredentials,
    RefreshToken,
    Password,
}

const GRANT_TYPES: [(&str, GrantType); 3] = [
    ("client_credentials", GrantType::ClientCredentials),
    ("refresh_token", GrantType::RefreshToken),
    ("password", GrantType::Password),
];

/// Fields of a single grant type.
const FIELDS: [(&str, GrantType); 3] = [
    ("refresh_token", GrantType::RefreshToken),
    ("username", GrantType::Password),
    ("password", GrantType::Password),
];

impl Grant {
    /// Reads `grant_type` and the fields of that type. Rejects the fields of other types.
    pub(super) fn take(fields: &mut FieldReader, source: Source) -> Option<Self> {
        let Some(grant_type) = fields.required("grant_type", one_of(&GRANT_TYPES)) else {
            let _ = fields.optional("refresh_token", source.secret(secret));
            let _ = fields.optional("username", text(1000));
            let _ = fields.optional("password", source.secret(secret));
            return None;
        };
        for (field, owner) in FIELDS.iter().filter(|(_, owner)| *owner != grant_type) {
            let _ = fields.optional(field, |_| -> Validated<()> {
                Err(ValidationErrors::here(format!(
                    "is only allowed with the `grant_type` `{}`",
                    owner.name()
                )))
            });
        }
        match grant_type {
            GrantType::ClientCredentials => Some(Self::ClientCredentials),
            GrantType::RefreshToken => fields
                .required("refresh_token", source.secret(secret))
                .map(Self::RefreshToken),
            GrantType::Password => {
                let username = fields.required("username", text(1000));
                let password = fields.required("password", source.secret(secret));
                username
                    .zip(password)
                    .map(|(username, password)| Self::Password { username, password })
            }
        }
    }

    /// Removes the fields of every grant from a document, so that another one can replace it.
    pub(super) fn clear(document: &mut Value) {
        for (field, _) in FIELDS {
            document[field] = Value::Null;
        }
    }

    pub(super) fn put(&self, map: &mut Map<String, Value>) {
        match self {
            Self::ClientCredentials => {}
            Self::RefreshToken(token) => put_secret(map, "refresh_token", token),
            Self::Password { username, password } => {
                map.insert("username".to_owned(), json!(username));
                put_secret(map, "password", password);
            }
        }
    }

    /// Adds the grant to a token request. `replaced` is the refresh token that the server issued as
    /// a replacement, if any.
    pub(super) fn append(
        &self,
        form: &mut form_urlencoded::Serializer<'_, String>,
        replaced: Option<&SecretString>,
    ) {
        form.append_pair("grant_type", self.name());
        match self {
            Self::ClientCredentials => {}
            Self::RefreshToken(token) => {
                form.append_pair("refresh_token", replaced.unwrap_or(token).expose_secret());
            }
            Self::Password { username, password } => {
                form.append_pair("username", username);
                form.append_pair("password", password.expose_secret());
            }
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// The field with the grant's secret, if it has one.
    pub(super) const fn secret_field(&self) -> Option<&'static str> {
        match self {
            Self::ClientCredentials => None,
            Self::RefreshToken(_) => Some("refresh_token"),
            Self::Password { .. } => Some("password"),
        }
    }

    /// Adds the grant's secret.
    pub(super) fn secrets(&self, found: &mut Secrets) {
        match self {
            Self::ClientCredentials => {}
            Self::RefreshToken(secret)
            | Self::Password {
                password: secret, ..
            } => found.add(secret.expose_secret()),
        }
    }

    const fn kind(&self) -> GrantType {
        match self {
            Self::ClientCredentials => GrantType::ClientCredentials,
            Self::RefreshToken(_) => GrantType::RefreshToken,
            Self::Password { .. } => GrantType::Password,
        }
    }
}

impl GrantType {
    const fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
            Self::Password => "password",
        }
    }
}
