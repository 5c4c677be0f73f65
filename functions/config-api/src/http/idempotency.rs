//! Idempotency keys of clients.

use domain::validation::{Validated, ValidationErrors};
use http::HeaderMap;

use crate::accept_event::digest;

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

    /// The key's hash, as stored in the table.
    pub(crate) fn hash(&self) -> String {
        digest(&self.0)
    }
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
