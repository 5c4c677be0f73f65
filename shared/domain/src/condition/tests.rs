use proptest::prelude::*;

use super::*;
use crate::{event::Event, pattern::EventType};

fn condition(value: &Value) -> Condition {
    Condition::parse(value.clone()).unwrap_or_else(|problems| panic!("{value}: {problems:?}"))
}

fn event(data: Value) -> Event {
    Event {
        id: "evt_01K3S0M3ZC0000000000000000".parse().expect("an id"),
        kind: EventType::parse("chat").expect("a type"),
        timestamp: "2026-03-02T08:00:00Z".parse().expect("a time"),
        data,
        hops: 0,
    }
}

fn subject(event: &Event) -> Subject<'_> {
    let webhook = "wh_01K3S0M3ZC0000000000000000".parse().expect("an id");
    Subject {
        event,
        webhook,
        webhook_name: Some("CRM"),
    }
}

/// Evaluation for an event with this data.
trait On {
    fn on(&self, data: &Value) -> bool;
    fn explained(&self, data: &Value) -> Verdict;
}

impl On for Condition {
    fn on(&self, data: &Value) -> bool {
        self.matches(&subject(&event(data.clone())))
            .expect("within its steps")
    }

    fn explained(&self, data: &Value) -> Verdict {
        self.explain(&subject(&event(data.clone())))
    }
}

