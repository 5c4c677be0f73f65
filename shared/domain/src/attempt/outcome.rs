//! Outcome of an attempt.

use std::time::Duration;

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
    /// Can't be retried: the request can't be built, its target is not allowed, or the provider was
    /// deleted.
    Blocked {
        /// Explanation for clients, without internal addresses.
        reason: String,
    },
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The receiver responded with a status that does not count as success.
    Status {
        /// HTTP status.
        code: u16,
        /// Delay requested with `Retry-After`; [`Failure::retry_after`] uses it for 429 and 503.
        retry_after: Option<Duration>,
    },
    /// The receiver responded with a success status, but the response body was incomplete.
    Incomplete {
        /// HTTP status.
        code: u16,
        /// Why the body was incomplete.
        cause: Box<Self>,
    },
    /// The receiver responded with a success status, but the response does not report success.
    Unreported {
        /// HTTP status.
        code: u16,
    },
    /// No response within the timeout.
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
            Self::Unreported { .. } => "the answer does not report success".to_owned(),
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
            | Self::Failed(
                Failure::Status { code, .. }
                | Failure::Incomplete { code, .. }
                | Failure::Unreported { code },
            ) => Some(*code),
            _ => None,
        }
    }

    /// Error text for clients; `None` on success.
    pub fn error(&self) -> Option<String> {
        match self {
            Self::Delivered { .. } => None,
            Self::Failed(failure) => Some(failure.text()),
            Self::Blocked { reason } => Some(format!("blocked: {reason}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_response_tells_its_cause() {
        let broken = Failure::Unreachable("reset".to_owned());
        for (cause, is_timeout, error) in [
            (Failure::Timeout, true, "not complete within the timeout"),
            (broken, false, "cut off"),
        ] {
            let cause = Box::new(cause);
            let failure = Failure::Incomplete { code: 200, cause };
            assert_eq!(failure.is_timeout(), is_timeout, "{error}");
            let error = format!("the receiver responded with 200, but the response was {error}");
            let outcome = Outcome::Failed(failure);
            assert_eq!(outcome.error(), Some(error));
            assert_eq!(outcome.status_code(), Some(200));
        }
    }

    #[test]
    fn retry_after_counts_for_429_and_503() {
        let retry_after = Some(Duration::from_secs(9));
        for (code, delay) in [(429, retry_after), (503, retry_after), (500, None)] {
            let failure = Failure::Status { code, retry_after };
            assert_eq!(failure.retry_after(), delay, "{code}");
        }
    }
}
