//! The only module that reads the clock.

use jiff::Timestamp;

/// The current time, truncated to milliseconds. IDs, rows and responses have this precision, so
/// that a time reads back as written.
pub fn now() -> Timestamp {
    #[cfg(feature = "test-clock")]
    if let Ok(set) = SET.try_with(Set::now) {
        return set;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the only module that reads the clock"
    )]
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// A time set by a test.
#[cfg(feature = "test-clock")]
#[derive(Clone, Copy)]
enum Set {
    Still(Timestamp),
    /// Started at this time at that instant, and advances with tokio's clock.
    Running(Timestamp, tokio::time::Instant, Option<Jump>),
}

/// A correction of the clock while it runs.
#[cfg(feature = "test-clock")]
#[derive(Debug, Clone, Copy)]
pub struct Jump {
    /// Delay after the start.
    pub after: std::time::Duration,
    /// Size of the correction.
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

/// Sleeps until `time`. Returns immediately if `time` has passed, or if a test has stopped the
/// clock.
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

/// Runs `work` with the clock stopped at `time`. Tasks that it spawns use the real clock.
#[cfg(feature = "test-clock")]
pub async fn at<F: Future>(time: Timestamp, work: F) -> F::Output {
    SET.scope(Set::Still(time), work).await
}

/// Runs `work` with a clock that starts at `time` and advances with tokio's clock, which a test may
/// pause.
#[cfg(feature = "test-clock")]
pub async fn running<F: Future>(time: Timestamp, work: F) -> F::Output {
    SET.scope(Set::Running(time, tokio::time::Instant::now(), None), work)
        .await
}

/// Like [`running`], with a clock that is corrected once.
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
    fn now_has_whole_milliseconds() {
        assert_eq!(super::now().subsec_nanosecond() % 1_000_000, 0);
    }
}
