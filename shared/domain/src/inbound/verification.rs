//! Verification settings of a service, parsed from JSON and written back without secrets.

use http::HeaderName;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use super::mac::{Algorithm, Encoding, Hmac};
use crate::{
    outgoing,
    secrets::put_secret,
    signature::{SigningSecret, check_issued},
    validation::{self, FieldReader, Source, Validated, ValidationErrors, one_of, string, text},
};

/// How a request proves that the third party sent it.
#[derive(Debug, Clone)]
pub enum Verification {
    /// No verification: the URL's key is the only protection.
    None,
    /// Standard Webhooks 1.0, symmetric.
    StandardWebhooks(SigningSecret),
    /// `X-Hub-Signature-256`.
    Github(SecretString),
    /// `Stripe-Signature`.
    Stripe(SecretString),
    /// `X-Slack-Signature`.
    Slack(SecretString),
    /// `X-Shopify-Hmac-SHA256`.
    Shopify(SecretString),
    /// `X-Twilio-Signature`.
    Twilio(SecretString),
    /// A signature over the body in a configured header.
    Hmac(Hmac),
    /// HTTP Basic authentication (RFC 7617).
    Basic {
        /// User name, without a colon.
        username: String,
        /// Password.
        password: SecretString,
    },
    /// A secret in a header.
    Header {
        /// Header name.
        name: HeaderName,
        /// Secret.
        value: SecretString,
    },
}

/// Whether the secret is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secret {
    /// Required.
    Required,
    /// It may be missing.
    Optional,
}

impl Secret {
    /// Reads the field of the secret; `missing` represents a secret that is allowed to be missing.
    fn take<T>(
        self,
        fields: &mut FieldReader,
        name: &str,
        missing: T,
        parse: impl FnOnce(Value) -> Validated<T>,
    ) -> Option<T> {
        match self {
            Self::Required => fields.required(name, parse),
            Self::Optional => fields.defaulted(name, missing, parse),
        }
    }
}

const ALGORITHMS: [(&str, Algorithm); 3] = [
    ("sha1", Algorithm::Sha1),
    ("sha256", Algorithm::Sha256),
    ("sha512", Algorithm::Sha512),
];
const ENCODINGS: [(&str, Encoding); 2] = [("hex", Encoding::Hex), ("base64", Encoding::Base64)];

