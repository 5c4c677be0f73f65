//! The one place that reads the clock.

use jiff::Timestamp;

/// The current time, cut to the millisecond: what ids, rows and answers carry, so that a time reads
/// back as written.
pub fn now() -> Timestamp {
    #[cfg(feature = "test-clock")]
    if let Ok(set) = SET.try_with(Set::now) {
        return set;
    }
    #[expect(clippy::disallowed_methods, reason = "the home of the clock")]
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// A time that a test has set.
#[cfg(feature = "test-clock")]
#[derive(Clone, Copy)]
enum Set {
    Still(Timestamp),
    /// It was this time at that instant, and goes on with tokio's clock.
    Running(Timestamp, tokio::time::Instant, Option<Jump>),
}

/// A correction of the clock while it runs.
#[cfg(feature = "test-clock")]
#[derive(Debug, Clone, Copy)]
pub struct Jump {
    /// How long after the begin.
    pub after: std::time::Duration,
    /// By how much.
    pub by: jiff::SignedDuration,
}

#[cfg(feature = "test-clock")]
impl Set {
    fn now(&self) -> Timestamp {
        match *self {
            Self::Still(time) => time,
            Self::Running(time, since, jump) => {
                let passed = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
                let corrected = jump
                    .filter(|jump| since.elapsed() >= jump.after)
                    .map_or(time, |jump| time + jump.by);
                corrected
                    .checked_add(jiff::SignedDuration::from_millis(passed))
                    .unwrap_or(Timestamp::MAX)
            }
        }
    }
}

#[cfg(feature = "test-clock")]
tokio::task_local! {
    static SET: Set;
}

/// Returns at `time`, or at once where that is past. Under a time that was set and stands still, at
/// once.
pub async fn sleep_until(time: Timestamp) {
    #[cfg(feature = "test-clock")]
    if SET
        .try_with(|set| matches!(set, Set::Still(_)))
        .unwrap_or(false)
    {
        return;
    }
    if let Ok(left) = std::time::Duration::try_from(time.duration_since(now())) {
        tokio::time::sleep(left).await;
    }
}

/// Runs `work` as if it were `time` from its begin to its end. What it spawns goes by the real
/// clock.
#[cfg(feature = "test-clock")]
pub async fn at<F: Future>(time: Timestamp, work: F) -> F::Output {
    SET.scope(Set::Still(time), work).await
}

/// Runs `work` as if it began at `time`, by a clock that goes on as tokio's does, which a test may
/// have paused.
#[cfg(feature = "test-clock")]
pub async fn running<F: Future>(time: Timestamp, work: F) -> F::Output {
    SET.scope(Set::Running(time, tokio::time::Instant::now(), None), work)
        .await
}

/// [`running`], by a clock that is corrected once.
#[cfg(feature = "test-clock")]
pub async fn jumping<F: Future>(time: Timestamp, jump: Jump, work: F) -> F::Output {
    SET.scope(
        Set::Running(time, tokio::time::Instant::now(), Some(jump)),
        work,
    )
    .await
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_have_whole_milliseconds() {
        assert_eq!(super::now().subsec_nanosecond() % 1_000_000, 0);
    }
}
