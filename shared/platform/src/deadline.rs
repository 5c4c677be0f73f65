//! The end of a Lambda invocation, which decides what is still begun.
//!
//! Lambda kills a function that is not done by then: whatever it was doing is neither recorded nor
//! handed back. So work that may not end in time is not begun; its message is handed back instead.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock;

/// When Lambda ends the invocation.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

/// What is kept free before the deadline: to record what was done, send what follows from it, and
/// hand back the rest.
const RESERVE: Duration = Duration::from_secs(3);

impl Deadline {
    /// The deadline of Lambda's context, in milliseconds since the epoch. `cargo lambda` sends the
    /// milliseconds that are left instead; as a time, they would be some minutes into 1970.
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

    /// A deadline that is so far off.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// Whether work that takes up to `time` can be begun now.
    pub fn leaves(self, time: Duration) -> bool {
        let left = self.left();
        !left.is_zero() && left >= time
    }

    /// How long work may take that is begun now; zero when none is to be begun any more.
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
    async fn deadline_is_a_time_or_what_is_left() {
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
    async fn work_begins_only_when_it_can_end_and_be_recorded() {
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
