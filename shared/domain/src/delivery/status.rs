//! Status of a delivery, and which deliveries a stopped webhook cancels.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Status of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No attempt has been made yet.
    Pending,
    /// An attempt succeeded.
    Succeeded,
    /// The last attempt failed or a manual retry was requested. The next attempt is scheduled.
    Retrying,
    /// The schedule ended without success.
    Failed,
    /// The request could not be built, or its target is not allowed.
    Blocked,
    /// The webhook was deleted or disabled before the delivery ended.
    Cancelled,
}

impl Status {
    /// Every status with its name.
    pub const ALL: [(&str, Self); 6] = [
        ("pending", Self::Pending),
        ("succeeded", Self::Succeeded),
        ("retrying", Self::Retrying),
        ("failed", Self::Failed),
        ("blocked", Self::Blocked),
        ("cancelled", Self::Cancelled),
    ];

    /// The status as it appears in the API.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, status)| *status == self)
            .map_or("", |(name, _)| name)
    }
}

/// Which queued deliveries of a webhook are cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelledUntil {
    /// None: the webhook was never disabled.
    Never,
    /// Those queued up to this time.
    Until(Timestamp),
    /// All: the webhook is deleted or disabled.
    Always,
}

impl CancelledUntil {
    /// Derived from the state of an existing webhook.
    pub fn of(enabled: bool, stopped_at: Option<Timestamp>) -> Self {
        match (enabled, stopped_at) {
            (false, _) => Self::Always,
            (true, Some(stopped_at)) => Self::Until(stopped_at),
            (true, None) => Self::Never,
        }
    }

    /// Whether a delivery queued at this time is cancelled.
    pub fn includes(self, queued_at: Timestamp) -> bool {
        match self {
            Self::Never => false,
            Self::Until(stopped_at) => queued_at <= stopped_at,
            Self::Always => true,
        }
    }
}
