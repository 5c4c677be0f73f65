//! A webhook's health: what its attempts tell of it, and what follows from that.
//!
//! Outcomes come in, [`Health`] goes out; of a webhook that is well there is none, so that it costs
//! no write. After a day of failures without one success its owner is warned, after five it is
//! disabled. What could not be sent because of the event's own values (`blocked`) says nothing
//! about the receiver.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::delivery::Outcome;

/// How long a webhook fails until its owner is warned.
const WARNED_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// How long it fails until it is disabled.
const DISABLED_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);

/// What is wrong with a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Since when no attempt has succeeded: when the first one began that failed.
    pub failing_since: Timestamp,
    /// Whether its owner was warned.
    pub warned: bool,
    /// Whether its last attempt got no answer in time: it would hold up what shares a batch with
    /// it.
    pub hangs: bool,
}

impl Health {
    /// The health after an attempt that began at `at`.
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

    /// Whether its owner is to be warned at `now`.
    pub fn is_to_be_told(&self, now: Timestamp) -> bool {
        !self.warned && now >= self.warning_due()
    }

    /// Whether it has failed for so long at `now` that it is to be disabled.
    pub fn is_beyond_hope(&self, now: Timestamp) -> bool {
        now.duration_since(self.failing_since) >= DISABLED_AFTER
    }

    /// When its owner was to be warned.
    pub fn warning_due(&self) -> Timestamp {
        self.failing_since
            .checked_add(WARNED_AFTER)
            .unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Failure;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    #[test]
    fn a_success_ends_what_the_first_failure_began() {
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
    fn a_day_warns_once_and_five_disable() {
        for (hours, warned, told, beyond_hope) in [
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
                (health.is_to_be_told(now), health.is_beyond_hope(now)),
                (told, beyond_hope),
                "{hours}"
            );
        }
    }
}
