use super::*;

/// Steps that the evaluation of a comparison takes in addition to finding the field `a`.
fn steps_of(comparison: &Condition, a: &Value) -> usize {
    let (event, steps) = (event(json!({"a": a})), Steps::new());
    let _ = comparison.evaluate(&subject(&event), &steps);
    usize::try_from(steps.spent()).expect("a number") - COMPARISON_STEPS
}

#[test]
fn comparisons_cost_what_they_compare() {
    let time = || json!("2026-03-02T08:00:00Z");
    let same = || json!("2026-03-02T09:00:00+01:00");
    for (actual, op, value, steps) in [
        (json!(1), "eq", json!(1), 5),
        (json!(null), "starts_with", json!("x"), 0),
        (json!([1, 2, 3]), "eq", json!([1, 2, 4]), 20),
        (json!([1, 2, 3]), "eq", json!([1, 2]), 5),
        (json!({"a": 1, "b": 2}), "eq", json!({"a": 1, "c": 2}), 10),
        (json!(1), "in", json!([0, 1, 2]), 10),
        (json!([[1, 2], 1]), "contains", json!([1, 3]), 20),
        (json!("0123456789"), "contains", json!("x"), 20),
        (time(), "eq", time(), 5),
        (time(), "eq", same(), 5 + 100 + 20 + 25),
        (time(), "gt", same(), 100 + 20 + 25),
        (time(), "eq", json!("2026"), 5),
        (json!("2026"), "eq", time(), 5),
    ] {
        let found = steps_of(&condition(&compare("a", op, value.clone())), &actual);
        assert_eq!(found, steps, "{actual} {op} {value}");
    }
}

#[test]
fn expressions_cost_characters_memory_and_states() {
    let rest = |text: &str| {
        let condition = condition(&compare("a", "matches", text));
        let steps = steps_of(&condition, &json!(""));
        steps - 2_000 - 100 * text.len() - 6 * condition.compiled_bytes()
    };
    // Twice the number of states: at the start and at the end of the text.
    let states = rest("x") / 16;
    assert!((3..10).contains(&states), "{states}");
    for (text, more) in [("x", 0), ("(?:(?:x))", 0), ("x{10}", 9), ("x{99}", 98)] {
        assert_eq!(rest(text), 16 * (states + more), "{text}");
    }
}

/// Conditions and data that would take seconds. Each evaluation stays within its steps. In an
/// optimized build that is below 5 ms; the limit here allows for machines under load.
#[test]
fn evaluation_is_bounded() {
    let text = |i: u32| "ba".as_bytes()[(i.wrapping_mul(2_654_435_761) >> 13 & 1) as usize];
    let event = event(json!({
        "ab": (0..65_536).map(|i| char::from(text(i))).collect::<String>(),
        "e": "é".repeat(32_768),
        "list": vec![0; 128_000],
        "objects": vec![json!({"a": [1, 2]}); 20_000],
        "times": vec!["2026-01-01T00:00:00Z"; 11_000],
        "time": format!("2026-01-01T00:00:00.{}Z", "0".repeat(200_000)),
    }));
    let later = "2027-01-01T00:00:00Z";
    for costly in [
        compare("ab", "matches", "[ab]*a[ab]{3000}[cd]"),
        compare("ab", "matches", "[ab]*a[ab]{300}[cd]"),
        compare("ab", "matches", "(?:a|b|ab|ba){1,200}c"),
        compare("e", "matches", r"\b(?:é?){500}x"),
        compare("e", "matches", r"(?i)\bzebra\b"),
        compare("ab", "matches", "urgent"),
        compare("ab", "contains", "ab".repeat(100) + "c"),
        compare("list", "contains", 1),
        compare("list", "contains", vec![1]),
        compare("objects", "contains", json!({"a": [1, 3]})),
        compare("times", "contains", later),
        compare("time", "gt", later),
        compare("time", "in", vec![later; 20]),
    ] {
        let many = Condition::restore(json!({"any": vec![costly.clone(); 50]}));
        let began = std::time::Instant::now();
        let outcome = many.expect("a condition").matches(&subject(&event));
        let taken = began.elapsed();
        assert_eq!(outcome, Err(TooCostly), "{costly}");
        // Steps are limited; they only take their nominal time in an optimized build.
        assert!(
            cfg!(debug_assertions) || taken.as_millis() < 25,
            "{taken:?} for {costly}"
        );
    }
}

#[test]
fn time_is_found_in_the_largest_event() {
    let data = json!({"times": vec!["2026-01-01T00:00:00Z"; 11_000]});
    let contains = |value: &str| condition(&compare("times", "contains", value)).on(&data);
    assert!(!contains("2027-01-01T00:00:00Z"));
    assert!(contains("2026-01-01T01:00:00+01:00"));
}
