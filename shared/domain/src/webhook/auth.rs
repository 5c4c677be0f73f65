//! How a request authenticates itself to its receiver.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderName, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::settings::Reveal;
use crate::{
    header,
    invalid::{Checked, Fields, Problems, Source, string},
    mask,
};

/// The authentication of a webhook's requests.
#[derive(Debug, Clone)]
pub enum Auth {
    /// None.
    None,
    /// RFC 7617.
    Basic {
        /// The user's name, without a colon.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// RFC 6750.
    Bearer(SecretString),
    /// A key in a header.
    ApiKey {
        /// Which header.
        header: HeaderName,
        /// The key.
        value: SecretString,
    },
}

impl Auth {
    /// Reads `{"type": "none" | "basic" | "bearer" | "api_key", …}`.
    pub fn parse(value: Value, source: Source) -> Checked<Self> {
        let mut fields = Fields::of(value)?;
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
                let value = fields.required("value", source.secret(secret));
                header
                    .zip(value)
                    .map(|(header, value)| Self::ApiKey { header, value })
            }
            Some(_) => {
                return Err(
                    Problems::here("must be one of: none, basic, bearer, api_key").under("type"),
                );
            }
            None => None,
        };
        fields.finish(auth)
    }

    /// The document that [`Auth::parse`] reads, or with hints in place of secrets.
    pub fn to_value(&self, reveal: Reveal) -> Value {
        match (self, reveal) {
            (Self::None, _) => json!({"type": "none"}),
            (Self::Basic { username, password }, Reveal::Full) => {
                json!({"type": "basic", "username": username, "password": password.expose_secret()})
            }
            (Self::Basic { username, password }, Reveal::Hints) => {
                json!({"type": "basic", "username": username, "password_hint": mask::hint(password.expose_secret())})
            }
            (Self::Bearer(token), Reveal::Full) => {
                json!({"type": "bearer", "token": token.expose_secret()})
            }
            (Self::Bearer(token), Reveal::Hints) => {
                json!({"type": "bearer", "token_hint": mask::hint(token.expose_secret())})
            }
            (Self::ApiKey { header, value }, Reveal::Full) => {
                json!({"type": "api_key", "header": header.as_str(), "value": value.expose_secret()})
            }
            (Self::ApiKey { header, value }, Reveal::Hints) => {
                json!({"type": "api_key", "header": header.as_str(), "value_hint": mask::hint(value.expose_secret())})
            }
        }
    }

    /// The name of the header that authenticates a request.
    pub fn header_name(&self) -> Option<HeaderName> {
        match self {
            Self::None => None,
            Self::Basic { .. } | Self::Bearer(_) => Some(AUTHORIZATION),
            Self::ApiKey { header, .. } => Some(header.clone()),
        }
    }

    /// The header that authenticates a request.
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

/// Longest user name and password, in characters.
const LONGEST: usize = 1000;

pub(crate) fn username(value: Value) -> Checked<String> {
    let text = string(value)?;
    match text.chars().count() {
        0 => Err(Problems::here("must not be empty")),
        1..=LONGEST if text.contains(':') || text.chars().any(char::is_control) => Err(
            Problems::here("must hold no colon and no control characters"),
        ),
        1..=LONGEST => Ok(text),
        _ => Err(Problems::here(format!(
            "must have at most {LONGEST} characters"
        ))),
    }
}

/// A header's name that is the user's to set.
pub(crate) fn header_name(value: Value) -> Checked<HeaderName> {
    Ok(header::check_name(&string(value)?)?)
}

/// A password goes out in base64: any text will do (RFC 7617), an empty one too, but control
/// characters.
fn password(value: Value) -> Checked<SecretString> {
    let text = string(value)?;
    if text.chars().count() > LONGEST {
        return Err(Problems::here(format!(
            "must have at most {LONGEST} characters"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Problems::here("must hold no control characters"));
    }
    Ok(text.into())
}

/// A token without the scheme's name and without spaces (RFC 6750, section 2.1), so that it can
/// follow `Bearer `.
fn bearer(value: Value) -> Checked<SecretString> {
    let token = secret(value)?;
    if token.expose_secret().len() > header::VALUE_LIMIT - "Bearer ".len() {
        return Err(Problems::here(format!(
            "must have at most {} characters",
            header::VALUE_LIMIT - "Bearer ".len()
        )));
    }
    if token.expose_secret().contains([' ', '\t']) {
        return Err(Problems::here(
            "must hold no spaces: give the token without `Bearer`",
        ));
    }
    Ok(token)
}

/// A secret that goes into a header: not empty, printable ASCII, as long as any header's value may
/// be.
pub(crate) fn secret(value: Value) -> Checked<SecretString> {
    let text = string(value)?;
    if text.is_empty() {
        return Err(Problems::here("must not be empty"));
    }
    header::check_value(&text)?;
    if !text.is_ascii() {
        return Err(Problems::here(
            "must hold printable ASCII characters and tabs only",
        ));
    }
    Ok(text.into())
}
