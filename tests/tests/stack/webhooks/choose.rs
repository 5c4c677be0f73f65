//! Which events a webhook receives.

use serde_json::{Value, json};
use tests::{receiver::Receiver, stack::Stack};

#[tokio::test]
async fn conditions_select_events() {
    let stack = Stack::get();
    let data = json!({"author": "end_user", "count": 7, "tags": ["a", "b"], "note": null, "nested": {"list": [{"x": "é"}]}});
    let compare =
        |field: &str, op: &str, value: Value| json!({"field": field, "op": op, "value": value});
    let webhook = stack
        .webhook()
        .url("https://example.com/")
        .set("enabled", false)
        .create()
        .await;
    for (condition, matched) in [
        (compare("author", "eq", json!("end_user")), true),
        (compare("author", "ne", json!("end_user")), false),
        (compare("author", "in", json!(["agent", "end_user"])), true),
        (compare("author", "not_in", json!(["agent"])), true),
        (compare("author", "starts_with", json!("end")), true),
        (compare("author", "ends_with", json!("agent")), false),
        (compare("author", "contains", json!("d_u")), true),
        (
            compare("author", "matches", json!("^end_(user|customer)$")),
            true,
        ),
        (compare("tags", "contains", json!("b")), true),
        (compare("tags", "not_contains", json!("b")), false),
        (compare("count", "gt", json!(6)), true),
        (compare("count", "gte", json!(7)), true),
        (compare("count", "lt", json!(7)), false),
        (compare("count", "lte", json!(7)), true),
        (compare("nested.list.0.x", "eq", json!("é")), true),
        (compare("author", "exists", json!(true)), true),
        (compare("nothing", "exists", json!(true)), false),
        (compare("nothing", "eq", json!("x")), false),
        (
            json!({"all": [compare("count", "eq", json!(7)), compare("author", "eq", json!("agent"))]}),
            false,
        ),
        (
            json!({"any": [compare("count", "eq", json!(7)), compare("author", "eq", json!("agent"))]}),
            true,
        ),
        (
            json!({"not": compare("author", "eq", json!("agent"))}),
            true,
        ),
    ] {
        let patched = webhook.patch(json!({"conditions": null})).await;
        assert!(patched["conditions"].is_null());
        webhook.patch(json!({"conditions": condition})).await;
        let rendered = webhook.render("message", data.clone()).await;
        assert_eq!(rendered["matched"], matched, "{condition}: {rendered}");
    }
    for wrong in [
        compare("author", "like", json!("x")),
        compare("author", "matches", json!("(")),
        compare("author", "in", json!("x")),
        json!({"all": [], "any": []}),
        json!({}),
        json!("x"),
    ] {
        let response = stack
            .webhook()
            .url("https://example.com/")
            .set("conditions", wrong.clone())
            .try_create()
            .await;
        let pointers = response.pointers();
        assert!(
            pointers
                .iter()
                .all(|pointer| pointer.starts_with("/conditions")),
            "{wrong}: {pointers:?}"
        );
    }
}

#[tokio::test]
async fn unmatched_event_is_not_delivered() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let urgent = json!({"field": "priority", "op": "in", "value": ["high", "urgent"]});
    stack
        .webhook()
        .url(receiver.url())
        .events(["ticket.*"])
        .conditions(urgent)
        .create()
        .await;
    stack
        .webhook()
        .url(receiver.url())
        .set("enabled", false)
        .events(["ticket.*"])
        .create()
        .await;

    let low = stack
        .publish("ticket.created", json!({"priority": "low"}))
        .await;
    let other = stack.publish("message", json!({"priority": "high"})).await;
    let high = stack
        .publish("ticket.status_changed", json!({"priority": "high"}))
        .await;

    assert_eq!(receiver.only().await.header("webhook-id"), high);
    for event in [low, other] {
        assert_eq!(stack.event_read(&event).await["deliveries"], json!([]));
    }
}
