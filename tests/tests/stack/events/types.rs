//! Custom event types and filters by them.

use serde_json::json;
use tests::{
    receiver::Receiver,
    stack::{Stack, text, unique},
};

#[tokio::test]
async fn custom_event_type_is_delivered() {
    let stack = Stack::get();
    let kind = format!("{}.made", unique("own").replace(' ', "_"));
    let document = json!({"name": kind, "description": "Made by a test", "example": {"number": 7}});
    let created = stack
        .post("/v1/event-types", document.clone())
        .await
        .expect(201);
    assert_eq!(created["name"], kind.as_str());
    assert_eq!(created["built_in"], false);
    stack.post("/v1/event-types", document).await.problem(409);
    stack
        .post("/v1/event-types", json!({"name": "message"}))
        .await
        .problem(409);
    for name in ["", "Upper", "a..b", ".a", "a-b", "a b", &"a".repeat(101)] {
        assert_eq!(
            stack
                .post("/v1/event-types", json!({"name": name}))
                .await
                .pointers(),
            ["/name"],
            "{name}"
        );
    }

    let page = stack
        .get_path("/v1/event-types?limit=100")
        .await
        .expect(200);
    let listed: Vec<String> = page["data"]
        .as_array()
        .expect("data")
        .iter()
        .map(|item| text(item, "name"))
        .collect();
    for name in [
        &kind,
        "chat",
        "message",
        "insight.summary",
        "insight.topic",
        "insight.key",
        "insight.conversation",
        "insight.sentiment",
        "ticket.created",
        "ticket.updated",
        "ticket.reply_added",
        "ticket.status_changed",
        "ticket.assigned",
        "ticket.note_added",
        "ticket.requester_changed",
        "ticket.sla_breached",
        "ticket.merged",
        "ticket.frozen",
        "ticket.unfrozen",
        "ticket.mentioned",
        "ticket.rated",
        "sms.sent",
        "sms.delivered",
        "sms.failed",
        "sms.received",
        "email.sent",
        "email.delivered",
        "email.failed",
        "email.received",
        "chatbot.sent",
        "chatbot.delivered",
        "chatbot.failed",
        "chatbot.received",
        "call.status",
        "call.recording",
        "call.event",
        "call.incoming",
        "service.received",
        "credential.rotation_due_soon",
        "credential.rotation_due",
        "webhook.failing",
        "webhook.disabled",
        "webhook.delivery_failed",
    ] {
        assert!(
            listed.iter().any(|item| item == name),
            "{name} is not in {listed:?}"
        );
    }

    let receiver = Receiver::start();
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .set("events", json!([kind]))
        .create()
        .await;
    stack.publish(&kind, json!({"number": 8})).await;
    assert_eq!(receiver.only().await.json()["type"], kind.as_str());
    // A test sends its example.
    webhook.test(json!({})).await;
    assert_eq!(
        receiver.wait_for(2).await[1].json()["data"],
        json!({"number": 7})
    );
}

#[tokio::test]
async fn lists_are_filtered() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .events(["message", "chat"])
        .create()
        .await;
    let message = stack.publish("message", json!({})).await;
    let chat = stack.publish("chat", json!({})).await;
    for event in [&message, &chat] {
        stack.delivery_until(event, &webhook, "succeeded").await;
    }

    let events = async |query: &str| stack.listed(&format!("/v1/events?{query}"), "id").await;
    let listed = events("type=message").await;
    assert!(listed.contains(&message) && !listed.contains(&chat));
    assert_eq!(
        events("until=2020-01-01T00:00:00Z").await,
        Vec::<String>::new()
    );
    assert_eq!(
        events("since=2999-01-01T00:00:00Z").await,
        Vec::<String>::new()
    );
    assert!(events("since=2020-01-01T00:00:00Z").await.contains(&chat));

    let deliveries = async |query: String| {
        stack
            .listed(&format!("/v1/deliveries?{query}"), "event_id")
            .await
    };
    let id = &webhook.id;
    assert_eq!(
        deliveries(format!("webhook_id={id}")).await,
        [chat.as_str(), message.as_str()]
    );
    assert_eq!(
        deliveries(format!("webhook_id={id}&status=succeeded"))
            .await
            .len(),
        2
    );
    assert_eq!(
        deliveries(format!("webhook_id={id}&status=failed")).await,
        Vec::<String>::new()
    );
    assert_eq!(
        deliveries(format!("event_id={message}")).await,
        [message.as_str()]
    );
    assert_eq!(
        deliveries(format!("event_id={message}&webhook_id={id}&status=pending")).await,
        Vec::<String>::new()
    );
}
