//! Unreadable rows do not affect the rows that are read with them.

use domain::{delivery::Status, id::DeliveryId, pattern::Pattern};
use jiff::SignedDuration;
use platform::table::Key;
use serde_json::{Value, json};
use tests::{
    fake::{sqs::Name, system::System},
    receiver::Reply,
};

/// Damages the items whose partition key begins with `prefix`, but only in responses to `request`.
fn damage(system: &System, prefix: &str, field: &str, request: impl Fn(&Value) -> bool) -> usize {
    let mut state = system.fake.state();
    let found = state
        .table
        .items()
        .iter()
        .filter(|(key, item)| key.0.starts_with(prefix) && request(&json!(item)));
    let mut found: Vec<Value> = found.map(|(_, item)| json!(item)).collect();
    for item in &mut found {
        item[field] = json!({"M": {"from": {"S": "the future"}}});
        state.table.seed(item.clone());
    }
    found.len()
}

#[tokio::test]
async fn unreadable_subscription_does_not_block_its_event_type() {
    for (field, text) in [
        ("webhook_id", None),
        ("conditions", Some("{\"op\": \"none that is known\"}")),
    ] {
        let mut system = super::system().await;
        let (bad, good) = (
            system.webhook("bad", json!({})).await,
            system.webhook("good", json!({})).await,
        );
        let of_bad = |item: &Value| item["sk"]["S"] == bad.id.to_string();
        assert_eq!(damage(&system, "subscription#", field, of_bad), 1);
        if let Some(text) = text {
            let key = Key::subscription(&Pattern::parse("message").expect("a pattern"), bad.id);
            let mut state = system.fake.state();
            let mut item = json!(state.table.items()[&(key.pk, key.sk)]);
            item[field] = json!({"S": text});
            state.table.seed(item);
        }
        let event = system.publish("message", json!({})).await;
        system.run().await;
        assert_eq!(
            system.event(&event).await.expect("an event").matches,
            [good.id],
            "{field}"
        );
        assert_eq!(system.receiver.requests().len(), 1);
    }
}

#[tokio::test]
async fn unreadable_row_fails_only_its_delivery() {
    for (prefix, field) in [("webhook#", "events"), ("deliveries#", "status")] {
        let mut system = super::system().await;
        let (bad, good) = (
            system.webhook("bad", json!({})).await,
            system.webhook("good", json!({})).await,
        );
        let event = system.publish("message", json!({})).await;
        system.step().await.expect("the event");
        let id = DeliveryId {
            event: event.id,
            webhook: bad.id,
        };
        if prefix == "deliveries#" {
            let key = Key::delivery(id);
            system
                .fake
                .state()
                .table
                .seed(json!({"pk": {"S": key.pk}, "sk": {"S": key.sk}}));
        }
        let of_bad = |item: &Value| {
            item["pk"]["S"]
                .as_str()
                .is_some_and(|pk| pk.contains(&bad.id.to_string()))
        };
        assert_eq!(damage(&system, prefix, field, of_bad), 1, "{prefix}");
        system.step().await.expect("the attempts");
        let requests: Vec<String> = system
            .receiver
            .requests()
            .into_iter()
            .map(|request| request.name().to_owned())
            .collect();
        assert_eq!(requests, ["good"], "{prefix}");
        let (row, _) = system
            .history(DeliveryId {
                event: event.id,
                webhook: good.id,
            })
            .await
            .expect("a delivery");
        assert_eq!(row.status, Status::Succeeded);
        let left = system.fake.state().queues.on(Name::Deliveries);
        assert_eq!(
            left.len(),
            1,
            "it is redelivered, and counts as neither stopped nor done"
        );
    }
}

#[tokio::test]
async fn sweeper_skips_unreadable_rows() {
    let mut system = super::system().await;
    let retry = json!({"retry": {"type": "custom", "delays_seconds": [600]}});
    let mut webhooks = Vec::new();
    for n in 0..4 {
        webhooks.push(system.webhook(&format!("hook{n}"), retry.clone()).await.id);
    }
    system.receiver.script(|_| Reply::status(500));
    system.publish("message", json!({})).await;
    system.step().await.expect("the event");
    system.step().await.expect("the attempts");
    let lost = system.fake.state().queues.on(Name::Retries);
    assert_eq!(lost.len(), 4);
    system
        .fake
        .state()
        .queues
        .delete(&lost.iter().map(|message| message.id.as_str()).collect());
    for (field, webhook) in [("awaited", webhooks[0]), ("schedule", webhooks[1])] {
        let of_it = |item: &Value| {
            item["pk"]["S"]
                .as_str()
                .is_some_and(|pk| pk.contains(&webhook.to_string()))
        };
        assert_eq!(damage(&system, "deliveries#", field, of_it), 1);
    }
    system.set_time(system.time() + SignedDuration::from_hours(2));
    let (sweeper, request) = (
        system.sweeper(),
        sweeper::Request {
            now: system.time().to_string(),
        },
    );
    let swept = system
        .at(sweeper::handle(
            &sweeper,
            &request,
            tests::fake::system::deadline(),
        ))
        .await
        .expect("swept");
    assert_eq!((swept.overdue, swept.sent), (2, 2));
}
