//! Accounts: how connected services authenticate their calls. One account may serve many services.
//!
//! [`Settings`] is what an admin writes. What comes out of it for a call is a header: a fixed one,
//! or `Authorization` with the token that the OAuth 2.0 [`token request`](OAuth2::token_request)
//! brings. No secret shows in what is read back, and [`Authorization::secrets`] lists what third
//! parties must not echo.

pub mod answer;
pub mod issued;
pub mod oauth2;

use http::{HeaderName, header::AUTHORIZATION};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

pub use self::oauth2::OAuth2;
use crate::{
    id::AccountId,
    invalid::{Checked, Fields, Problems, Source, name, string},
    mask,
    origin::{Origin, SecretOrigins},
    redact::Secrets,
    target::{self, Allow},
    webhook::{
        auth::{header_name, secret},
        settings::Reveal,
    },
};

/// An account as it is kept.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What an admin wrote about it.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts the changes.
    pub version: u64,
}

impl Account {
    /// A new account.
    pub const fn new(id: AccountId, settings: Settings, now: Timestamp) -> Self {
        Self {
            id,
            settings,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// Checks the change that `patch` made of `before`: a client's secrets belong to the token
    /// endpoint's origin. (Those of other kinds of authorization go to services, which have
    /// addresses of their own.)
    ///
    /// # Errors
    /// Names each stored secret that would reach another origin than its own.
    pub fn patched(self, before: &Self, patch: &Value) -> Checked<Self> {
        let (Authorization::OAuth2(old), Authorization::OAuth2(new)) =
            (&before.settings.authorization, &self.settings.authorization)
        else {
            return Ok(self);
        };
        let [from, to] = [old, new].map(|oauth2| Origin::of(&oauth2.token_url));
        SecretOrigins::default().patched(new.stored_secrets(), patch, &from, &to)?;
        Ok(self)
    }

    /// With other settings.
    #[must_use]
    pub fn changed(self, settings: Settings, now: Timestamp) -> Self {
        Self {
            settings,
            updated_at: now,
            version: self.version + 1,
            ..self
        }
    }
}

/// What an admin writes about an account.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// How calls authenticate.
    pub authorization: Authorization,
}

/// How the calls of a service authenticate.
#[derive(Debug, Clone)]
pub enum Authorization {
    /// Not at all.
    None,
    /// By a header with a fixed value.
    Header {
        /// Which header.
        name: HeaderName,
        /// Its value.
        value: SecretString,
    },
    /// By a bearer token that an authorization server issues (RFC 6749, RFC 6750).
    OAuth2(OAuth2),
}

impl Settings {
    /// Reads `{name, authorization}`. `allow` is the deployment's list of extra targets.
    pub fn parse(value: Value, allow: &Allow) -> Checked<Self> {
        Self::read(value, Source::Client, |url| {
            Ok(target::check_url(url, allow)?)
        })
    }

    /// Reads settings that were saved. Whether the token URL is allowed by now is for the sending
    /// to check.
    pub fn restore(value: Value) -> Checked<Self> {
        Self::read(value, Source::Table, |_| Ok(()))
    }

    fn read(value: Value, source: Source, check: impl Fn(&Url) -> Checked<()>) -> Checked<Self> {
        let mut fields = Fields::of(value)?;
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

    /// The document that [`Settings::parse`] reads, or with hints in place of secrets.
    pub fn to_map(&self, reveal: Reveal) -> Map<String, Value> {
        Map::from_iter([
            ("name".to_owned(), json!(self.name)),
            (
                "authorization".to_owned(),
                self.authorization.to_value(reveal),
            ),
        ])
    }

    /// The full document that the merge patch `patch` applies to: without what belongs to a kind of
    /// authorization or grant that the patch replaces.
    pub fn base(&self, patch: &Value) -> Value {
        let mut base = Value::Object(self.to_map(Reveal::Full));
        let replaced = |field: &str| {
            let wanted = &patch["authorization"][field];
            !wanted.is_null() && *wanted != base["authorization"][field]
        };
        if replaced("type") {
            base["authorization"] = Value::Null;
        } else if replaced("grant_type") {
            base["authorization"]["refresh_token"] = Value::Null;
        }
        base
    }
}

impl Authorization {
    fn read(value: Value, source: Source, check: impl Fn(&Url) -> Checked<()>) -> Checked<Self> {
        let mut fields = Fields::of(value)?;
        let authorization = match fields.required("type", string).as_deref() {
            Some("none") => Some(Self::None),
            Some("header") => {
                let name = fields.required("name", header_name);
                let value = fields.required("value", source.secret(secret));
                name.zip(value)
                    .map(|(name, value)| Self::Header { name, value })
            }
            Some("oauth2") => OAuth2::take(&mut fields, source, check).map(Self::OAuth2),
            Some(_) => {
                return Err(Problems::here("must be one of: none, header, oauth2").under("type"));
            }
            None => None,
        };
        fields.finish(authorization)
    }

    fn to_value(&self, reveal: Reveal) -> Value {
        match self {
            Self::None => json!({"type": "none"}),
            Self::Header { name, value } => {
                let mut map = Map::from_iter([
                    ("type".to_owned(), json!("header")),
                    ("name".to_owned(), json!(name.as_str())),
                ]);
                put_secret(&mut map, "value", value, reveal);
                map.into()
            }
            Self::OAuth2(oauth2) => oauth2.to_map(reveal).into(),
        }
    }

    /// The header that every call carries, where it is known beforehand.
    pub fn header(&self) -> Option<(&HeaderName, &SecretString)> {
        match self {
            Self::Header { name, value } => Some((name, value)),
            Self::None | Self::OAuth2(_) => None,
        }
    }

    /// The name of the header that authenticates: no caller may set another one beside it.
    pub fn header_name(&self) -> Option<HeaderName> {
        match self {
            Self::None => None,
            Self::Header { name, .. } => Some(name.clone()),
            Self::OAuth2(_) => Some(AUTHORIZATION),
        }
    }

    /// The secrets to mask in text that comes back from third parties, without tokens that were
    /// issued.
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

/// Puts the secret, or the hint of it, into a document.
pub(crate) fn put_secret(
    map: &mut Map<String, Value>,
    field: &str,
    secret: &SecretString,
    reveal: Reveal,
) {
    match reveal {
        Reveal::Full => map.insert(field.to_owned(), json!(secret.expose_secret())),
        Reveal::Hints => map.insert(
            format!("{field}_hint"),
            json!(mask::hint(secret.expose_secret())),
        ),
    };
}

#[cfg(test)]
mod tests;
