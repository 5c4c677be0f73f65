//! RFC 3339 times.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::Offset};

/// Date and time of RFC 3339, without fraction and offset.
const SHAPE: &[u8; 19] = b"0000-00-00T00:00:00";

/// Whether the text starts like an RFC 3339 time. Cheap, and false for anything that [`parse`]
/// rejects.
pub(crate) fn has_shape(text: &str) -> bool {
    let pattern = |(byte, mark): (&u8, &u8)| match mark {
        b'0' => byte.is_ascii_digit(),
        b'T' => byte.eq_ignore_ascii_case(&b'T'),
        mark => byte == mark,
    };
    text.len() > SHAPE.len() && text.as_bytes().iter().zip(SHAPE).all(pattern)
}

/// Parses an RFC 3339 time: years 0000 to 9999, with seconds and an offset below 24 hours.
///
/// Digits beyond nanoseconds are truncated, and a leap second becomes the second before. The last
/// 26 hours of the year 9999 exceed [`Timestamp::MAX`] and become that: `9999-12-31T23:59:59Z` is a
/// common value for "never".
pub fn parse(text: &str) -> Option<Timestamp> {
    let (clock, rest) = text
        .split_at_checked(SHAPE.len())
        .filter(|_| has_shape(text))?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(
            rest.bytes()
                .position(|byte| !byte.is_ascii_digit())
                .filter(|count| *count > 0)?,
        ),
        None => ("", rest),
    };
    let offset = if zone.eq_ignore_ascii_case("Z") {
        SignedDuration::ZERO
    } else {
        offset(zone)?
    };
    let second = number(&clock[17..])?;
    let nanos = (0..9).fold(0, |nanos, at| {
        let digit = fraction
            .as_bytes()
            .get(at)
            .map_or(0, |byte| i32::from(byte - b'0'));
        nanos * 10 + digit
    });
    let local = DateTime::new(
        i16::from(number(&clock[..2])?) * 100 + i16::from(number(&clock[2..4])?),
        number(&clock[5..7])?,
        number(&clock[8..10])?,
        number(&clock[11..13])?,
        number(&clock[14..16])?,
        if second == 60 { 59 } else { second },
        nanos,
    );
    let utc = local
        .ok()?
        .checked_sub(offset)
        .ok()
        .filter(|utc| utc.year() >= 0)?;
    Some(Offset::UTC.to_timestamp(utc).unwrap_or(Timestamp::MAX))
}

/// Value of two digits.
fn number(text: &str) -> Option<i8> {
    let valid = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| valid)
}

/// Formats a time; [`Timestamp::MAX`] as the value that clients write for it.
pub fn show(time: Timestamp) -> String {
    if time == Timestamp::MAX {
        "9999-12-31T23:59:59Z".to_owned()
    } else {
        time.to_string()
    }
}

/// Formats the time of an event: a whole second as clients write it, any other time with at least
/// three decimals.
pub fn show_event(time: Timestamp) -> String {
    let is_in_millis = time.subsec_nanosecond() % 1_000_000 == 0;
    if is_in_millis && time.subsec_nanosecond() != 0 {
        show_millis(time)
    } else {
        show(time)
    }
}

/// The time of an event that happens `now`. Never a whole second, so that [`show_event`] shows all
/// times set by Tieline with three decimals.
pub fn of_event(now: Timestamp) -> Timestamp {
    if now.subsec_nanosecond() < 1_000_000 {
        now.saturating_add(SignedDuration::from_millis(1))
            .unwrap_or(now)
    } else {
        now
    }
}

/// Formats a time recorded by Tieline: always with exactly three decimals.
pub fn show_millis(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// Serializes a time like [`show_millis`], and deserializes any RFC 3339 time.
pub mod millis {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(missing_docs, reason = "serde calls it")]
    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{time:.3}"))
    }

    #[expect(missing_docs, reason = "serde calls it")]
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(deserializer)
    }
}

