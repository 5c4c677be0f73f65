//! Delayed deliveries in the API: what is shown, what a replay takes, what is refused.

use domain::{
    delivery::{Cancellation, Delivery, DeliveryTask},
    id::{DeliveryId, WebhookId},
};
use jiff::SignedDuration;
use platform::{
    clock,
    table::{Written, events::Dispatched},
};
use serde_json::{Value, json};
use tests::fake::sqs::Name;

use crate::api::{Api, ids, texts};

const DAY: u32 = 86_400;

/// Stores an event of two hours ago with a delay of a day.
async fn delayed(api: &Api, webhook: WebhookId) -> Dispatched {
    let id = ids(3, 3_600)[2];
    let stored = api.delayed_event(id, json!({}), [(webhook, DAY)]);
    clock::at(id.made_at(), stored).await
}

fn id(dispatched: &Dispatched, webhook: WebhookId) -> DeliveryId {
    DeliveryId {
        event: dispatched.event.id,
        webhook,
    }
}

#[tokio::test]
async fn delayed_delivery_is_pending_until_its_time() {
    let api = Api::new().await;
    let webhook = api.message_webhook(json!({"delay_seconds": DAY})).await;
    let dispatched = delayed(&api, webhook).await;
    let due = dispatched.event.id.made_at() + SignedDuration::from_hours(24);
    let path = format!("deliveries/{}", id(&dispatched, webhook));
    let list = format!("deliveries?webhook_id={webhook}&status=pending");
    for seen in [
        api.get(&path).await.expect(200),
        api.all(&list, 10).await[0].clone(),
    ] {
        assert_eq!(seen["status"], "pending");
        assert_eq!(seen["reason"], Value::Null);
        assert_eq!(seen["next_attempt_at"], domain::time::show_millis(due));
    }
    // It is not lost: its message waits.
    let replay = format!("webhooks/{webhook}/replay");
    let missed = api
        .post(&replay, json!({"status": "missed"}))
        .await
        .expect(202);
    assert_eq!(missed["count"], 0);
    // But it can be sent now.
    let retried = api.post_nothing(&format!("{path}/retry")).await.expect(202);
    assert_eq!(retried["status"], "retrying");
    let queued = api.fake.state().queues.on(Name::Deliveries);
    let task: DeliveryTask = serde_json::from_str(&queued[0].body).expect("a task");
    assert_eq!((task.delay_ends_at, queued.len()), (None, 1));
}

/// A superseded delivery is shown as cancelled at once, not only when its delay ends.
#[tokio::test]
async fn superseded_delivery_is_cancelled_during_its_delay() {
    let api = Api::new().await;
    let unless = json!({"events": ["chat"], "key": "id"});
    let fields = json!({"delay_seconds": DAY, "unless": unless});
    let webhook = api.message_webhook(fields).await;
    let events = ids(3, 3_600);
    let (newest, oldest) = (events[0], events[2]);
    for (event, key) in [(oldest, 7), (events[1], 8)] {
        api.delayed_event(event, json!({"id": key}), [(webhook, DAY)])
            .await;
    }
    let path = domain::path::Path::parse("id").expect("a path");
    let fingerprint = domain::webhook::delay::fingerprint(&path, &json!({"id": 7}));
    let fingerprint = fingerprint.expect("a value");
    let record = api
        .table
        .record_superseding(webhook, &fingerprint, newest, clock::now());
    record.await.expect("written");
    let reason = format!("superseded by {newest}");
    let id = |event| DeliveryId { event, webhook };
    let one = api
        .get(&format!("deliveries/{}", id(oldest)))
        .await
        .expect(200);
    let of_event = api.get(&format!("events/{oldest}")).await.expect(200);
    for seen in [&one, &of_event["deliveries"][0]] {
        assert_eq!(
            (&seen["status"], &seen["reason"]),
            (&json!("cancelled"), &json!(reason))
        );
        assert_eq!(seen["next_attempt_at"], Value::Null);
    }
    for (filter, event) in [("cancelled", oldest), ("pending", events[1])] {
        for of in [format!("webhook_id={webhook}&"), String::new()] {
            let list = api
                .all(&format!("deliveries?{of}status={filter}"), 10)
                .await;
            assert_eq!(texts(&list, "id"), [id(event).to_string()], "{of}{filter}");
        }
    }
}

#[tokio::test]
async fn cancelled_delivery_shows_its_reason() {
    let api = Api::new().await;
    let webhook = api.message_webhook(json!({"delay_seconds": DAY})).await;
    let dispatched = delayed(&api, webhook).await;
    let (id, event) = (id(&dispatched, webhook), ids(1, 0)[0]);
    let path = format!("deliveries/{id}");
    let reason = async || api.get(&path).await.expect(200)["reason"].take();
    api.patch(&format!("webhooks/{webhook}"), json!({"enabled": false}))
        .await
        .expect(200);
    assert_eq!(reason().await, "webhook disabled");
    let task = DeliveryTask::first(id, String::new(), dispatched.dispatched_at, None);
    let row = Delivery::new(&task, &dispatched.event.kind, clock::now());
    let superseded = row.cancelled(Cancellation::Superseded(event), clock::now());
    let written = api.table.record(&superseded, None, None).await;
    assert_eq!(written.expect("written"), Written::Yes);
    assert_eq!(reason().await, format!("superseded by {event}"));
}

