//! A webhook's health, derived from the outcomes of its attempts.
//!
//! A healthy webhook has no [`Health`], so that it costs no write. After a day of failures without
//! a success the owner is warned; after five days the webhook is disabled. `blocked` attempts don't
//! count: they fail because of the event's values and say nothing about the receiver.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::attempt::Outcome;

/// Why Tieline disabled a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// The receiver responded with 410 Gone.
    Gone,
    /// Days of failures without a success.
    Failing,
}

/// How long a webhook fails before its owner is warned.
const WARNED_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// How long a webhook fails before it is disabled.
const DISABLED_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);

/// Health of a failing webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Start of the first failed attempt since the last success.
    pub failing_since: Timestamp,
    /// Whether the owner was warned.
    pub warned: bool,
    /// Whether the last attempt timed out. Such a webhook would delay the other messages in its
    /// batch.
    pub hangs: bool,
}

impl Health {
    /// Returns the health after an attempt that started at `at`.
    pub fn after(before: Option<&Self>, outcome: &Outcome, at: Timestamp) -> Option<Self> {
        match outcome {
            Outcome::Delivered { .. } => None,
            Outcome::Blocked { .. } => before.cloned(),
            Outcome::Failed(failure) => Some(Self {
                failing_since: before.map_or(at, |before| before.failing_since),
                warned: before.is_some_and(|before| before.warned),
                hangs: failure.is_timeout(),
            }),
        }
    }

    /// Whether the owner should be warned at `now`.
    pub fn should_warn(&self, now: Timestamp) -> bool {
        !self.warned && now >= self.warning_due()
    }

    /// Whether the webhook should be disabled at `now`.
    pub fn should_disable(&self, now: Timestamp) -> bool {
        now.duration_since(self.failing_since) >= DISABLED_AFTER
    }

    /// When the warning is due.
    pub fn warning_due(&self) -> Timestamp {
        self.failing_since
            .checked_add(WARNED_AFTER)
            .unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::Failure;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    #[test]
    fn health_starts_with_first_failure_and_ends_with_success() {
        let failed = |code| {
            Outcome::Failed(Failure::Status {
                code,
                retry_after: None,
            })
        };
        let (delivered, timeout) = (
            Outcome::Delivered { code: 200 },
            Outcome::Failed(Failure::Timeout),
        );
        let blocked = Outcome::Blocked {
            reason: String::new(),
        };
        let health = |since, warned, hangs| {
            Some(Health {
                failing_since: at(since),
                warned,
                hangs,
            })
        };
        for (before, outcome, after) in [
            (None, &delivered, None),
            (None, &blocked, None),
            (None, &failed(500), health(9, false, false)),
            (None, &timeout, health(9, false, true)),
            (health(1, true, true), &failed(404), health(1, true, false)),
            (health(1, false, false), &timeout, health(1, false, true)),
            (health(1, true, true), &blocked, health(1, true, true)),
            (health(1, true, true), &delivered, None),
        ] {
            assert_eq!(
                Health::after(before.as_ref(), outcome, at(9)),
                after,
                "{before:?} {outcome:?}"
            );
        }
    }

    #[test]
    fn failing_webhook_warns_after_a_day_and_disables_after_five() {
        for (hours, warned, should_warn, should_disable) in [
            (0, false, false, false),
            (23, false, false, false),
            (24, false, true, false),
            (24, true, false, false),
            (119, false, true, false),
            (120, true, false, true),
            (1000, false, true, true),
        ] {
            let (health, now) = (
                Health {
                    failing_since: at(100),
                    warned,
                    hangs: false,
                },
                at(100 + hours),
            );
            assert_eq!(
                (health.should_warn(now), health.should_disable(now)),
                (should_warn, should_disable),
                "{hours}"
            );
        }
    }
}
