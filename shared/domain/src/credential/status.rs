//! Status of a credential.

use serde::{Deserialize, Serialize};

/// Whether a credential's token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The token is valid.
    Active,
    /// Revoked by an admin.
    Revoked,
    /// Expired.
    Expired,
}

impl Status {
    /// Every status with its name.
    pub const ALL: [(&str, Self); 3] = [
        ("active", Self::Active),
        ("revoked", Self::Revoked),
        ("expired", Self::Expired),
    ];
}
