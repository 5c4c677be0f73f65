//! The one place that reads the clock.

use jiff::Timestamp;

/// The current time, cut to the millisecond: what ids, rows and answers carry, so that a time reads back as written.
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the home of the clock")]
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_have_whole_milliseconds() {
        assert_eq!(super::now().subsec_nanosecond() % 1_000_000, 0);
    }
}
