mod class_cost;
mod cost;
mod elements;
mod expressions;
mod fields;
mod operators;
mod parsing;

use proptest::prelude::*;

use super::*;
use crate::{event::Event, pattern::EventType};

fn condition(value: &Value) -> Condition {
    Condition::parse(value.clone()).unwrap_or_else(|problems| panic!("{value}: {problems:?}"))
}

fn compare(field: &str, op: &str, value: impl Into<Value>) -> Value {
    json!({"field": field, "op": op, "value": value.into()})
}

/// Pointer and text of the only problem.
fn problem(value: Value) -> (String, String) {
    let problems = Condition::parse(value).expect_err("a problem").0;
    let [problem] = problems.try_into().expect("one problem");
    (problem.pointer, problem.detail)
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
    Subject::of_event(event, webhook, Some("CRM"))
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
