use super::*;

#[test]
fn elements_meet_a_condition() {
    let data = json!({
        "labels": ["vip", "late"],
        "none": [],
        "items": [{"sku": "A1", "count": 2, "type": "x"}, {"sku": "B2", "count": 0, "type": "y"}],
        "grid": [[1, 2], [3]],
        "type": "mine",
    });
    let is = |value: Value| json!({"op": "eq", "value": value});
    for (name, array, inner, any, all) in [
        ("a label", "labels", is(json!("vip")), true, false),
        ("another label", "labels", is(json!("new")), false, false),
        (
            "labels with a letter",
            "labels",
            json!({"op": "matches", "value": "[pt]"}),
            true,
            true,
        ),
        ("an empty array", "none", is(json!(1)), false, true),
        ("no array", "type", is(json!("mine")), false, false),
        ("a missing array", "missing", is(json!(1)), false, false),
        ("a field", "items", compare("count", "gt", 0), true, false),
        (
            "a missing field",
            "items",
            compare("labels", "exists", false),
            true,
            true,
        ),
        (
            "the element's own type",
            "items",
            compare("type", "eq", "x"),
            true,
            false,
        ),
        (
            "the event's type",
            "items",
            compare("event.type", "eq", "chat"),
            true,
            true,
        ),
        (
            "an array of arrays",
            "grid",
            json!({"any_of": "0", "where": is(json!(1))}),
            false,
            false,
        ),
        (
            "two conditions on one element",
            "items",
            json!({"all": [compare("sku", "eq", "A1"), compare("count", "eq", 0)]}),
            false,
            false,
        ),
        (
            "a negation",
            "labels",
            json!({"not": is(json!("vip"))}),
            true,
            false,
        ),
    ] {
        for (quantifier, expected) in [("any_of", any), ("all_of", all)] {
            let condition = condition(&json!({quantifier: array, "where": inner}));
            assert_eq!(condition.on(&data), expected, "{quantifier} {name}");
        }
    }
    let of_grid = json!({"all_of": "grid", "where": {"field": "0", "op": "gte", "value": 1}});
    assert!(condition(&of_grid).on(&data));
}

#[test]
fn elements_are_written_as_they_were_read() {
    let value = json!({"any_of": "items", "where": {"all": [
        compare("sku", "eq", "A1"),
        {"all_of": "tags", "where": {"op": "ne", "value": "x"}},
    ]}});
    assert_eq!(condition(&value).to_value(), value);
    assert_eq!(Condition::restore(value.clone()), Ok(condition(&value)));
}

#[test]
fn elements_are_explained_as_one_comparison() {
    let inner = json!({"op": "eq", "value": "vip"});
    let condition = condition(&json!({"any_of": "labels", "where": inner}));
    let verdict = condition.explained(&json!({"labels": ["late", "vip"]}));
    assert!(verdict.matched);
    let [comparison] = verdict.comparisons.try_into().expect("one comparison");
    assert_eq!(
        (comparison.field.as_str(), comparison.op),
        ("labels", "any_of")
    );
    assert_eq!((comparison.value, comparison.outcome), (inner, true));
    assert_eq!(comparison.actual, Some(json!(["late", "vip"])));
}

#[test]
fn invalid_conditions_on_elements_are_rejected() {
    let valid = json!({"op": "eq", "value": 1});
    for (value, pointer, detail) in [
        (json!({"any_of": "labels"}), "/where", "is required"),
        (
            json!({"any_of": 1, "where": valid}),
            "/any_of",
            "must be a string",
        ),
        (
            json!({"any_of": "a..b", "where": valid}),
            "/any_of",
            "not a valid field path",
        ),
        (
            json!({"all_of": "secret.a", "where": valid}),
            "/all_of",
            "can't be a secret",
        ),
        (
            json!({"any_of": "a", "where": {"op": "equals"}}),
            "/where/op",
            "must be one of",
        ),
        (json!({"op": "eq", "value": 1}), "/field", "is required"),
    ] {
        let (found, text) = problem(value.clone());
        assert_eq!(found, pointer, "{value}");
        assert!(text.contains(detail), "{value}: {text}");
    }
    let both = json!({"any_of": "a", "all_of": "b", "where": valid});
    assert_eq!(problem(both).0, "/all_of");
    let many = json!({"any_of": "a", "where": {"any": vec![json!({"op": "eq", "value": 1}); 50]}});
    assert!(problem(many).1.contains("at most 50 comparisons"));
}

#[test]
fn many_elements_are_bounded() {
    let data = json!({"numbers": vec![0; 100_000]});
    let event = event(data);
    let condition = condition(&json!({"any_of": "numbers", "where": {"op": "eq", "value": 1}}));
    assert_eq!(condition.matches(&subject(&event)), Err(TooCostly));
}
