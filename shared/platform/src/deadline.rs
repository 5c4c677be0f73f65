//! The end of a Lambda invocation.
//!
//! Lambda kills a function at its timeout, and the work in progress is neither recorded nor
//! returned to the queue. So work that may not finish in time is not started, and its message is
//! returned to the queue.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock;

/// The time when Lambda ends the invocation.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

/// Time reserved before the deadline to record results, queue follow-ups and return the remaining
/// messages.
const RESERVE: Duration = Duration::from_secs(3);

impl Deadline {
    /// Converts the deadline of Lambda's context, in milliseconds since the epoch. `cargo lambda`
    /// sends the remaining milliseconds instead: values before 2001 are taken as those.
    pub fn at(milliseconds: u64) -> Self {
        const YEAR_2001: u64 = 1_000_000_000_000;
        let now = u64::try_from(clock::now().as_millisecond()).unwrap_or(0);
        let left = if milliseconds < YEAR_2001 {
            milliseconds
        } else {
            milliseconds.saturating_sub(now)
        };
        Self::after(Duration::from_millis(left))
    }

    /// A deadline `time` from now.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// Returns whether work of up to `time` can start now.
    pub fn leaves(self, time: Duration) -> bool {
        let left = self.left();
        !left.is_zero() && left >= time
    }

    /// Maximum duration of work that starts now. Zero if no work may start.
    pub fn left(self) -> Duration {
        self.0
            .saturating_duration_since(Instant::now())
            .saturating_sub(RESERVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn deadline_from_epoch_or_remaining_milliseconds() {
        let now = u64::try_from(clock::now().as_millisecond()).expect("a time after 1970");
        for (milliseconds, left) in [
            (now + 33_000, 29..=30),
            (now - 1, 0..=0),
            (600_000, 597..=597),
        ] {
            assert!(
                left.contains(&Deadline::at(milliseconds).left().as_secs()),
                "{milliseconds}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_leaves_no_reserve_does_not_fit() {
        let deadline = Deadline::after(Duration::from_secs(33));
        for (passed, takes, fits) in [
            (0, 30, true),
            (1, 30, false),
            (1, 28, true),
            (29, 0, true),
            (30, 0, false),
            (60, 0, false),
        ] {
            let deadline = Deadline(deadline.0 - Duration::from_secs(passed));
            assert_eq!(
                deadline.leaves(Duration::from_secs(takes)),
                fits,
                "{takes} s after {passed} s"
            );
        }
    }
}
