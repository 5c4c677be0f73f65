//! JSON documents in items, encrypted or not. Errors name the document and never quote values.

use std::fmt::{self, Display};

use domain::{inbound::Key as InboundKey, validation::Validated};
use secrecy::ExposeSecret;
use serde::{Serialize, de::DeserializeOwned};

use super::TableError;
use crate::{
    document::{describe_json_error, describe_validation_errors},
    encryption::AadContext,
    keyring::KeyringCache,
};

/// A field of a resource that stores an encrypted JSON document.
pub(super) struct EncryptedField {
    resource: &'static str,
    id: String,
    name: &'static str,
}

impl EncryptedField {
    /// The field `name` of the resource with this ID.
    pub(super) fn new(resource: &'static str, id: impl Display, name: &'static str) -> Self {
        let id = id.to_string();
        Self { resource, id, name }
    }

    /// Encrypts a document for this field.
    pub(super) async fn seal_json(
        &self,
        document: &impl Serialize,
        keys: &KeyringCache,
    ) -> Result<String, TableError> {
        let json = serde_json::to_string(document)
            .map_err(|error| TableError::Document(error.to_string()))?;
        Ok(keys.get().await?.seal(self.aad(), &json))
    }

    /// Decrypts this field's document.
    pub(super) async fn open_json<T: DeserializeOwned>(
        &self,
        sealed: &str,
        keys: &KeyringCache,
    ) -> Result<T, TableError> {
        let json = keys.open(self.aad(), sealed).await?;
        parse_json(self, json.expose_secret())
    }

    fn aad(&self) -> AadContext<'_> {
        AadContext {
            resource: self.resource,
            id: &self.id,
            field: self.name,
        }
    }
}

impl Display for EncryptedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of {} {}", self.name, self.resource, self.id)
    }
}

/// Parses the text of a document.
pub(super) fn parse_json<T: DeserializeOwned>(
    document: impl Display,
    json: &str,
) -> Result<T, TableError> {
    serde_json::from_str(json).map_err(|error| unreadable(document, describe_json_error(&error)))
}

/// Unwraps what was restored from a document.
pub(super) fn restored<T>(document: impl Display, restored: Validated<T>) -> Result<T, TableError> {
    restored.map_err(|problems| unreadable(document, describe_validation_errors(&problems)))
}

/// The error for an unreadable document.
pub(super) fn unreadable(document: impl Display, reason: impl Display) -> TableError {
    TableError::Document(format!("{document}: {reason}"))
}

/// Parses the inbound key in a document.
pub(super) fn parse_inbound_key(
    document: impl Display,
    key: Option<String>,
) -> Result<Option<InboundKey>, TableError> {
    let parsed = key.map(|key| {
        InboundKey::parse(&key).ok_or_else(|| unreadable(document, "invalid inbound key"))
    });
    parsed.transpose()
}
