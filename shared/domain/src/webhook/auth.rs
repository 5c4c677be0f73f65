//! Authentication of requests to a receiver.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderName, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    header,
    outgoing::{header_name, header_secret, username},
    validation::{FieldReader, Source, Validated, ValidationErrors, string},
};

/// Authentication of a webhook's requests.
#[derive(Debug, Clone)]
pub enum Auth {
    /// No authentication.
    None,
    /// Basic authentication (RFC 7617).
    Basic {
        /// User name, without a colon.
        username: String,
        /// Password; may be empty.
        password: SecretString,
    },
    /// Bearer token (RFC 6750).
    Bearer(SecretString),
    /// API key in a header.
    ApiKey {
        /// Header name.
        header: HeaderName,
        /// API key.
        value: SecretString,
    },
}

impl Auth {
    /// Parses `{"type": "none" | "basic" | "bearer" | "api_key", …}`.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value, source: Source) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let auth = match fields.required("type", string).as_deref() {
            Some("none") => Some(Self::None),
            Some("basic") => {
                let username = fields.required("username", username);
                let password = fields.required("password", source.secret(password));
                username
                    .zip(password)
                    .map(|(username, password)| Self::Basic { username, password })
            }
            Some("bearer") => fields
                .required("token", source.secret(bearer))
                .map(Self::Bearer),
            Some("api_key") => {
                let header = fields.required("header", header_name);
                let value = fields.required("value", source.secret(header_secret));
                header
                    .zip(value)
                    .map(|(header, value)| Self::ApiKey { header, value })
            }
            Some(_) => {
                return Err(
                    ValidationErrors::here("must be one of: none, basic, bearer, api_key")
                        .under("type"),
                );
            }
            None => None,
        };
        fields.finish(auth)
    }

    /// Returns the document that [`Auth::parse`] reads.
    pub fn to_value(&self) -> Value {
        match self {
            Self::None => json!({"type": "none"}),
            Self::Basic { username, password } => {
                json!({"type": "basic", "username": username, "password": password.expose_secret()})
            }
            Self::Bearer(token) => json!({"type": "bearer", "token": token.expose_secret()}),
            Self::ApiKey { header, value } => {
                json!({"type": "api_key", "header": header.as_str(), "value": value.expose_secret()})
            }
        }
    }

    /// Name of the header that authenticates a request.
    pub fn header_name(&self) -> Option<HeaderName> {
        match self {
            Self::None => None,
            Self::Basic { .. } | Self::Bearer(_) => Some(AUTHORIZATION),
            Self::ApiKey { header, .. } => Some(header.clone()),
        }
    }

    /// Header that authenticates a request.
    pub fn header(&self) -> Option<(HeaderName, SecretString)> {
        match self {
            Self::None => None,
            Self::Basic { username, password } => {
                let pair =
                    BASE64_STANDARD.encode(format!("{username}:{}", password.expose_secret()));
                Some((AUTHORIZATION, format!("Basic {pair}").into()))
            }
            Self::Bearer(token) => Some((
                AUTHORIZATION,
                format!("Bearer {}", token.expose_secret()).into(),
            )),
            Self::ApiKey { header, value } => Some((header.clone(), value.clone())),
        }
    }
}

/// Maximum length of a password, in characters.
const MAX_PASSWORD_LENGTH: usize = 1000;

/// A password is sent in base64, so any text without control characters is valid (RFC 7617),
/// including an empty one.
fn password(value: Value) -> Validated<SecretString> {
    let text = string(value)?;
    if text.chars().count() > MAX_PASSWORD_LENGTH {
        return Err(ValidationErrors::here(format!(
            "must have at most {MAX_PASSWORD_LENGTH} characters"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(ValidationErrors::here(
            "must not contain control characters",
        ));
    }
    Ok(text.into())
}

/// A token without spaces and without the scheme name (RFC 6750, section 2.1). It is sent as
/// `Bearer <token>`.
fn bearer(value: Value) -> Validated<SecretString> {
    let token = header_secret(value)?;
    if token.expose_secret().len() > header::VALUE_LIMIT - "Bearer ".len() {
        return Err(ValidationErrors::here(format!(
            "must have at most {} characters",
            header::VALUE_LIMIT - "Bearer ".len()
        )));
    }
    if token.expose_secret().contains([' ', '\t']) {
        return Err(ValidationErrors::here(
            "must not contain spaces. Enter the token without `Bearer`.",
        ));
    }
    Ok(token)
}
