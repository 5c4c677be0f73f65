//! DynamoDB's TTL deletes late: reads treat expired items as missing.

use domain::id::{DeliveryId, EventId, WebhookId};
use jiff::SignedDuration;
use platform::{clock, random, table::Written};
use serde_json::{Value, json};

use crate::api::{Api, ids, texts};

/// Expires every item with a TTL. Returns their number.
fn expire(api: &Api) -> usize {
    let mut state = api.fake.state();
    let mut items: Vec<Value> = state
        .table
        .items()
        .values()
        .map(|item| json!(item))
        .collect();
    items.retain(|item| item.get("expires_at").is_some());
    for item in &mut items {
        item["expires_at"] = json!({"N": clock::now().as_second().to_string()});
        state.table.seed(item.clone());
    }
    items.len()
}

/// A late retry keeps the rows of an event that is older than the retention period.
#[tokio::test]
async fn row_older_than_the_retention_is_listed_and_replayed() {
    let api = Api::new().await;
    let hook = json!({"name": "hook", "url": "https://example.com/", "events": ["message"]});
    let webhook = api.post("webhooks", hook).await.expect(201)["id"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an id");
    let (_, day) = (
        api.event(ids(1, 0)[0], json!({}), &[webhook]).await,
        SignedDuration::from_hours(24),
    );
    let event = EventId::new(clock::now() - day * 40, 1);
    api.event(event, json!({}), &[webhook]).await;
    api.failed(DeliveryId { event, webhook }).await;
    let since = format!("since={}", clock::now() - day * 41);
    for (list, count) in [
        ("deliveries?status=failed".to_owned(), 1),
        (format!("deliveries?webhook_id={webhook}"), 1),
        (format!("deliveries?webhook_id={webhook}&{since}"), 2),
        (format!("deliveries?{since}"), 2),
        (format!("events?{since}"), 2),
    ] {
        assert_eq!(api.all(&list, 10).await.len(), count, "{list}");
    }
    let replayed = api
        .post(
            &format!("webhooks/{webhook}/replay"),
            json!({"status": "failed"}),
        )
        .await
        .expect(202);
    assert_eq!(replayed["count"], 1);
}

#[tokio::test]
async fn expired_item_is_not_found() {
    let api = Api::new().await;
    let webhook: WebhookId = random::id();
    let event = ids(1, 0)[0];
    api.event(event, json!({"n": 1}), &[webhook]).await;
    let delivery = api.failed(DeliveryId { event, webhook }).await;
    api.post("event-types", json!({"name": "own.type"}))
        .await
        .expect(201);
    let lists = [
        "events".to_owned(),
        "audit".to_owned(),
        format!("deliveries?webhook_id={webhook}"),
        "deliveries?status=failed".to_owned(),
    ];
    for list in &lists {
        assert!(!api.all(list, 100).await.is_empty(), "{list}");
    }
    // The audit log has entries for the first admin's user and credential, and for the type.
    assert_eq!(
        expire(&api),
        5,
        "the event, the delivery, three entries of the audit log"
    );
    for list in lists.iter().map(String::as_str).chain(["deliveries"]) {
        assert!(api.all(list, 100).await.is_empty(), "{list}");
    }
    api.get(&format!("events/{event}")).await.expect(404);
    api.get(&format!("deliveries/{}", delivery.id))
        .await
        .expect(404);
    // A new item replaces the expired one.
    let again = api.event(event, json!({"n": 2}), &[]).await;
    assert_eq!(again.event.parse().expect("an event").data, json!({"n": 2}));
    api.failed(delivery.id).await;
    assert_eq!(
        api.table
            .record(&delivery, None, None)
            .await
            .expect("answered"),
        Written::ConditionFailed
    );
    assert_eq!(
        texts(&api.all("events", 1).await, "id"),
        [event.to_string()]
    );
}
