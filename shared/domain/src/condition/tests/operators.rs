use super::*;

fn ticket() -> Value {
    json!({
        "id": 18_446_744_073_709_551_615_u64,
        "below": -9_007_199_254_740_993_i64,
        "price": 1.5,
        "minus": -3,
        "one": 1.0,
        "text": "Grüße, Ana",
        "digits": "10",
        "at": "2026-03-02T10:00:00+02:00",
        "times": ["2026-03-02T10:00:00+02:00"],
        "day": "2026-03-02",
        "none": null,
        "flag": false,
        "tags": ["vip", 3, {"a": [1]}],
        "last_reply": {"author": "end_user"},
    })
}

#[test]
fn operators_compare_as_documented() {
    for (field, op, value, expected) in [
        ("last_reply.author", "eq", json!("end_user"), true),
        ("last_reply.author", "eq", json!("End_user"), false),
        ("last_reply", "eq", json!({"author": "end_user"}), true),
        ("last_reply", "ne", json!({}), true),
        ("one", "eq", json!(1), true),
        ("one", "eq", json!("1"), false),
        ("one", "eq", json!(true), false),
        ("digits", "eq", json!(10), false),
        ("none", "eq", json!(null), true),
        ("none", "ne", json!(null), false),
        ("none", "eq", json!(0), false),
        ("flag", "eq", json!(false), true),
        ("id", "eq", json!(18_446_744_073_709_551_615_u64), true),
        ("id", "eq", json!(18_446_744_073_709_551_614_u64), false),
        ("id", "eq", json!(18_446_744_073_709_551_616.0_f64), false),
        ("id", "lt", json!(18_446_744_073_709_551_616.0_f64), true),
        ("id", "gt", json!(-1), true),
        ("below", "lt", json!(-9_007_199_254_740_992.0_f64), true),
        ("below", "lt", json!(-9_007_199_254_740_992_i64), true),
        ("below", "gt", json!(-1e300), true),
        ("below", "lt", json!(0.5), true),
        ("minus", "eq", json!(-3.0), true),
        ("minus", "gt", json!(-3.5), true),
        ("tags.2.a", "eq", json!([1.0]), true),
        ("tags.2", "eq", json!({"a": [1, 2]}), false),
        ("tags.2", "eq", json!({"a": [1], "b": 1}), false),
        ("one", "in", json!(["1", 1]), true),
        ("one", "in", json!([[1]]), false),
        ("one", "not_in", json!([2, 3]), true),
        ("one", "not_in", json!([2, 1]), false),
        ("text", "contains", json!("üß"), true),
        ("text", "contains", json!("ana"), false),
        ("text", "contains", json!(1), false),
        ("tags", "contains", json!(3.0), true),
        ("tags", "contains", json!({"a": [1]}), true),
        ("tags", "contains", json!("vi"), false),
        ("last_reply", "contains", json!("author"), false),
        ("tags", "not_contains", json!("vip"), false),
        ("one", "not_contains", json!(1), true),
        ("text", "starts_with", json!("Grü"), true),
        ("text", "starts_with", json!("grü"), false),
        ("text", "starts_with", json!(""), true),
        ("one", "starts_with", json!("1"), false),
        ("text", "ends_with", json!("Ana"), true),
        ("text", "ends_with", json!("Grüße"), false),
        ("price", "gt", json!(1), true),
        ("price", "gt", json!(1.5), false),
        ("price", "gte", json!(1.5), true),
        ("price", "lt", json!(2), true),
        ("price", "lte", json!(1), false),
        ("one", "gte", json!(1), true),
        ("one", "lte", json!(1), true),
        ("price", "gt", json!("1"), false),
        ("price", "lt", json!("1"), false),
        ("digits", "lt", json!("9"), true),
        ("at", "eq", json!("2026-03-02T08:00:00Z"), true),
        ("at", "eq", json!("2026-03-02T08:00:00.000-00:00"), true),
        ("at", "eq", json!("2026-03-02T08:00:01Z"), false),
        ("at", "eq", json!("2026-03-02 08:00:00Z"), false),
        ("at", "ne", json!("2026-03-02T08:00:00Z"), false),
        ("at", "in", json!(["x", "2026-03-02t08:00:00z"]), true),
        ("at", "not_in", json!(["2026-03-02T08:00:00Z"]), false),
        ("at", "contains", json!("2026-03-02T08"), false),
        ("times", "contains", json!("2026-03-02T08:00:00Z"), true),
        ("at", "gte", json!("2026-03-02T08:00:00Z"), true),
        ("at", "lte", json!("2026-03-02T08:00:00.000Z"), true),
        ("at", "lt", json!("2026-03-02T08:00:00.001Z"), true),
        ("at", "lt", json!("2026-03-02T09:00:00Z"), true),
        ("at", "gt", json!("2026-03-02"), true),
        ("day", "lt", json!("2026-03-10"), true),
        ("tags", "gt", json!(0), false),
        ("none", "lte", json!(0), false),
        ("text", "exists", json!(true), true),
        ("none", "exists", json!(true), true),
        ("none", "exists", json!(false), false),
        ("tags.1", "exists", json!(true), true),
        ("tags.3", "exists", json!(true), false),
        ("text", "matches", json!("^Gr.{2}e, A"), true),
        ("text", "matches", json!("(?i)ANA$"), true),
        ("text", "matches", json!("^Ana"), false),
        ("digits", "matches", json!(r"^\d+$"), true),
        ("one", "matches", json!("1"), false),
    ] {
        let comparison = compare(field, op, value);
        assert_eq!(
            condition(&comparison).on(&ticket()),
            expected,
            "{comparison}"
        );
        assert_eq!(condition(&comparison).to_value(), comparison);
    }
}

