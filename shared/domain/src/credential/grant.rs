//! Permissions of a token, stored under its keyed hash. Contains everything that authenticating a
//! request needs.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::AllowedIps;
use crate::{
    id::{CredentialId, UserId},
    scope::Scopes,
};

/// Permissions and validity of a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// The token's credential.
    pub credential: CredentialId,
    /// Owner of the credential.
    pub user: UserId,
    /// Granted scopes.
    pub scopes: Scopes,
    /// Source addresses from which it may be used.
    #[serde(default, skip_serializing_if = "AllowedIps::is_empty")]
    pub allowed_ips: AllowedIps,
    /// When it expires. Rows name it `ends_at`, as `expires_at` is their TTL.
    #[serde(rename = "ends_at", default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, with a precision of [`USE_INTERVAL`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

/// Precision of the last use. Limits writes to one per interval.
pub const USE_INTERVAL: SignedDuration = SignedDuration::from_mins(15);

impl Grant {
    /// Whether it is valid at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether a use at `now` should be recorded.
    pub fn should_record_use(&self, now: Timestamp) -> bool {
        self.used_at
            .is_none_or(|used| now.duration_since(used) >= USE_INTERVAL)
    }

    /// Returns the grant expired at `now`. It is stored for a while, so that clients that still use
    /// it can be identified.
    #[must_use]
    pub fn ended(self, now: Timestamp) -> Self {
        Self {
            expires_at: Some(self.expires_at.map_or(now, |end| end.min(now))),
            ..self
        }
    }
}
