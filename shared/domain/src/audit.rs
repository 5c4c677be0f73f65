//! The audit log: configuration changes and rejected tokens.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AuditId, CredentialId};

/// An audit log entry. It names fields, never their values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Entry ID.
    pub id: AuditId,
    /// Time of the change.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
    /// Who made the change.
    pub actor: Actor,
    /// Action, such as `webhook.updated`.
    pub action: String,
    /// ID of the resource, or its name if that is the ID.
    pub resource: String,
    /// Names of the changed fields.
    pub changes: Vec<String>,
}

/// Who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A client with this credential.
    Credential(CredentialId),
    /// Tieline itself.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(id) => id.fmt(f),
            Self::System => f.write_str("system"),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)? {
            text if text == "system" => Ok(Self::System),
            text => text
                .parse()
                .map(Self::Credential)
                .map_err(serde::de::Error::custom),
        }
    }
}

/// Names of the top-level fields in which two documents differ.
pub fn changes(before: &serde_json::Value, after: &serde_json::Value) -> Vec<String> {
    let names = |document: &serde_json::Value| -> Vec<String> {
        document
            .as_object()
            .into_iter()
            .flat_map(serde_json::Map::keys)
            .cloned()
            .collect()
    };
    let mut all = names(before);
    all.extend(names(after));
    all.sort();
    all.dedup();
    all.retain(|name| {
        before.get(name).unwrap_or(&serde_json::Value::Null)
            != after.get(name).unwrap_or(&serde_json::Value::Null)
    });
    all
}
