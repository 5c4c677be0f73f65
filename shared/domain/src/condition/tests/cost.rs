use super::*;

/// Steps that the evaluation of a comparison takes in addition to finding the field `a`.
fn steps_of(comparison: &Condition, a: &Value) -> usize {
    let (event, steps) = (event(json!({"a": a})), Steps::new());
    let _ = comparison.evaluate(&subject(&event), &steps);
    usize::try_from(steps.spent()).expect("a number") - COMPARISON_STEPS
}

#[test]
fn comparisons_cost_what_they_compare() {
    let (time, same) = (
        json!("2026-03-02T08:00:00Z"),
        json!("2026-03-02T09:00:00+01:00"),
    );
    for (actual, op, value, steps) in [
        (json!(1), "eq", json!(1), 5),
        (json!(null), "starts_with", json!("x"), 0),
        (json!([1, 2, 3]), "eq", json!([1, 2, 4]), 20),
        (json!([1, 2, 3]), "eq", json!([1, 2]), 5),
        (json!({"a": 1, "b": 2}), "eq", json!({"a": 1, "c": 2}), 10),
        (json!(1), "in", json!([0, 1, 2]), 10),
        (json!([[1, 2], 1]), "contains", json!([1, 3]), 20),
        (json!("0123456789"), "contains", json!("x"), 20),
        (time.clone(), "eq", time.clone(), 5),
        (time.clone(), "eq", same.clone(), 5 + 100 + 20 + 25),
        (time.clone(), "gt", same, 100 + 20 + 25),
        (time.clone(), "eq", json!("2026"), 5),
        (json!("2026"), "eq", time, 5),
    ] {
        let comparison = condition(&compare("a", op, value.clone()));
        assert_eq!(
            steps_of(&comparison, &actual),
            steps,
            "{actual} {op} {value}"
        );
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
    let text: String = (0..65_536_u32)
        .map(|i| {
            if i.wrapping_mul(2_654_435_761) >> 13 & 1 == 0 {
                'a'
            } else {
                'b'
            }
        })
        .collect();
    let accented = "é".repeat(32_768);
    let data = json!({
        "ab": text,
        "e": accented,
        "list": vec![0; 128_000],
        "objects": vec![json!({"a": [1, 2]}); 20_000],
        "times": vec!["2026-01-01T00:00:00Z"; 11_000],
        "time": format!("2026-01-01T00:00:00.{}Z", "0".repeat(200_000)),
    });
    let event = event(data);
    let matches = |field: &str, text: &str| compare(field, "matches", text);
    for (costly, bounded) in [
        (matches("ab", "[ab]*a[ab]{3000}[cd]"), true),
        (matches("ab", "[ab]*a[ab]{300}[cd]"), true),
        (matches("ab", "(?:a|b|ab|ba){1,200}c"), true),
        (matches("e", r"\b(?:é?){500}x"), true),
        (matches("e", r"(?i)\bzebra\b"), true),
        (matches("ab", "urgent"), true),
        (
            compare("ab", "contains", json!(format!("{}c", "ab".repeat(100)))),
            true,
        ),
        (compare("list", "contains", json!(1)), true),
        (compare("list", "contains", json!([1])), true),
        (compare("objects", "contains", json!({"a": [1, 3]})), true),
        (compare("list", "in", json!(vec![0; 100])), false),
        (
            compare("times", "contains", json!("2027-01-01T00:00:00Z")),
            true,
        ),
        (compare("time", "gt", json!("2027-01-01T00:00:00Z")), true),
        (
            compare("time", "in", json!(vec!["2027-01-01T00:00:00Z"; 20])),
            true,
        ),
    ] {
        let many =
            Condition::restore(json!({"any": vec![costly.clone(); 50]})).expect("a condition");
        let began = std::time::Instant::now();
        let outcome = many.matches(&subject(&event));
        let taken = began.elapsed();
        assert_eq!(
            outcome,
            if bounded { Err(TooCostly) } else { Ok(false) },
            "{costly}"
        );
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