/// Parses `+hh:mm` or `-hh:mm`.
fn offset(text: &str) -> Option<SignedDuration> {
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let hours = number(hours).filter(|hours| *hours < 24)?;
    let minutes = number(minutes).filter(|minutes| *minutes < 60)?;
    let offset = SignedDuration::from_mins(i64::from(hours) * 60 + i64::from(minutes));
    match text.as_bytes()[0] {
        b'+' => Some(offset),
        b'-' => Some(-offset),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_3339_times_are_parsed() {
        for (text, utc) in [
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
            ("2026-01-31t12:00:00z", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00+00:00", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00-00:00", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00.5+05:30", "2026-01-31T06:30:00.5Z"),
            (
                "2026-01-31T12:00:00.123456789123Z",
                "2026-01-31T12:00:00.123456789Z",
            ),
            ("2026-01-31T00:30:00+23:59", "2026-01-30T00:31:00Z"),
            ("2024-02-29T23:59:59-23:59", "2024-03-01T23:58:59Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("9999-12-30T22:00:00Z", "9999-12-30T22:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-30T22:00:00.999999999Z"),
            (
                "9999-12-31T23:59:59.999999999Z",
                "9999-12-30T22:00:00.999999999Z",
            ),
        ] {
            assert_eq!(
                parse(text).map(|time| time.to_string()).as_deref(),
                Some(utc),
                "{text}"
            );
        }
    }

    #[test]
    fn recorded_time_has_three_decimals() {
        for (text, shown) in [
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"),
            ("2026-01-31T12:00:00.8Z", "2026-01-31T12:00:00.800Z"),
            ("2026-01-31T12:00:00.123456Z", "2026-01-31T12:00:00.123Z"),
        ] {
            assert_eq!(show_millis(parse(text).expect(text)), shown);
        }
    }

    #[test]
    fn max_time_is_shown_as_written() {
        for text in [
            "9999-12-31T23:59:59Z",
            "9999-12-30T22:00:00Z",
            "2026-01-31T12:00:00Z",
            "0000-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text).map(show).as_deref(), Some(text));
        }
    }

    #[test]
    fn other_spellings_are_rejected() {
        for text in [
            "",
            "Z",
            "now",
            "2026-01-31",
            "2026-01-31T12:00:00",
            "2026-01-31 12:00:00Z",
            "2026-01-31_12:00:00Z",
            "2026-01-31T12:00Z",
            "2026-01-31T12Z",
            "2026-01-31T12:00:00+25:00",
            "2026-01-31T12:00:00+24:00",
            "2026-01-31T12:00:00+05:60",
            "2026-01-31T12:00:00+0530",
            "2026-01-31T12:00:00+05",
            "2026-01-31T12:00:00+05:30:00",
            "2026-01-31T12:00:00\u{2212}05:30",
            "2026-01-31T12:00:00*05:30",
            "2026-01-31T12:00:00Z[UTC]",
            "2026-01-31T12:00:00[UTC]",
            "2026-01-31T12:00:00+00:00[Europe/Paris]",
            "20260131T120000Z",
            "20260131T12:00:00Z",
            "2026-031T12:00:00Z",
            "2026-W05-6T12:00:00Z",
            "-002026-01-31T12:00:00Z",
            "+002026-01-31T12:00:00Z",
            "02026-01-31T12:00:00Z",
            "10000-01-01T00:00:00Z",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00,5Z",
            "2026-01-31T12:00:00.5.5Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:60:00Z",
            "2026-01-31T12:00:61Z",
            "2026-02-30T12:00:00Z",
            "2025-02-29T12:00:00Z",
            "2026-00-10T12:00:00Z",
            "2026-13-10T12:00:00Z",
            "2026-1-31T12:00:00Z",
            " 2026-01-31T12:00:00Z",
            "2026-01-31T12:00:00Z ",
            "2026-01-31T12:00:00 Z",
            "２０２６-01-31T12:00:00Z",
            "1769860800",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn event_times_have_no_decimals_or_at_least_three() {
        for (text, shown) in [
            ("2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00.5Z", "2026-01-31T12:00:00.500Z"),
            ("2026-01-31T12:00:00.1234Z", "2026-01-31T12:00:00.1234Z"),
            (
                "2026-01-31T12:00:00.000000001Z",
                "2026-01-31T12:00:00.000000001Z",
            ),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ] {
            let time = parse(text).expect("a time");
            assert_eq!(show_event(time), shown, "{text}");
            assert_eq!(parse(shown), Some(time), "{text}");
        }
        let whole = parse("2026-01-31T12:00:00Z").expect("a time");
        assert_eq!(show_event(of_event(whole)), "2026-01-31T12:00:00.001Z");
    }

    proptest! {
        #[test]
        fn shown_times_round_trip(seconds in -62_167_219_200_i64..253_402_207_200, nanos in 0..1_000_000_000_i32) {
            let time = Timestamp::new(seconds, nanos).expect("a time");
            prop_assert_eq!(parse(&time.to_string()), Some(time));
        }

        #[test]
        fn parse_accepts_any_text(text in "\\PC{0,30}|[0-9T:Z+.-]{0,30}") {
            prop_assert!(parse(&text).is_none() || has_shape(&text));
        }

        #[test]
        fn parse_agrees_with_jiff(text in "[0-9]{3}[0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?") {
            let local: Option<DateTime> = text.parse().ok();
            let utc = local.map(|local| Offset::UTC.to_timestamp(local).unwrap_or(Timestamp::MAX));
            prop_assert_eq!(parse(&format!("{text}Z")), utc);
        }
    }
}
