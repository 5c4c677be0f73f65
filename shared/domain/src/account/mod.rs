//! Accounts: how requests to connected services and providers authenticate. One account may be used
//! by many of them.
//!
//! [`Settings`] is what an admin writes. It results in a request header: a fixed one, or
//! `Authorization` with a token from the OAuth 2.0 [`token request`](OAuth2::token_request). Reads
//! never return secrets, and [`Authorization::secrets`] lists the ones to mask in text from third
//! parties.

mod grant;
pub mod oauth2;
pub mod oauth_tokens;
pub mod token_response;

use http::{HeaderName, header::AUTHORIZATION};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use self::grant::Grant;
pub use self::oauth2::OAuth2;
use crate::{
    egress_policy::{self, AllowList},
    id::AccountId,
    outgoing::{header_name, header_secret},
    resource::Resource,
    secrets::{
        origin::{Origin, SecretOrigins},
        put_secret,
        redact::Secrets,
    },
    validation::{FieldReader, Source, Validated, ValidationErrors, name, string},
};

/// A stored account.
pub type Account = Resource<AccountId, Settings>;

impl Account {
    /// Validates the change that `patch` made to `before`. A client's secrets belong to the origin
    /// of the token endpoint. (Other kinds of authorization are sent to services, which have URLs
    /// of their own.)
    ///
    /// # Errors
    /// Names each stored secret that would be sent to an origin it was not given for.
    pub fn patched(self, before: &Self, patch: &Value) -> Validated<Self> {
        let (Authorization::OAuth2(old), Authorization::OAuth2(new)) =
            (&before.settings.authorization, &self.settings.authorization)
        else {
            return Ok(self);
        };
        let [from, to] = [old, new].map(|oauth2| Origin::of(&oauth2.token_url));
        SecretOrigins::default().patched(new.stored_secrets(), patch, &from, &to)?;
        Ok(self)
    }
}

/// Settings of an account.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name, unique regardless of case.
    pub name: String,
    /// How requests authenticate.
    pub authorization: Authorization,
}

/// Authorization of requests to a service.
#[derive(Debug, Clone)]
pub enum Authorization {
    /// No authorization.
    None,
    /// A header with a fixed value.
    Header {
        /// Header name.
        name: HeaderName,
        /// Header value.
        value: SecretString,
    },
    /// A bearer token from an authorization server (RFC 6749, RFC 6750).
    OAuth2(OAuth2),
}

impl Settings {
    /// Parses `{name, authorization}`. `allow` lists the extra targets that this deployment allows.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value, allow: &AllowList) -> Validated<Self> {
        Self::read(value, Source::Client, |url| {
            Ok(egress_policy::check_url(url, allow)?)
        })
    }

    /// Loads stored settings. Sending checks whether the token URL is still allowed.
    ///
    /// # Errors
    /// Fails only if the stored document has another structure.
    pub fn restore(value: Value) -> Validated<Self> {
        Self::read(value, Source::Table, |_| Ok(()))
    }

    fn read(
        value: Value,
        source: Source,
        check: impl Fn(&Url) -> Validated<()>,
    ) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let name = fields.required("name", name);
        let authorization = fields.required("authorization", |value| {
            Authorization::read(value, source, check)
        });
        let parsed = name.zip(authorization).map(|(name, authorization)| Self {
            name,
            authorization,
        });
        fields.finish(parsed)
    }

    /// Returns the document that [`Settings::parse`] reads.
    pub fn to_map(&self) -> Map<String, Value> {
        Map::from_iter([
            ("name".to_owned(), json!(self.name)),
            ("authorization".to_owned(), self.authorization.to_value()),
        ])
    }

    /// Returns the full document to which the merge patch `patch` applies, without the fields of a
    /// kind of authorization or grant that the patch replaces.
    pub fn base(&self, patch: &Value) -> Value {
        let mut base = Value::Object(self.to_map());
        let replaced = |field: &str| {
            let wanted = &patch["authorization"][field];
            !wanted.is_null() && *wanted != base["authorization"][field]
        };
        if replaced("type") {
            base["authorization"] = Value::Null;
        } else if replaced("grant_type") {
            Grant::clear(&mut base["authorization"]);
        }
        base
    }
}

impl Authorization {
    fn read(
        value: Value,
        source: Source,
        check: impl Fn(&Url) -> Validated<()>,
    ) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let authorization = match fields.required("type", string).as_deref() {
            Some("none") => Some(Self::None),
            Some("header") => {
                let name = fields.required("name", header_name);
                let value = fields.required("value", source.secret(header_secret));
                name.zip(value)
                    .map(|(name, value)| Self::Header { name, value })
            }
            Some("oauth2") => OAuth2::take(&mut fields, source, check).map(Self::OAuth2),
            Some(_) => {
                return Err(
                    ValidationErrors::here("must be one of: none, header, oauth2").under("type"),
                );
            }
            None => None,
        };
        fields.finish(authorization)
    }

    fn to_value(&self) -> Value {
        match self {
            Self::None => json!({"type": "none"}),
            Self::Header { name, value } => {
                let mut map = Map::from_iter([
                    ("type".to_owned(), json!("header")),
                    ("name".to_owned(), json!(name.as_str())),
                ]);
                put_secret(&mut map, "value", value);
                map.into()
            }
            Self::OAuth2(oauth2) => oauth2.to_map().into(),
        }
    }

    /// The header of every request, if it is fixed.
    pub fn header(&self) -> Option<(&HeaderName, &SecretString)> {
        match self {
            Self::Header { name, value } => Some((name, value)),
            Self::None | Self::OAuth2(_) => None,
        }
    }

    /// Name of the authenticating header, which callers must not set.
    pub fn header_name(&self) -> Option<HeaderName> {
        match self {
            Self::None => None,
            Self::Header { name, .. } => Some(name.clone()),
            Self::OAuth2(_) => Some(AUTHORIZATION),
        }
    }

    /// Secrets to mask in text from third parties, except issued tokens.
    pub fn secrets(&self) -> Secrets {
        let mut found = Secrets::default();
        match self {
            Self::None => {}
            Self::Header { value, .. } => {
                found.add_header(value.expose_secret());
                found.add_header_parts(value.expose_secret());
            }
            Self::OAuth2(oauth2) => oauth2.secrets(&mut found),
        }
        found
    }
}

#[cfg(test)]
mod tests;