impl Verification {
    /// Parses `{"type": "none" | "standard_webhooks" | …}`.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value) -> Validated<Self> {
        Self::read(value, Source::Client, Secret::Required)
    }

    /// Like [`Verification::parse`], but the secret may be missing. No request passes then.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse_without_secret(value: Value) -> Validated<Self> {
        Self::read(value, Source::Client, Secret::Optional)
    }

    /// Loads a stored value without checking the rules for secrets.
    ///
    /// # Errors
    /// Fails only if the stored document has another structure.
    pub fn restore(value: Value) -> Validated<Self> {
        Self::read(value, Source::Table, Secret::Optional)
    }

    fn read(value: Value, source: Source, policy: Secret) -> Validated<Self> {
        let none = || SecretString::from("");
        let secret = |value| {
            let secret = validation::secret(value)?;
            if source == Source::Client {
                check_issued(&secret)?;
            }
            Ok(secret)
        };
        // Secrets of known senders. White space at an end comes from copy and paste.
        let pasted = |value| trimmed(secret(value)?, source);
        let own = |fields: &mut FieldReader| policy.take(fields, "secret", none(), pasted);
        let standard = |value| match source {
            Source::Client => Ok(SigningSecret::parse(&string(value)?)?),
            Source::Table => Ok(SigningSecret::issued(&string(value)?.into())),
        };
        let mut fields = FieldReader::of(value)?;
        let kind = fields.required("type", string);
        let verification = match kind.as_deref() {
            Some("none") => Some(Self::None),
            Some("standard_webhooks") => {
                let missing = SigningSecret::issued(&none());
                policy
                    .take(&mut fields, "secret", missing, standard)
                    .map(Self::StandardWebhooks)
            }
            Some("github") => own(&mut fields).map(Self::Github),
            Some("stripe") => own(&mut fields).map(Self::Stripe),
            Some("slack") => own(&mut fields).map(Self::Slack),
            Some("shopify") => own(&mut fields).map(Self::Shopify),
            Some("twilio") => own(&mut fields).map(Self::Twilio),
            Some("hmac") => {
                let secret = policy.take(&mut fields, "secret", none(), secret);
                Hmac::take(&mut fields, secret).map(Self::Hmac)
            }
            Some("basic") => {
                let username = fields.required("username", outgoing::username);
                let parse = source.secret(validation::secret);
                let password = policy.take(&mut fields, "password", none(), parse);
                username
                    .zip(password)
                    .map(|(username, password)| Self::Basic { username, password })
            }
            Some("header") => {
                let name = fields.required("name", header_name);
                let value = policy.take(&mut fields, "value", none(), |value| {
                    trimmed(outgoing::header_secret(value)?, source)
                });
                name.zip(value)
                    .map(|(name, value)| Self::Header { name, value })
            }
            Some(_) => {
                let kinds = "none, standard_webhooks, github, stripe, slack, shopify, twilio, hmac, basic, header";
                return Err(
                    ValidationErrors::here(format!("must be one of: {kinds}")).under("type")
                );
            }
            None => None,
        };
        fields.finish(verification)
    }

    /// Returns the document that [`Verification::parse`] reads.
    pub fn to_value(&self) -> Value {
        let mut map = self.public();
        if let Some((field, secret)) = self.secret()
            && !secret.is_empty()
        {
            put_secret(&mut map, field, &secret.into());
        }
        map.into()
    }

    /// The document without the secret.
    pub fn public(&self) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("type".to_owned(), json!(self.name()));
        match self {
            Self::Hmac(hmac) => hmac.put(&mut map),
            Self::Basic { username, .. } => {
                map.insert("username".to_owned(), json!(username));
            }
            Self::Header { name, .. } => {
                map.insert("name".to_owned(), json!(name.as_str()));
            }
            _ => {}
        }
        map
    }

    /// The secret, which is empty if it is missing, and the name of its field. None for a type
    /// without a secret.
    pub fn secret(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::None => None,
            Self::StandardWebhooks(secret) => Some(("secret", secret.expose())),
            Self::Github(secret)
            | Self::Stripe(secret)
            | Self::Slack(secret)
            | Self::Shopify(secret)
            | Self::Twilio(secret)
            | Self::Hmac(Hmac { secret, .. }) => Some(("secret", secret.expose_secret())),
            Self::Basic { password, .. } => Some(("password", password.expose_secret())),
            Self::Header { value, .. } => Some(("value", value.expose_secret())),
        }
    }

    /// Whether it lacks its secret.
    pub fn lacks_secret(&self) -> bool {
        self.secret().is_some_and(|(_, secret)| secret.is_empty())
    }

    /// Scheme for the `WWW-Authenticate` header of a 401 (RFC 9110, section 11.6.1). The third
    /// parties' own schemes are not registered.
    pub const fn challenge_scheme(&self) -> &'static str {
        match self {
            Self::Basic { .. } => r#"Basic realm="inbound", charset="UTF-8""#,
            _ => "Signature",
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::StandardWebhooks(_) => "standard_webhooks",
            Self::Github(_) => "github",
            Self::Stripe(_) => "stripe",
            Self::Slack(_) => "slack",
            Self::Shopify(_) => "shopify",
            Self::Twilio(_) => "twilio",
            Self::Hmac(_) => "hmac",
            Self::Basic { .. } => "basic",
            Self::Header { .. } => "header",
        }
    }
}

impl Hmac {
    fn take(fields: &mut FieldReader, secret: Option<SecretString>) -> Option<Self> {
        let header = fields.required("header", header_name);
        let algorithm = fields.defaulted("algorithm", Algorithm::Sha256, one_of(&ALGORITHMS));
        let encoding = fields.defaulted("encoding", Encoding::Hex, one_of(&ENCODINGS));
        let prefix = fields.defaulted("prefix", String::new(), prefix);
        Some(Self {
            secret: secret?,
            header: header?,
            algorithm: algorithm?,
            encoding: encoding?,
            prefix: prefix?,
        })
    }

    fn put(&self, map: &mut Map<String, Value>) {
        let algorithm = ALGORITHMS
            .iter()
            .find(|(_, algorithm)| *algorithm == self.algorithm)
            .map(|(name, _)| name);
        let encoding = ENCODINGS
            .iter()
            .find(|(_, encoding)| *encoding == self.encoding)
            .map(|(name, _)| name);
        map.insert("header".to_owned(), json!(self.header.as_str()));
        map.insert("algorithm".to_owned(), json!(algorithm));
        map.insert("encoding".to_owned(), json!(encoding));
        map.insert("prefix".to_owned(), json!(self.prefix));
    }
}

/// Rejects a client's secret with white space at an end: HTTP strips it from header values, and no
/// sender signs with it.
fn trimmed(secret: SecretString, source: Source) -> Validated<SecretString> {
    let text = secret.expose_secret();
    if source == Source::Client && text.trim() != text {
        return Err(ValidationErrors::here(
            "must not start or end with white space",
        ));
    }
    Ok(secret)
}

/// Any header: third parties are free to choose.
fn header_name(value: Value) -> Validated<HeaderName> {
    HeaderName::from_bytes(string(value)?.as_bytes())
        .map_err(|_| ValidationErrors::here("must be a header name: letters, digits and hyphens"))
}

fn prefix(value: Value) -> Validated<String> {
    if value == "" {
        Ok(String::new())
    } else {
        text(100)(value)
    }
}