#[test]
fn missing_fields_match_only_negated_operators() {
    let mut tested = Vec::new();
    for (op, value, expected) in [
        ("eq", json!(null), false),
        ("ne", json!(1), true),
        ("ne", json!(null), true),
        ("in", json!([null]), false),
        ("not_in", json!([1]), true),
        ("contains", json!(""), false),
        ("not_contains", json!(""), true),
        ("starts_with", json!(""), false),
        ("ends_with", json!(""), false),
        ("gt", json!(-1), false),
        ("gte", json!(""), false),
        ("lt", json!(1), false),
        ("lte", json!("z"), false),
        ("exists", json!(true), false),
        ("exists", json!(false), true),
        ("matches", json!(""), false),
    ] {
        tested.push(op);
        for field in ["gone", "text.author", "last_reply.author.0", "tags.vip"] {
            let comparison = condition(&compare(field, op, value.clone()));
            assert_eq!(comparison.on(&ticket()), expected, "{field} {op} {value}");
        }
    }
    tested.dedup();
    assert_eq!(tested, op::names());
    assert!(condition(&json!({"field": "text", "op": "exists"})).on(&ticket()));
}

#[test]
fn groups_combine_their_parts() {
    for (parts, all, any) in [
        ([true, true], true, true),
        ([true, false], false, true),
        ([false, true], false, true),
        ([false, false], false, false),
    ] {
        let parts = parts.map(|exists| compare("text", "exists", exists));
        let on = |group: Value| condition(&group).on(&ticket());
        assert_eq!(on(json!({"all": parts})), all, "{parts:?}");
        assert_eq!(on(json!({"any": parts})), any, "{parts:?}");
    }
}

#[test]
fn groups_are_evaluated_and_explained() {
    let both = condition(&json!({"any": [
        {"all": [{"field": "one", "op": "eq", "value": 2}, {"not": {"field": "flag", "op": "eq", "value": true}}]},
        {"field": "gone", "op": "exists", "value": false},
    ]}));
    let verdict = both.explained(&ticket());
    assert!(verdict.matched && both.on(&ticket()));
    assert_eq!(
        serde_json::to_value(&verdict.comparisons).expect("json"),
        json!([
            {"field": "one", "op": "eq", "value": 2, "actual": 1.0, "outcome": false},
            {"field": "flag", "op": "eq", "value": true, "actual": false, "outcome": false},
            {"field": "gone", "op": "exists", "value": false, "actual": null, "outcome": true},
        ])
    );
}

proptest! {
    #[test]
    fn order_and_equality_agree(left in any_json(), right in any_json()) {
        let data = json!({"a": left});
        let holds = |op: &str| {
            Condition::parse(compare("a", op, right.clone())).is_ok_and(|it| it.on(&data))
        };
        prop_assert_eq!(holds("eq"), !holds("ne"));
        prop_assert_eq!(holds("contains"), !holds("not_contains"));
        if left.is_number() && right.is_number() {
            prop_assert_eq!(holds("lt"), !holds("gte"));
            prop_assert_eq!(holds("gt"), !holds("lte"));
            prop_assert_eq!(holds("eq"), holds("lte") && holds("gte"));
        }
    }
}
