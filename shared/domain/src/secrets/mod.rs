//! Secrets: what counts as one, how it is shown, and where it may be sent.

pub mod mask;
pub mod origin;
pub mod redact;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

/// Adds the secret to a document that is stored encrypted.
pub(crate) fn put_secret(map: &mut Map<String, Value>, field: &str, secret: &SecretString) {
    map.insert(field.to_owned(), json!(secret.expose_secret()));
}
