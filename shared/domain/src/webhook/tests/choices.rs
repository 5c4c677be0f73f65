//! Validation of labels, delays and what a success must report.

use super::*;

#[test]
fn delay_and_unless_are_checked() {
    let patterns = |count: usize| -> Vec<_> { (0..count).map(|n| format!("t{n}")).collect() };
    let unless = |count| json!({"events": patterns(count), "key": "id"});
    for fine in [
        json!({"delay_seconds": 0}),
        json!({"delay_seconds": 604_800, "unless": unless(39)}),
        json!({"delay_seconds": 1, "unless": {"events": ["*"], "key": "items[0].\"a b\""}}),
    ] {
        assert!(settings(&fine).is_ok(), "{fine}");
    }
    let with = |field: &str, value: Value| {
        let mut fields = json!({"delay_seconds": 5, "unless": unless(1)});
        fields["unless"][field] = value;
        fields
    };
    for (fields, pointer, detail) in [
        (
            json!({"delay_seconds": 604_801}),
            "/delay_seconds",
            "must be",
        ),
        (json!({"delay_seconds": -1}), "/delay_seconds", "must be"),
        (json!({"delay_seconds": 1.5}), "/delay_seconds", "must be"),
        (
            json!({"unless": unless(1)}),
            "/unless",
            "requires `delay_seconds`",
        ),
        (
            json!({"delay_seconds": 0, "unless": unless(1)}),
            "/unless",
            "requires `delay_seconds`",
        ),
        (
            json!({"delay_seconds": 5, "unless": unless(40)}),
            "/unless/events",
            "together",
        ),
        (with("events", json!([])), "/unless/events", "must contain"),
        (with("events", json!(["A"])), "/unless/events/0", "must be"),
        (with("events", json!("chat")), "/unless/events", "must be"),
        (with("events", Value::Null), "/unless/events", "is required"),
        (with("key", Value::Null), "/unless/key", "is required"),
        (
            with("key", json!("a b")),
            "/unless/key",
            "not a valid field path",
        ),
        (
            with("kind", json!("a")),
            "/unless/kind",
            "not a known field",
        ),
    ] {
        let problems = settings(&fields).expect_err("wrong").0;
        assert_eq!(problems[0].pointer, pointer, "{fields}");
        assert!(problems[0].detail.contains(detail), "{:?}", problems[0]);
    }
}

#[test]
fn labels_and_success_when_are_checked() {
    let fine = json!(["a", "é".repeat(50)]);
    assert!(settings(&json!({"labels": fine})).is_ok());
    let eleven: Vec<_> = (0..11).map(|n| n.to_string()).collect();
    for (fields, pointer) in [
        (json!({"labels": eleven}), "/labels"),
        (json!({"labels": "a"}), "/labels"),
        (json!({"labels": ["a", ""]}), "/labels/1"),
        (json!({"labels": ["x".repeat(51)]}), "/labels/0"),
        (json!({"labels": ["a\nb"]}), "/labels/0"),
        (
            json!({"success_when": {"field": "ok", "op": "exists"}}),
            "/success_when",
        ),
        (
            json!({"success_when": {"field": "body", "op": "is"}}),
            "/success_when/op",
        ),
    ] {
        let problems = settings(&fields).expect_err("wrong").0;
        assert_eq!(problems[0].pointer, pointer, "{fields}");
    }
}
