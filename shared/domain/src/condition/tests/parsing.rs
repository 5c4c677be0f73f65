use super::*;

#[test]
fn invalid_conditions_are_reported() {
    let nested = |depth: usize| {
        let one = json!({"field": "a", "op": "exists"});
        (1..depth).fold(one, |inner, _| json!({"not": inner}))
    };
    let many = |each: usize| json!({"all": vec![json!({"any": vec![nested(1); each]}); 5]});
    assert!(Condition::parse(nested(10)).is_ok() && Condition::parse(many(10)).is_ok());
    for (wrong, pointers) in [
        (json!([]), vec![""]),
        (json!({}), vec![""]),
        (json!({"value": 1}), vec!["", "/value"]),
        (json!({"all": []}), vec!["/all"]),
        (json!({"any": {}}), vec!["/any"]),
        (json!({"not": []}), vec!["/not"]),
        (json!({"all": [nested(1)], "any": 1}), vec!["/any"]),
        (json!({"field": "a"}), vec!["/op"]),
        (json!({"field": "a", "value": 1}), vec!["/op"]),
        (json!({"op": "eq"}), vec!["/field", "/value"]),
        (
            json!({"field": "a..b", "op": "equals", "value": 1, "x": 1}),
            vec!["/field", "/op", "/x"],
        ),
        (
            json!({"not": {"all": [nested(1), {"field": 1, "op": "exists"}]}}),
            vec!["/not/all/1/field"],
        ),
        (many(11), vec![""]),
    ] {
        let problems = Condition::parse(wrong.clone()).expect_err("errors").0;
        let found: Vec<_> = problems.iter().map(|it| it.pointer.as_str()).collect();
        assert_eq!(found, pointers, "{wrong}");
    }
    assert_eq!(problem(nested(11)).0, "/not".repeat(10));
    assert_eq!(problem(many(11)).1, "must contain at most 50 comparisons");
}

#[test]
fn operands_of_other_types_are_rejected() {
    let list = "must be an array of 1 to 100 items";
    let regex = "must be a regular expression, such as `^order-[0-9]+$` \
                 (without look-around and backreferences)";
    for (op, value, detail) in [
        ("in", json!("x"), list),
        ("in", json!([]), list),
        ("not_in", json!(vec![1; 101]), list),
        ("gt", json!(null), "must be a number or a string"),
        ("lte", json!(true), "must be a number or a string"),
        ("starts_with", json!(1), "must be a string"),
        ("matches", json!(1), "must be a string"),
        ("exists", json!(1), "must be true or false"),
        ("matches", json!("("), regex),
        ("matches", json!("(?=x)"), regex),
    ] {
        let found = problem(compare("a", op, value));
        assert_eq!(found, ("/value".to_owned(), detail.to_owned()), "{op}");
    }
    assert!(Condition::parse(compare("a", "in", vec![1; 100])).is_ok());
}

#[test]
fn condition_size_is_limited() {
    let long = |bytes: usize| compare("a", "eq", "x".repeat(bytes));
    let bare = long(0).to_string().len();
    assert!(Condition::parse(long(16 * 1024 - bare)).is_ok());
    assert_eq!(problem(long(16 * 1024 - bare + 1)).0, "");
    assert!(Condition::restore(long(20_000)).is_ok());
}

/// JSON that is often a condition.
fn any_condition() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(op::names().to_vec());
    let comparison = ("[ab](\\.[ab0])?", name, any_json())
        .prop_map(|(field, op, value)| compare(&field, op, value));
    comparison.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| json!({"all": parts})),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| json!({"any": parts})),
            inner.prop_map(|part| json!({"not": part})),
        ]
    })
}

proptest! {
    #[test]
    fn conditions_round_trip_and_explain_their_result(value in any_condition(), data in any_json()) {
        if let Ok(condition) = Condition::parse(value.clone()) {
            prop_assert_eq!(condition.to_value(), value);
            let not = |condition: &Condition| Condition::Not(Box::new(condition.clone()));
            let matched = condition.on(&data);
            prop_assert_eq!(condition.explained(&data).matched, matched);
            prop_assert_eq!(condition.explained(&data).comparisons.len(), condition.size());
            prop_assert_eq!(not(&condition).on(&data), !matched);
            prop_assert_eq!(not(&not(&condition)).on(&data), matched);
        }
    }

    #[test]
    fn no_input_panics(value in any_json()) {
        let _ = Condition::parse(value.clone());
        let _ = Condition::parse(compare("a", "matches", value));
    }
}