fn ticket() -> Value {
    json!({
        "id": 18_446_744_073_709_551_615_u64,
        "below": -9_007_199_254_740_993_i64,
        "price": 1.5,
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
        (
            "last_reply",
            "eq",
            json!({"author": "end_user", "x": 1}),
            false,
        ),
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
        ("tags.2.a", "eq", json!([1.0]), true),
        ("tags.2", "eq", json!({"a": [1, 2]}), false),
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
        let comparison = condition(&json!({"field": field, "op": op, "value": value}));
        assert_eq!(comparison.on(&ticket()), expected, "{field} {op} {value}");
    }
}

#[test]
fn missing_fields_match_only_negated_operators() {
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
        for field in ["gone", "text.author", "last_reply.author.0", "tags.vip"] {
            let comparison = condition(&json!({"field": field, "op": op, "value": value}));
            assert_eq!(comparison.on(&ticket()), expected, "{field} {op} {value}");
        }
    }
    assert!(condition(&json!({"field": "text", "op": "exists"})).on(&ticket()));
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

#[test]
fn invalid_conditions_are_reported() {
    let nested = |depth: usize| {
        (1..depth).fold(
            json!({"field": "a", "op": "exists"}),
            |inner, _| json!({"not": inner}),
        )
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
        (
            json!({"all": [nested(1)], "any": [nested(1)]}),
            vec!["/any"],
        ),
        (json!({"field": "a"}), vec!["/op"]),
        (json!({"field": "a", "value": 1}), vec!["/op"]),
        (json!({"op": "eq"}), vec!["/field", "/value"]),
        (
            json!({"field": "a..b", "op": "equals", "value": 1, "x": 1}),
            vec!["/field", "/op", "/x"],
        ),
        (json!({"field": "a", "op": "eq"}), vec!["/value"]),
        (
            json!({"field": "a", "op": "in", "value": "x"}),
            vec!["/value"],
        ),
        (
            json!({"field": "a", "op": "in", "value": []}),
            vec!["/value"],
        ),
        (
            json!({"field": "a", "op": "not_in", "value": vec![1; 101]}),
            vec!["/value"],
        ),
        (
            json!({"field": "a", "op": "gt", "value": null}),
            vec!["/value"],
        ),
        (
            json!({"field": "a", "op": "lte", "value": true}),
            vec!["/value"],
        ),
        (
            json!({"field": "a", "op": "starts_with", "value": 1}),
            vec!["/value"],
        ),
        (
            json!({"field": "a", "op": "exists", "value": 1}),
            vec!["/value"],
        ),
        (
            json!({"field": "a", "op": "matches", "value": "("}),
            vec!["/value"],
        ),
        (
            json!({"field": "a", "op": "matches", "value": "(?=x)"}),
            vec!["/value"],
        ),
        (
            json!({"field": "a", "op": "matches", "value": "((x{100}){100}){100}"}),
            vec!["/value"],
        ),
        (
            json!({"field": "a", "op": "matches", "value": "x".repeat(1_001)}),
            vec!["/value"],
        ),
        (
            json!({"not": {"all": [nested(1), {"field": 1, "op": "exists"}]}}),
            vec!["/not/all/1/field"],
        ),
        (many(11), vec![""]),
    ] {
        let problems = Condition::parse(wrong.clone()).expect_err("errors").0;
        let found: Vec<&str> = problems
            .iter()
            .map(|problem| problem.pointer.as_str())
            .collect();
        assert_eq!(found, pointers, "{wrong}");
    }
    let deep = Condition::parse(nested(11)).expect_err("errors").0;
    assert_eq!(deep[0].pointer, "/not".repeat(10));
    let regex = Condition::parse(json!({"field": "a", "op": "matches", "value": "a("}))
        .expect_err("errors")
        .0;
    assert_eq!(
        regex[0].detail,
        "must be a regular expression, such as `^order-[0-9]+$` (without look-around and backreferences)"
    );
}

#[test]
fn expressions_are_limited_separately_and_in_total() {
    let matches = |text: &str| json!({"field": "a", "op": "matches", "value": text});
    for usual in [
        r"^\w+@\w+\.\w+$",
        r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$",
        r"^ORD-\d{4}-\d{6}$",
        r"(?i)\b(refund|cancel|chargeback|invoice)\b",
        "^.{1,200}$",
    ] {
        assert!(Condition::parse(matches(usual)).is_ok(), "{usual}");
    }
    let detail = |wrong: Value| {
        Condition::parse(wrong)
            .expect_err("errors")
            .0
            .swap_remove(0)
    };
    for large in [
        r"^\w{3,20}$",
        "[ab]{5000}",
        "(?i)[\u{0}-\u{10ffff}]{0}a",
        r"(?i)[\W]{0}a",
        r"(?i)\p{any}{0}a",
        r"(?i)[[^a]b]{0}a",
        &r"[\w\w\w]{0}".repeat(80),
    ] {
        let one = detail(json!({"not": matches(large)}));
        assert_eq!(one.pointer, "/not/value", "{large}");
        assert!(
            one.detail.starts_with("is too large"),
            "{large}: {}",
            one.detail
        );
    }
    let many = |count: usize| json!({"any": vec![matches(r"^ORD-\d{4}$"); count]});
    assert!(Condition::parse(many(20)).is_ok());
    let together = detail(many(50));
    assert_eq!(together.pointer, "");
    assert!(together.detail.contains("in total"), "{}", together.detail);
    // Stored conditions load and match regardless.
    let saved = Condition::restore(many(50)).expect("a condition");
    assert!(saved.on(&json!({"a": "ORD-1234"})) && !saved.on(&json!({"a": 1})));
    let broken = Condition::restore(matches("(")).expect("a condition");
    assert!(!broken.on(&json!({"a": "("})));
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
    let matches = |field: &str, text: &str| json!({"field": field, "op": "matches", "value": text});
    let compare =
        |field: &str, op: &str, value: Value| json!({"field": field, "op": op, "value": value});
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
    let contains = |value: &str| json!({"field": "times", "op": "contains", "value": value});
    assert!(
        !Condition::parse(contains("2027-01-01T00:00:00Z"))
            .expect("a condition")
            .on(&data)
    );
    assert!(
        Condition::parse(contains("2026-01-01T01:00:00+01:00"))
            .expect("a condition")
            .on(&data)
    );
}

#[test]
fn released_expressions_use_no_memory_and_match_again() {
    let mut condition = Condition::restore(json!({"not": {"all": [
        {"field": "a", "op": "matches", "value": "^([a-z]{40}[0-9]{40}){20}$"},
        {"field": "b", "op": "matches", "value": "x"},
    ]}}))
    .expect("a condition");
    assert_eq!(condition.compiled_bytes(), 0);
    let data = json!({"a": "ab", "b": "x"});
    assert!(condition.on(&data));
    assert!(
        (20_000..200_000).contains(&condition.compiled_bytes()),
        "{}",
        condition.compiled_bytes()
    );
    condition.release();
    assert_eq!(condition.compiled_bytes(), 0);
    assert!(condition.on(&data));
}

#[test]
fn expressions_match_like_the_reference() {
    for (text, expression, expected) in [
        ("a\nb", r"a[\s\S]b", true),
        ("A\nB", r"(?i)a[\S\s]b", true),
        ("[x]", r"\[\s\S]", false),
        ("[ 1]", r"\[\s\S]", true),
        ("Grüße", r"\bGrüße\b", true),
        ("Grüße", r"\bße\b", false),
        ("Über", r"(?i)^über$", true),
        ("naïve zebra, café", r"\bzebra\b", true),
        ("naïve xzebra", r"\bzebra\b", false),
        ("é", r"^\w$", true),
        ("é", "^.$", true),
        ("é", "^..$", false),
        ("", "^$", true),
        ("", "x*", true),
        ("aé", r"a\B", true),
        ("a", r"a\b", true),
        ("é!", r"é\b!$", true),
        ("line\nend", "(?m)^end$", true),
        ("x", "x{2}", false),
    ] {
        let comparison = condition(&json!({"field": "a", "op": "matches", "value": expression}));
        assert_eq!(
            comparison.on(&json!({"a": text})),
            expected,
            "{expression} in {text:?}"
        );
    }
}

#[test]
fn envelope_names_are_fallbacks() {
    let data = json!({"a": [{"b": 1}]});
    for (field, value) in [
        ("type", json!("chat")),
        ("id", json!("evt_01K3S0M3ZC0000000000000000")),
        ("timestamp", json!("2026-03-02T09:00:00+01:00")),
        ("data.a.0.b", json!(1)),
        ("a[0].b", json!(1)),
    ] {
        let comparison = json!({"field": field, "op": "eq", "value": value});
        assert!(condition(&comparison).on(&data), "{field}");
        let own = json!({"type": "mine", "id": "mine", "timestamp": "mine", "data": {}, "a": []});
        assert!(!condition(&comparison).on(&own), "{field}");
    }
}

#[test]
fn event_and_webhook_fields_cannot_be_shadowed() {
    let data =
        json!({"event": {"type": "mine", "x": 1}, "webhook": {"name": "mine"}, "eventful": 1});
    for (field, value) in [
        ("event.type", json!("chat")),
        ("event.id", json!("evt_01K3S0M3ZC0000000000000000")),
        ("event.timestamp", json!("2026-03-02T09:00:00+01:00")),
        ("webhook.name", json!("CRM")),
        ("webhook.id", json!("wh_01K3S0M3ZC0000000000000000")),
        ("event", json!({"type": "mine", "x": 1})),
        ("eventful", json!(1)),
    ] {
        let comparison = json!({"field": field, "op": "eq", "value": value});
        assert!(condition(&comparison).on(&data), "{field}");
        assert_eq!(condition(&comparison).to_value(), comparison);
    }
    assert!(!condition(&json!({"field": "event.type", "op": "ne", "value": "chat"})).on(&data));
    for (wrong, said) in [
        ("event.kind", "`event.id`, `event.type`, `event.timestamp`"),
        ("event.type.x", "`event.id`"),
        ("webhook.url", "`webhook.id`, `webhook.name`"),
        ("secret.key", "secret"),
    ] {
        let comparison = json!({"field": wrong, "op": "exists"});
        let problem = Condition::parse(comparison.clone())
            .expect_err("a problem")
            .0
            .swap_remove(0);
        assert_eq!(problem.pointer, "/field");
        assert!(problem.detail.contains(said), "{}", problem.detail);
        assert!(Condition::restore(comparison).is_ok(), "{wrong}");
    }
    let event = event(data);
    let unnamed = Subject {
        webhook_name: None,
        ..subject(&event)
    };
    let named = condition(&json!({"field": "webhook.name", "op": "exists", "value": false}));
    assert_eq!(named.matches(&unnamed), Ok(true));
}

#[test]
fn long_texts_are_searched_up_to_the_limit() {
    let late = |length: usize| json!({"a": format!("{}urgent", "é".repeat(length / 2))});
    let urgent = condition(&json!({"field": "a", "op": "matches", "value": "urgent"}));
    assert!(urgent.on(&late(64 * 1024 - 6)) && !urgent.on(&late(64 * 1024 - 4)));
    assert!(urgent.on(&json!({"a": format!("urgent{}", "é".repeat(100_000))})));
}

#[test]
fn condition_size_is_limited() {
    let long = |bytes: usize| json!({"field": "a", "op": "eq", "value": "x".repeat(bytes)});
    let bare = long(0).to_string().len();
    assert!(Condition::parse(long(16 * 1024 - bare)).is_ok());
    let problems = Condition::parse(long(16 * 1024 - bare + 1))
        .expect_err("too long")
        .0;
    assert_eq!((problems[0].pointer.as_str(), problems.len()), ("", 1));
    assert!(Condition::restore(long(20_000)).is_ok());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-2..3i8).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
        ".*".prop_map(Value::from),
        Just(json!("2026-03-02T08:00:00Z")),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// JSON that is often a condition.
fn any_condition() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(op::PARSERS.map(|(name, _)| name).to_vec());
    let comparison = ("[ab](\\.[ab0])?", name, any_json())
        .prop_map(|(field, op, value)| json!({"field": field, "op": op, "value": value}));
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
        let _ = Condition::parse(json!({"field": "a", "op": "matches", "value": value}));
    }

    #[test]
    fn order_and_equality_agree(left in any_json(), right in any_json()) {
        let data = json!({"a": left});
        let holds = |op: &str| {
            Condition::parse(json!({"field": "a", "op": op, "value": right})).is_ok_and(|it| it.on(&data))
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
