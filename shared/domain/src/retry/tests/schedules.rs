use super::*;

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
        (fixed(1, 2), 0, vec![1, 2]),
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
        (&custom, (2, 230), 230, 0, Some(230)),
        (&custom, (2, 231), 231, 0, None),
    ] {
        assert_eq!(
            next(policy, attempts, now, wait),
            expected,
            "{policy:?} {attempts:?} {now} {wait}"
        );
    }
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
}