#[tokio::test]
async fn deliveries_stopped_during_their_delay_are_listed_and_replayed() {
    let api = Api::new().await;
    let webhook = api.message_webhook(json!({"delay_seconds": DAY})).await;
    let dispatched = delayed(&api, webhook).await;
    for enabled in [false, true] {
        let change = json!({"enabled": enabled});
        api.patch(&format!("webhooks/{webhook}"), change)
            .await
            .expect(200);
    }
    let list = format!("deliveries?webhook_id={webhook}&status=cancelled");
    let cancelled = api.all(&list, 10).await;
    assert_eq!(cancelled[0]["id"], id(&dispatched, webhook).to_string());
    assert_eq!(
        (&cancelled[0]["reason"], cancelled.len()),
        (&json!("webhook disabled"), 1)
    );
    let replay = format!("webhooks/{webhook}/replay");
    for count in [1, 0] {
        let missed = api
            .post(&replay, json!({"status": "missed"}))
            .await
            .expect(202);
        assert_eq!(missed["count"], count);
    }
}

#[tokio::test]
async fn replay_leaves_out_superseded_deliveries() {
    let api = Api::new().await;
    let webhook = api.message_webhook(json!({"delay_seconds": DAY})).await;
    for (event, reason) in ids(2, 0).into_iter().zip([
        Cancellation::Disabled,
        Cancellation::Superseded(ids(1, 0)[0]),
    ]) {
        let dispatched = api.event(event, json!({}), &[webhook]).await;
        let id = id(&dispatched, webhook);
        let task = DeliveryTask::first(id, String::new(), dispatched.dispatched_at, None);
        let row = Delivery::new(&task, &dispatched.event.kind, clock::now());
        let row = row.cancelled(reason, clock::now());
        let written = api.table.record(&row, None, None).await;
        assert_eq!(written.expect("written"), Written::Yes);
    }
    let replay = format!("webhooks/{webhook}/replay");
    let replayed = api
        .post(&replay, json!({"status": "cancelled"}))
        .await
        .expect(202);
    assert_eq!(replayed["count"], 1);
}

/// The order of a batch is the order of acceptance, even within one millisecond.
#[tokio::test]
async fn events_of_a_batch_have_ascending_ids() {
    let api = Api::new().await;
    let events = vec![json!({"type": "message", "data": {}}); 100];
    let batch = api
        .post("events/batch", json!({"events": events}))
        .await
        .expect(202);
    let results = batch["results"].as_array().expect("results");
    let ids: Vec<_> = results
        .iter()
        .map(|result| result["id"].to_string())
        .collect();
    assert!(ids.is_sorted(), "{ids:?}");
}

#[tokio::test]
async fn delay_and_rule_are_saved_changed_and_removed() {
    let api = Api::new().await;
    let rule = json!({"events": ["ticket.*", "chat"], "key": "data.ticket[0].\"the id\""});
    let shown = json!({"events": ["ticket.*", "chat"], "key": "data.ticket.0.\"the id\""});
    let webhook = api
        .message_webhook(json!({"delay_seconds": 60, "unless": rule}))
        .await;
    let path = format!("webhooks/{webhook}");
    let read = api.get(&path).await.expect(200);
    assert_eq!(
        (&read["delay_seconds"], &read["unless"]),
        (&json!(60), &shown)
    );
    let patched = api
        .patch(&path, json!({"unless": {"key": "id"}}))
        .await
        .expect(200);
    assert_eq!(patched["unless"]["key"], "id");
    assert_eq!(patched["unless"]["events"], shown["events"]);
    // The rule needs a delay.
    let problem = api
        .patch(&path, json!({"delay_seconds": null}))
        .await
        .problem(422);
    assert_eq!(problem["errors"][0]["pointer"], "/unless");
    let removed = json!({"delay_seconds": null, "unless": null});
    let patched = api.patch(&path, removed).await.expect(200);
    assert_eq!(
        (&patched["delay_seconds"], &patched["unless"]),
        (&json!(0), &Value::Null)
    );
}

#[tokio::test]
async fn unknown_types_in_the_rule_are_refused() {
    let api = Api::new().await;
    let document = json!({
        "name": "hook", "url": "https://example.com/", "events": ["mesage"], "delay_seconds": 60,
        "unless": {"events": ["chat", "ticket.replied"], "key": "id"},
    });
    let mut wrong = document.clone();
    wrong["colour"] = json!("red");
    for (document, pointers) in [
        (document, vec!["/events/0", "/unless/events/1"]),
        (wrong, vec!["/colour", "/events/0", "/unless/events/1"]),
    ] {
        let problem = api.post("webhooks", document).await;
        assert_eq!(problem.pointers(), pointers);
    }
    // A custom type can't be deleted while a rule uses it.
    let own = json!({"name": "order.paid", "description": "An order was paid.", "example": {}});
    api.post("event-types", own).await.expect(201);
    let rule = json!({"events": ["order.paid"], "key": "id"});
    let webhook = api
        .message_webhook(json!({"delay_seconds": 60, "unless": rule}))
        .await;
    let problem = api.delete("event-types/order.paid").await.problem(409);
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.contains(&webhook.to_string()), "{detail}");
    let removed = json!({"unless": null});
    api.patch(&format!("webhooks/{webhook}"), removed)
        .await
        .expect(200);
    api.delete("event-types/order.paid").await.expect(204);
}
