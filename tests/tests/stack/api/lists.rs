//! Lists: pages, cursors, filters.

use serde_json::{Value, json};
use tests::{
    receiver::Receiver,
    stack::{Stack, text},
};

fn ids(page: &Value) -> Vec<String> {
    page["data"]
        .as_array()
        .expect("data")
        .iter()
        .map(|item| text(item, "event_id"))
        .collect()
}

#[tokio::test]
async fn pages_are_ordered_newest_first() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = stack.webhook().url(receiver.url()).create().await;
    let mut published = Vec::new();
    for number in 0..5 {
        published.push(stack.publish("message", json!({"number": number})).await);
    }
    for event in &published {
        stack.delivery_until(event, &webhook, "succeeded").await;
    }
    published.reverse();

    let list = format!("/v1/deliveries?webhook_id={}", webhook.id);
    let all = stack.get_path(&list).await.expect(200);
    assert_eq!(ids(&all), published);
    assert!(all["next_cursor"].is_null());

    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = stack
            .get_path(&format!("{list}&limit=2{cursor}"))
            .await
            .expect(200);
        assert!(ids(&page).len() <= 2);
        seen.extend(ids(&page));
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, published);

    // A cursor is valid only for its own list, unmodified.
    let page = stack.get_path(&format!("{list}&limit=2")).await.expect(200);
    let cursor = text(&page, "next_cursor");
    let other_end = if cursor.ends_with('A') { "B" } else { "A" };
    let forged = format!("{}{other_end}", &cursor[..cursor.len() - 1]);
    for wrong in [forged.as_str(), "x", "AAAA", &published[0]] {
        stack
            .get_path(&format!("{list}&cursor={wrong}"))
            .await
            .problem(400);
    }
    stack
        .get_path(&format!("/v1/events?cursor={cursor}"))
        .await
        .problem(400);
}

#[tokio::test]
async fn invalid_list_parameters_are_rejected() {
    let stack = Stack::get();
    for path in [
        "/v1/webhooks",
        "/v1/events",
        "/v1/deliveries",
        "/v1/event-types",
    ] {
        for (query, pointers) in [
            ("limit=0", vec!["/limit"]),
            ("limit=101", vec!["/limit"]),
            ("limit=-1", vec!["/limit"]),
            ("limit=x&colour=red", vec!["/colour", "/limit"]),
            ("limit=1&limit=2", vec!["/limit"]),
        ] {
            assert_eq!(
                stack.get_path(&format!("{path}?{query}")).await.pointers(),
                pointers,
                "{path}?{query}"
            );
        }
        for limit in [1, 100] {
            stack
                .get_path(&format!("{path}?limit={limit}"))
                .await
                .expect(200);
        }
    }
    for (query, pointer) in [
        ("events?since=yesterday", "/since"),
        ("events?type=No+Type", "/type"),
        ("deliveries?status=lost", "/status"),
        ("deliveries?webhook_id=evt_x", "/webhook_id"),
        ("webhooks?enabled=maybe", "/enabled"),
    ] {
        assert_eq!(
            stack.get_path(&format!("/v1/{query}")).await.pointers(),
            [pointer],
            "{query}"
        );
    }
}
