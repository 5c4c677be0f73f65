use proptest::prelude::*;
use serde_json::json;

use super::*;

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + seconds).expect("time")
}

/// Offsets in seconds of all retries if each attempt fails `took` seconds after it was due.
fn retries(policy: &RetryPolicy, took: i64) -> Vec<i64> {
    let mut schedule = Schedule {
        started_at: time(0),
        attempts_made: 1,
        last_at: time(0),
    };
    let mut now = time(took);
    let mut offsets = Vec::new();
    while let Some(due) = policy.next(&schedule, now, None) {
        offsets.push(due.duration_since(time(0)).as_secs());
        now = due + SignedDuration::from_secs(took);
        schedule = Schedule {
            attempts_made: schedule.attempts_made + 1,
            last_at: due,
            ..schedule
        };
    }
    offsets
}

fn fixed(interval_seconds: u32, duration_seconds: u32) -> RetryPolicy {
    RetryPolicy::Fixed {
        interval_seconds,
        duration_seconds,
    }
}

#[test]
fn schedules_have_documented_offsets() {
    let standard: Vec<i64> = STANDARD_OFFSETS.map(i64::from).into();
    let default: Vec<i64> = (1..=48).map(|slot| slot * 1_800).collect();
    let custom = RetryPolicy::Custom {
        delays_seconds: vec![1, 60, 5],
    };
    for (policy, took, expected) in [
        (RetryPolicy::default(), 0, default.clone()),
        (RetryPolicy::default(), 30, default),
        (fixed(7, 20), 0, vec![7, 14]),
        (fixed(1, 3), 2, vec![2]),
        (fixed(10, 60), 25, vec![25, 50]),
        (fixed(20, 20), 0, vec![20]),
        (RetryPolicy::Standard, 0, standard),
        (
            RetryPolicy::Standard,
            30,
            vec![
                30, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
            ],
        ),
        (custom.clone(), 0, vec![1, 61, 66]),
        (custom, 2, vec![3, 65, 72]),
        (RetryPolicy::None, 0, vec![]),
    ] {
        assert_eq!(retries(&policy, took), expected, "{policy:?} {took}");
    }
}

