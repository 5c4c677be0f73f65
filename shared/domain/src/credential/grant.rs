//! What a token stands for: all that one request needs to know, under the token's keyed hash.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::AllowedIps;
use crate::{
    id::{CredentialId, UserId},
    scope::Scopes,
};

/// What a token may do, and until when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// The credential it belongs to.
    pub credential: CredentialId,
    /// The user who holds that.
    pub user: UserId,
    /// What it may do.
    pub scopes: Scopes,
    /// Where it may be used from.
    #[serde(default, skip_serializing_if = "AllowedIps::is_empty")]
    pub allowed_ips: AllowedIps,
    /// When it ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// When it was last used, give or take [`USE_STEP`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

/// How precisely the last use is known: one write each so often, at most.
pub const USE_STEP: SignedDuration = SignedDuration::from_mins(15);

impl Grant {
    /// Whether it counts at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }

    /// Whether a use at `now` is worth a write.
    pub fn use_is_news(&self, now: Timestamp) -> bool {
        self.used_at
            .is_none_or(|used| now.duration_since(used) >= USE_STEP)
    }

    /// The same token, ended at `now`: it is kept for a while so that who still uses it can be
    /// named.
    #[must_use]
    pub fn ended(self, now: Timestamp) -> Self {
        Self {
            ends_at: Some(self.ends_at.map_or(now, |end| end.min(now))),
            ..self
        }
    }
}
