mod delays;
mod policies;
mod schedules;

use proptest::prelude::*;

use super::*;

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + seconds).expect("time")
}

fn fixed(interval_seconds: u32, duration_seconds: u32) -> RetryPolicy {
    RetryPolicy::Fixed {
        interval_seconds,
        duration_seconds,
    }
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

proptest! {
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
