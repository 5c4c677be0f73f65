//! Record of an attempt.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
    /// Template tags without a value.
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
