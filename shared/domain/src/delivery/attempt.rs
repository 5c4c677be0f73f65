//! One attempt of a delivery: how it ended, and what is kept of it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered with a status that counts as success.
    Delivered {
        /// The status.
        code: u16,
    },
    /// It can be tried again.
    Failed(Failure),
    /// It can't: the request does not come about, or its target is refused.
    Blocked {
        /// Why, without internal addresses.
        reason: String,
    },
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The receiver answered with another status.
    Status {
        /// The status.
        code: u16,
        /// What it asked for with `Retry-After`, where that counts (429 and 503).
        retry_after: Option<Duration>,
    },
    /// The receiver answered with a status that counts as success, and the rest of the answer did
    /// not arrive.
    Incomplete {
        /// The status.
        code: u16,
        /// Why not.
        cause: Box<Self>,
    },
    /// No answer within the webhook's timeout.
    Timeout,
    /// No connection, or one that broke.
    Unreachable(String),
    /// The account of its connected service got no access token.
    Unauthorized(String),
}

impl Failure {
    /// How long the receiver asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status {
                code: 429 | 503,
                retry_after,
            } => *retry_after,
            _ => None,
        }
    }

    /// Whether the receiver was too slow, with its answer or with the end of it.
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
            Self::Status { code, .. } => format!("the receiver answered {code}"),
            Self::Incomplete { code, cause } if cause.is_timeout() => {
                format!(
                    "the receiver answered {code}, but its answer was not complete within the timeout"
                )
            }
            Self::Incomplete { code, .. } => {
                format!("the receiver answered {code}, but its answer broke off")
            }
            Self::Timeout => "no answer within the timeout".to_owned(),
            Self::Unreachable(why) => format!("unreachable: {why}"),
            Self::Unauthorized(why) => why.clone(),
        }
    }
}

impl Outcome {
    /// The status that the receiver answered with.
    pub fn status_code(&self) -> Option<u16> {
        match self {
            Self::Delivered { code }
            | Self::Failed(Failure::Status { code, .. } | Failure::Incomplete { code, .. }) => {
                Some(*code)
            }
            _ => None,
        }
    }

    /// What went wrong, in words for the webhook's owner.
    pub fn error(&self) -> Option<String> {
        match self {
            Self::Delivered { .. } => None,
            Self::Failed(failure) => Some(failure.text()),
            Self::Blocked { reason } => Some(format!("blocked: {reason}")),
        }
    }
}

/// The record of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The status of the answer, if one came.
    pub status_code: Option<u16>,
    /// What went wrong, if something did.
    pub error: Option<String>,
    /// What was sent: only what holds no secrets.
    pub request: Requested,
    /// The answer's body, at most 16 KiB; none without an answer.
    pub response_body: Option<String>,
    /// Tags of the templates that named nothing.
    #[serde(default)]
    pub missing_tags: Vec<String>,
}

/// The longest answer of an attempt that counts as small, in bytes.
const SMALL: usize = 512;

impl Attempt {
    /// Whether its record takes little room.
    pub fn is_small(&self) -> bool {
        self.response_body
            .as_ref()
            .is_none_or(|body| body.len() <= SMALL)
    }
}

/// The request of an attempt, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Requested {
    /// The method.
    pub method: String,
    /// The address, what looks like a token masked.
    pub url: String,
}
