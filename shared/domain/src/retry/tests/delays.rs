use super::*;

#[test]
fn retry_after_headers_are_parsed() {
    let now = "1994-11-06T08:49:30Z".parse().expect("time");
    for (text, expected) in [
        ("0", Some(0)),
        (" 120 ", Some(120)),
        ("86401", Some(86_400)),
        ("99999999999999999999999999", Some(86_400)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
        ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(86_400)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Some(7)),
        ("Monday, 07-Nov-94 08:49:00 GMT", Some(86_370)),
        ("Sun Nov  6 08:49:37 1994", Some(7)),
        ("Sun Nov 06 08:49:37 1994", Some(7)),
        ("Wed Nov 16 08:49:37 1994", Some(86_400)),
        ("Sun Nov  6 08:49:00 1994", Some(0)),
        ("Mon, 06 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 PST", None),
        ("Sun, 31 Feb 1994 08:49:37 GMT", None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("soon", None),
    ] {
        assert_eq!(
            parse_retry_after(text, now),
            expected.map(Duration::from_secs),
            "{text}"
        );
    }
}

#[test]
fn delay_seconds_are_at_most_900() {
    for (wait_ms, expected) in [
        (-5_000, 0),
        (0, 0),
        (1, 1),
        (1_000, 1),
        (899_001, 900),
        (900_001, 900),
    ] {
        assert_eq!(
            hop_delay(time(0) + SignedDuration::from_millis(wait_ms), time(0)),
            expected,
            "{wait_ms}"
        );
    }
    assert_eq!(hop_delay(Timestamp::MAX, Timestamp::MIN), 900);
    assert_eq!(hop_delay(Timestamp::MIN, Timestamp::MAX), 0);
}

#[test]
fn waiting_messages_check_their_line() {
    for (wait, expected) in [
        (-1, 0),
        (0, 0),
        (1, 1),
        (5, 5),
        (6, 5),
        (40, 5),
        (80, 10),
        (3_600, 450),
        (86_400, 900),
    ] {
        assert_eq!(line_delay(time(wait), 1_000, time(0)), expected, "{wait}");
    }
    for (wait, limit, expected) in [
        (6, 1, 5),
        (250, 1, 5),
        (3_600, 1, 72),
        (86_400, 1, 900),
        (604_800, 1, 900),
        (3_600, 6, 432),
        (3_600, 7, 450),
    ] {
        assert_eq!(
            line_delay(time(wait), limit, time(0)),
            expected,
            "{wait} at {limit} a second"
        );
    }
}

#[test]
fn redelivery_delay_doubles() {
    for (receives, expected) in [
        (0, 2),
        (1, 2),
        (2, 4),
        (3, 8),
        (8, 256),
        (9, 300),
        (200, 300),
        (u32::MAX, 300),
    ] {
        assert_eq!(redelivery_delay(receives), expected, "{receives}");
    }
    let hours = (1..=200).map(redelivery_delay).sum::<u32>() / 3600;
    assert!(
        (16..7 * 24).contains(&hours),
        "{hours} hours, while a queue keeps a message for seven days"
    );
}

proptest! {
    #[test]
    fn delays_sum_to_the_wait(wait_ms in 0..100_000_000i64) {
        let due = time(0) + SignedDuration::from_millis(wait_ms);
        let mut now = time(0);
        let mut hops = 0;
        while now < due {
            let delay = hop_delay(due, now);
            prop_assert!((1..=900).contains(&delay));
            now += SignedDuration::from_secs(delay.into());
            hops += 1;
        }
        prop_assert!(now.duration_since(due) < SignedDuration::from_secs(1));
        prop_assert!(hops <= wait_ms / 900_000 + 1);
        prop_assert_eq!(hop_delay(due, now), 0);
    }
}
