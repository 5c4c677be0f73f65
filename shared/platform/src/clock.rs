//! The one place that reads the clock.

use jiff::Timestamp;

/// The current time, cut to the millisecond: what ids, rows and answers carry, so that a time reads back as written.
pub fn now() -> Timestamp {
    #[cfg(feature = "test-clock")]
    if let Ok(set) = SET.try_with(Clone::clone) {
        return set;
    }
    #[expect(clippy::disallowed_methods, reason = "the home of the clock")]
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

#[cfg(feature = "test-clock")]
tokio::task_local! {
    static SET: Timestamp;
}

/// Returns at `time`, or at once where that is past. Under a time that was set, at once: it does not go on.
pub async fn sleep_until(time: Timestamp) {
    #[cfg(feature = "test-clock")]
    if SET.try_with(|_| ()).is_ok() {
        return;
    }
    if let Ok(left) = std::time::Duration::try_from(time.duration_since(now())) {
        tokio::time::sleep(left).await;
    }
}

/// Runs `work` as if it were `time` from its begin to its end. What it spawns goes by the real clock.
#[cfg(feature = "test-clock")]
pub async fn at<F: Future>(time: Timestamp, work: F) -> F::Output {
    SET.scope(time, work).await
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_have_whole_milliseconds() {
        assert_eq!(super::now().subsec_nanosecond() % 1_000_000, 0);
    }
}
