//! Retry schedules.

use domain::retry;
use serde::Serialize;
use utoipa::ToSchema;

/// How often and for how long a delivery is retried; at most 7 days in total.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RetryPolicy {
    /// Every `interval_seconds` for `duration_seconds`, starting with the first attempt.
    Fixed {
        /// Time between two attempts; at least 1, and long enough for at most 1,000 retries.
        #[schema(required = false, minimum = 1, maximum = 604_800, default = 1_800)]
        interval_seconds: u32,
        /// Time from the first to the last attempt; at least the interval.
        #[schema(required = false, minimum = 1, maximum = 604_800, default = 86_400)]
        duration_seconds: u32,
    },
    /// 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h after the first attempt.
    Standard,
    /// Individual delays, each relative to the previous attempt.
    Custom {
        /// 1 to 100 delays of at least 1 second each.
        #[schema(min_items = 1, max_items = 100)]
        delays_seconds: Vec<u32>,
    },
    /// No retries.
    None,
}

impl From<&retry::RetryPolicy> for RetryPolicy {
    fn from(policy: &retry::RetryPolicy) -> Self {
        match policy {
            retry::RetryPolicy::Fixed {
                interval_seconds,
                duration_seconds,
            } => Self::Fixed {
                interval_seconds: *interval_seconds,
                duration_seconds: *duration_seconds,
            },
            retry::RetryPolicy::Standard => Self::Standard,
            retry::RetryPolicy::Custom { delays_seconds } => Self::Custom {
                delays_seconds: delays_seconds.clone(),
            },
            retry::RetryPolicy::None => Self::None,
        }
    }
}
