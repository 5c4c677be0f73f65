//! Attempts to deliver: outcome, record, and the queue messages that request them.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver responded with a success status.
    Delivered {
        /// HTTP status.
        code: u16,
    },
    /// Can be retried.
    Failed(Failure),
    /// Can't be retried: the request can't be built, or its target is not allowed.
    Blocked {
        /// Explanation for the webhook's owner, without internal addresses.
        reason: String,
    },
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The receiver responded with a status that is no success.
    Status {
        /// HTTP status.
        code: u16,
        /// Delay requested with `Retry-After`, for 429 and 503 only.
        retry_after: Option<Duration>,
    },
    /// The receiver responded with a success status, but the response body was incomplete.
    Incomplete {
        /// HTTP status.
        code: u16,
        /// Why the body was incomplete.
        cause: Box<Self>,
    },
    /// No response within the webhook's timeout.
    Timeout,
    /// The connection failed or broke.
    Unreachable(String),
    /// The account of the connected service got no access token.
    Unauthorized(String),
}

impl Failure {
    /// Delay requested by the receiver.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status {
                code: 429 | 503,
                retry_after,
            } => *retry_after,
            _ => None,
        }
    }

    /// Whether the receiver was too slow to start or to finish its response.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout => true,
            Self::Incomplete { cause, .. } => cause.is_timeout(),
            _ => false,
        }
    }

    /// The failure in words.
    fn text(&self) -> String {
        match self {
            Self::Status { code, .. } => format!("the receiver responded with {code}"),
            Self::Incomplete { code, cause } if cause.is_timeout() => {
                format!(
                    "the receiver responded with {code}, but the response was not complete within the timeout"
                )
            }
            Self::Incomplete { code, .. } => {
                format!("the receiver responded with {code}, but the response was cut off")
            }
            Self::Timeout => "no response within the timeout".to_owned(),
            Self::Unreachable(why) => format!("unreachable: {why}"),
            Self::Unauthorized(why) => why.clone(),
        }
    }
}

impl Outcome {
    /// HTTP status of the response.
    pub fn status_code(&self) -> Option<u16> {
        match self {
            Self::Delivered { code }
            | Self::Failed(Failure::Status { code, .. } | Failure::Incomplete { code, .. }) => {
                Some(*code)
            }
            _ => None,
        }
    }

    /// Error text for the webhook's owner; `None` on success.
    pub fn error(&self) -> Option<String> {
        match self {
            Self::Delivered { .. } => None,
            Self::Failed(failure) => Some(failure.text()),
            Self::Blocked { reason } => Some(format!("blocked: {reason}")),
        }
    }
}

/// Record of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When the attempt started.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
    /// Duration in milliseconds.
    pub duration_ms: u64,
    /// HTTP status of the response, if there was one.
    pub status_code: Option<u16>,
    /// Error text; `None` on success.
    pub error: Option<String>,
    /// The request, without secrets.
    pub request: Requested,
    /// Response body, at most 16 KiB; `None` without a response.
    pub response_body: Option<String>,
    /// Tags that had no value in this event.
    #[serde(default)]
    pub missing_tags: Vec<String>,
}

/// Maximum size of the response of a small attempt, in bytes.
const SMALL: usize = 512;

impl Attempt {
    /// Whether the record is small enough for the delivery's row.
    pub fn is_small(&self) -> bool {
        self.response_body
            .as_ref()
            .is_none_or(|body| body.len() <= SMALL)
    }
}

/// Recorded request of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requested {
    /// HTTP method.
    pub method: String,
    /// URL, with values that look like tokens masked.
    pub url: String,
}

/// Attempt number and random token of a queue message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptToken {
    /// Counts from 1 over the lifetime of the delivery.
    pub number: u32,
    /// Distinguishes this message from any other with the same number.
    pub token: String,
}

/// The next queue message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextAttempt {
    /// Its number and token.
    #[serde(flatten)]
    pub attempt_token: AttemptToken,
    /// When its attempt is due.
    pub due_at: Timestamp,
}

/// What to do with an arriving message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Make the attempt.
    Attempt,
    /// The attempt is recorded, but its follow-up may not have happened. Repeat the follow-up.
    FollowUp,
    /// Drop the message: the row waits for another one, or for none.
    Stale,
}
