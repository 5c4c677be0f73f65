use serde_json::json;

use super::*;

#[test]
fn policies_round_trip_and_invalid_ones_are_reported() {
    for policy in [
        json!({"type": "fixed", "interval_seconds": 604, "duration_seconds": 604_603}),
        json!({"type": "fixed", "interval_seconds": 1, "duration_seconds": 1_000}),
        json!({"type": "fixed", "interval_seconds": 9, "duration_seconds": 9}),
        json!({"type": "standard"}),
        json!({"type": "custom", "delays_seconds": [1, 604_799]}),
        json!({"type": "custom", "delays_seconds": vec![1; 100]}),
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
            json!({"type": "custom", "delays_seconds": vec![1; 101]}),
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