#[test]
fn retry_after_delays_and_missed_times_are_skipped() {
    let next = |policy: &RetryPolicy, (attempts_made, last_at), now, wait| {
        let schedule = Schedule {
            started_at: time(0),
            attempts_made,
            last_at: time(last_at),
        };
        let due = policy.next(&schedule, time(now), Some(Duration::from_secs(wait)))?;
        Some(due.duration_since(time(0)).as_secs())
    };
    let half_hourly = RetryPolicy::default();
    let custom = RetryPolicy::Custom {
        delays_seconds: vec![10, 100],
    };
    // Number of attempts, start of the last one, its end, and `Retry-After`.
    for (policy, attempts, now, wait, expected) in [
        (&half_hourly, (1, 0), 0, 60, Some(1_800)),
        (&half_hourly, (1, 0), 0, 4_000, Some(4_000)),
        // Half an hour later, on the schedule's times.
        (&half_hourly, (2, 4_000), 4_000, 0, Some(7_200)),
        (&half_hourly, (2, 1_850), 1_860, 0, Some(3_650)),
        (&half_hourly, (3, 3_650), 3_660, 0, Some(5_450)),
        (&half_hourly, (2, 1_861), 1_862, 0, Some(5_400)),
        (&half_hourly, (1, 0), 0, u64::MAX, Some(86_400)),
        (&half_hourly, (2, 5_400), 5_400, 0, Some(7_200)),
        (&half_hourly, (2, 86_400), 86_400, 0, None),
        (&half_hourly, (48, 84_600), 86_460, 0, Some(86_460)),
        (&half_hourly, (48, 84_600), 86_461, 0, None),
        (&half_hourly, (49, 86_400), 86_400, 0, None),
        (
            &fixed(86_400, 604_800),
            (1, 0),
            3_600,
            u64::MAX,
            Some(90_000),
        ),
        // The requested delay exceeds the schedule: one more attempt, at its end.
        (&fixed(2, 6), (1, 0), 0, 604_800, Some(6)),
        (&fixed(2, 6), (2, 6), 6, 604_800, None),
        (&fixed(2, 7), (2, 6), 6, 0, None),
        (&fixed(2, 9), (2, 6), 6, 0, Some(8)),
        (&RetryPolicy::Standard, (2, 7_000), 7_000, 0, Some(7_200)),
        (&RetryPolicy::Standard, (2, 7_200), 7_200, 0, Some(18_000)),
        (
            &RetryPolicy::Standard,
            (9, 80_000),
            80_000,
            u64::MAX,
            Some(86_400),
        ),
        // A delayed attempt uses up the time that it passed.
        (&RetryPolicy::Standard, (2, 295), 296, 0, Some(300)),
        (&RetryPolicy::Standard, (2, 299), 299, 0, Some(1_800)),
        (&RetryPolicy::Standard, (2, 300), 300, 0, Some(1_800)),
        (&RetryPolicy::Standard, (2, 360), 360, 0, Some(1_800)),
        (&RetryPolicy::Standard, (3, 1_800), 1_815, 0, Some(7_200)),
        (&RetryPolicy::Standard, (3, 86_400), 86_400, 0, None),
        (&custom, (1, 0), 0, 50, Some(50)),
        (&custom, (1, 0), 0, 500, Some(110)),
        (&custom, (2, 110), 110, 500, Some(210)),
        (&custom, (2, 150), 150, 0, Some(230)),
        (&custom, (2, 231), 231, 0, None),
    ] {
        assert_eq!(
            next(policy, attempts, now, wait),
            expected,
            "{policy:?} {attempts:?} {now} {wait}"
        );
    }
}

#[test]
fn policies_round_trip_and_invalid_ones_are_reported() {
    for policy in [
        json!({"type": "fixed", "interval_seconds": 604, "duration_seconds": 604_603}),
        json!({"type": "fixed", "interval_seconds": 1, "duration_seconds": 1_000}),
        json!({"type": "standard"}),
        json!({"type": "custom", "delays_seconds": [1, 604_799]}),
        json!({"type": "none"}),
    ] {
        assert_eq!(
            RetryPolicy::parse(policy.clone())
                .expect("policy")
                .to_value(),
            policy
        );
    }
    assert_eq!(
        RetryPolicy::parse(json!({"type": "fixed"})),
        Ok(RetryPolicy::default())
    );
    for (wrong, pointers) in [
        (json!(3), vec![""]),
        (json!({}), vec!["/type"]),
        (
            json!({"type": "often", "interval_seconds": 1, "x": 1}),
            vec!["/type", "/x"],
        ),
        (
            json!({"type": "fixed", "interval_seconds": 0, "duration_seconds": 604_801}),
            vec!["/interval_seconds", "/duration_seconds"],
        ),
        (
            json!({"type": "fixed", "interval_seconds": 9, "duration_seconds": 8}),
            vec!["/duration_seconds"],
        ),
        (
            json!({"type": "fixed", "interval_seconds": 1.5}),
            vec!["/interval_seconds"],
        ),
        (
            json!({"type": "fixed", "interval_seconds": 1, "duration_seconds": 1_001}),
            vec!["/interval_seconds"],
        ),
        (
            json!({"type": "fixed", "interval_seconds": 80}),
            vec!["/interval_seconds"],
        ),
        (
            json!({"type": "standard", "interval_seconds": 1}),
            vec!["/interval_seconds"],
        ),
        (json!({"type": "custom"}), vec!["/delays_seconds"]),
        (
            json!({"type": "custom", "delays_seconds": []}),
            vec!["/delays_seconds"],
        ),
        (
            json!({"type": "custom", "delays_seconds": [0, 1, -1]}),
            vec!["/delays_seconds/0", "/delays_seconds/2"],
        ),
        (
            json!({"type": "custom", "delays_seconds": [604_800, 1]}),
            vec!["/delays_seconds"],
        ),
    ] {
        let problems = RetryPolicy::parse(wrong.clone()).expect_err("errors").0;
        let found: Vec<&str> = problems
            .iter()
            .map(|problem| problem.pointer.as_str())
            .collect();
        assert_eq!(found, pointers, "{wrong}");
    }
}

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

