//! Idempotency keys of clients.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::validation::{Validated, ValidationErrors};
use http::HeaderMap;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Problem, auth::Principal};

/// An idempotency key: 1 to 255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Parses a key.
    pub fn parse(text: &str) -> Validated<Self> {
        let legal = (1..=255).contains(&text.len())
            && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if legal {
            Ok(Self(text.to_owned()))
        } else {
            Err(ValidationErrors::here(
                "must have 1 to 255 printable ASCII characters",
            ))
        }
    }

    /// The key together with the document that it came with.
    pub fn for_document(&self, document: &Value) -> DocumentKey {
        DocumentKey {
            key_hash: digest(&self.0),
            document_hash: digest(&document.to_string()),
        }
    }
}

/// The hashes of an idempotency key and of the document that it came with. A reused key must come
/// with an identical document.
#[derive(Debug)]
pub struct DocumentKey {
    /// The key's hash, as stored in the table.
    pub key_hash: String,
    /// The document's hash.
    pub document_hash: String,
}

/// Reads the `Idempotency-Key` header.
pub fn header_key(headers: &HeaderMap) -> Validated<Option<IdempotencyKey>> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .ok()
        .filter(|_| values.next().is_none())
        .unwrap_or_default();
    IdempotencyKey::parse(text)
        .map(Some)
        .map_err(|problems| problems.of_header("Idempotency-Key"))
}

/// The space of idempotency keys for a credential and route. It survives the rotation of the
/// credential's token.
pub(crate) fn key_space(caller: &Principal, route: &str) -> String {
    format!("{route}#{}", caller.credential)
}

/// The error for an idempotency key that was used with another body.
pub(crate) fn key_reused() -> Problem {
    ValidationErrors::here(
        "was used with another body within the last 24 hours. Use a new key for each request.",
    )
    .of_header("Idempotency-Key")
    .into()
}

/// Returns the SHA-256 of a text in base64url.
fn digest(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}
