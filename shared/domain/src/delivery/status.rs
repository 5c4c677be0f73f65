//! Status of a delivery, and which deliveries a stopped webhook cancels.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::EventId;

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
    /// The webhook was deleted or disabled before the delivery ended, or another event ended its
    /// delay.
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

/// Why a delivery was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cancellation {
    /// Its webhook was deleted.
    Deleted,
    /// Its webhook was disabled.
    Disabled,
    /// This event ended its delay.
    Superseded(EventId),
}

impl fmt::Display for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleted => f.write_str("webhook deleted"),
            Self::Disabled => f.write_str("webhook disabled"),
            Self::Superseded(event) => write!(f, "superseded by {event}"),
        }
    }
}

/// Which queued deliveries of a webhook are cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelledUntil {
    /// None: the webhook was never disabled.
    Never,
    /// Those queued up to this time, at which the webhook was disabled.
    Until(Timestamp),
    /// All: the webhook is disabled.
    Disabled,
    /// All: the webhook is deleted.
    Deleted,
}

impl CancelledUntil {
    /// Derived from the state of an existing webhook.
    pub fn of(enabled: bool, stopped_at: Option<Timestamp>) -> Self {
        match (enabled, stopped_at) {
            (false, _) => Self::Disabled,
            (true, Some(stopped_at)) => Self::Until(stopped_at),
            (true, None) => Self::Never,
        }
    }

    /// Whether a delivery queued at this time is cancelled.
    pub fn includes(self, queued_at: Timestamp) -> bool {
        self.cancels(queued_at).is_some()
    }

    /// Why a delivery queued at this time is cancelled; `None` if it is not.
    pub fn cancels(self, queued_at: Timestamp) -> Option<Cancellation> {
        match self {
            Self::Deleted => Some(Cancellation::Deleted),
            Self::Disabled => Some(Cancellation::Disabled),
            Self::Until(stopped_at) if queued_at <= stopped_at => Some(Cancellation::Disabled),
            Self::Until(_) | Self::Never => None,
        }
    }
}