fn any_policy() -> impl Strategy<Value = RetryPolicy> {
    prop_oneof![
        (1..4_000u32, 1..40u32, 0..4_000u32)
            .prop_map(|(each, times, rest)| fixed(each, each * times + rest % each)),
        Just(RetryPolicy::Standard),
        prop::collection::vec(1..6_000u32, 1..20)
            .prop_map(|delays_seconds| RetryPolicy::Custom { delays_seconds }),
        Just(RetryPolicy::None),
    ]
}

fn bounds(policy: &RetryPolicy) -> (usize, i64) {
    match policy {
        RetryPolicy::Fixed {
            interval_seconds,
            duration_seconds,
        } => (
            (duration_seconds / interval_seconds) as usize,
            i64::from(*duration_seconds),
        ),
        RetryPolicy::Standard => (9, 86_400),
        RetryPolicy::Custom { delays_seconds } => (
            delays_seconds.len(),
            delays_seconds.iter().copied().map(i64::from).sum(),
        ),
        RetryPolicy::None => (0, 0),
    }
}

proptest! {
    #[test]
    fn retries_are_bounded_in_number_and_time(
        policy in any_policy(),
        asked in prop::collection::vec(prop::option::of(0..200_000u64), 60),
        took in prop::collection::vec(0..40_000i64, 60),
    ) {
        prop_assert_eq!(RetryPolicy::parse(policy.to_value()), Ok(policy.clone()));
        let (most, end) = bounds(&policy);
        let mut schedule = Schedule { started_at: time(0), attempts_made: 1, last_at: time(0) };
        let mut now = time(0);
        let mut made = 0;
        for (asked, took) in asked.into_iter().zip(took) {
            // From no delay at all to attempts that take 40 s.
            let took = SignedDuration::from_millis(took);
            now += took;
            let Some(due) = policy.next(&schedule, now, asked.map(Duration::from_secs)) else { break };
            made += 1;
            prop_assert!(due >= now);
            let apart = match policy {
                RetryPolicy::Fixed { interval_seconds, .. } => interval_seconds,
                RetryPolicy::Standard => 5,
                _ => 0,
            };
            prop_assert!(due.duration_since(schedule.last_at).as_secs() >= i64::from(apart));
            prop_assert!(due <= time(end) + LATE_TOLERANCE * schedule.attempts_made.cast_signed());
            let waited = asked.map_or(SignedDuration::ZERO, |asked| SignedDuration::from_secs(asked.min(86_400).cast_signed()));
            prop_assert!(due >= time(end).min(now + waited));
            now = due;
            schedule = Schedule { attempts_made: schedule.attempts_made + 1, last_at: due, ..schedule };
        }
        prop_assert!(made <= most);
    }

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

    #[test]
    fn no_input_panics(
        text: String,
        policy in any_policy(),
        started in any::<i64>(), now in any::<i64>(), attempts_made: u32, wait: u64,
    ) {
        let any_time = |seconds: i64| Timestamp::from_second(seconds % 250_000_000_000).expect("time");
        let schedule = Schedule { started_at: any_time(started), attempts_made, last_at: any_time(wait.cast_signed()) };
        let _ = policy.next(&schedule, any_time(now), Some(Duration::from_secs(wait)));
        let _ = parse_retry_after(&text, any_time(now));
        let _ = hop_delay(any_time(started), any_time(now));
    }
}
