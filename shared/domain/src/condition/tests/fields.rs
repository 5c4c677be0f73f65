use super::*;

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
        let comparison = compare(field, "eq", value);
        assert!(condition(&comparison).on(&data), "{field}");
        let own = json!({"type": "mine", "id": "mine", "timestamp": "mine", "data": {}, "a": []});
        assert!(!condition(&comparison).on(&own), "{field}");
    }
}

#[test]
fn segments_may_be_quoted() {
    let data =
        json!({"First Name": "Zoë", "body": {"data[email]": "a@b.example"}, "event": {"type": 1}});
    for (field, shown, value) in [
        (r#""First Name""#, r#""First Name""#, json!("Zoë")),
        (
            "body.'data[email]'",
            r#"body."data[email]""#,
            json!("a@b.example"),
        ),
        (r#""event"."type""#, "event.type", json!("chat")),
    ] {
        let condition = condition(&compare(field, "eq", value));
        assert!(condition.on(&data), "{field}");
        assert_eq!(condition.to_value()["field"], shown);
    }
    let (pointer, detail) = problem(compare("First Name", "exists", true));
    assert_eq!(pointer, "/field");
    assert!(detail.contains(r#"`"First Name"`"#), "{detail}");
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
        let comparison = compare(field, "eq", value);
        assert!(condition(&comparison).on(&data), "{field}");
        assert_eq!(condition(&comparison).to_value(), comparison);
    }
    assert!(!condition(&compare("event.type", "ne", "chat")).on(&data));
    for (wrong, said) in [
        ("event.kind", "`event.id`, `event.type`, `event.timestamp`"),
        ("event.type.x", "`event.id`"),
        ("webhook.url", "`webhook.id`, `webhook.name`"),
        ("secret.key", "secret"),
        (r#""secret"."a key""#, "secret"),
        (r#"event."the type""#, "`event.id`"),
    ] {
        let comparison = compare(wrong, "exists", true);
        let (pointer, detail) = problem(comparison.clone());
        assert_eq!(pointer, "/field");
        assert!(detail.contains(said), "{detail}");
        assert!(Condition::restore(comparison).is_ok(), "{wrong}");
    }
    let event = event(data);
    let webhook = "wh_01K3S0M3ZC0000000000000000".parse().expect("an id");
    let unnamed = Subject::of_event(&event, webhook, None);
    let named = condition(&compare("webhook.name", "exists", false));
    assert_eq!(named.matches(&unnamed), Ok(true));
}

/// In documents of third parties, `event` and `webhook` are fields like any other.
#[test]
fn conditions_on_documents_use_fields_below_event_and_webhook() {
    let condition = json!({"all": [
        {"field": "event.kind", "op": "eq", "value": "in"},
        {"field": "event.type", "op": "eq", "value": "sms"},
        {"any_of": "webhook.tags", "where": {"field": "event.name", "op": "exists"}},
    ]});
    let condition = Condition::parse_for_documents(condition).expect("a condition");
    let is_met = |kind: &str| {
        let tags = json!([{"event": {"name": "a"}}]);
        let document = json!({"event": {"kind": kind, "type": "sms"}, "webhook": {"tags": tags}});
        condition.matches(&Subject::of_value(&document))
    };
    assert_eq!((is_met("in"), is_met("out")), (Ok(true), Ok(false)));
    let secret = json!({"field": "secret.x", "op": "exists"});
    assert!(Condition::parse_for_documents(secret).is_err());
}
