//! Secrets: what counts as one, how it is shown, and where it may be sent.

pub mod mask;
pub mod origin;
pub mod redact;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

/// How a document shows secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reveal {
    /// In full: for encrypted storage and as the base of a merge patch.
    Full,
    /// As hints and masks: for API responses.
    Hints,
}

/// Adds the secret, or its hint, to a document.
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
