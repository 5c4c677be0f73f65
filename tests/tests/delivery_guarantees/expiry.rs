//! Retention: everything that a chain of attempts reads lives as long as the chain, however old the
//! event's ID is.

use domain::{
    delivery::Status,
    event::{Event, derived_id},
    id::DeliveryId,
    pattern::EventType,
};
use jiff::SignedDuration;
use platform::{queue::ascii_json, table::Key};
use serde_json::json;
use tests::{
    fake::{sqs::Name, system::System},
    receiver::Reply,
};

const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

fn expires_at(system: &System, key: &Key) -> i64 {
    let state = system.fake.state();
    let item = &state.table.items()[&(key.pk.clone(), key.sk.clone())];
    item["expires_at"]["N"]
        .as_str()
        .and_then(|seconds| seconds.parse().ok())
        .expect("a number")
}

#[tokio::test]
async fn event_with_an_old_id_is_retried_and_shown() {
    let mut system = super::system().await;
    let webhook = system
        .webhook("owner", json!({"events": ["webhook.*"]}))
        .await;
    let kind = EventType::webhook_failing();
    let id = derived_id(
        &kind,
        "of long ago",
        system.time() - SignedDuration::from_hours(100 * 24),
    );
    let event = Event {
        id,
        kind,
        timestamp: system.time(),
        data: json!({}),
        hops: 0,
    };
    system
        .put(Name::Events, ascii_json(&event).expect("JSON"))
        .await;
    let mut count = 0;
    system.receiver.script(move |_| {
        count += 1;
        Reply::status(if count < 3 { 500 } else { 200 })
    });
    system.run().await;
    let (row, attempts) = system
        .history(DeliveryId {
            event: id,
            webhook: webhook.id,
        })
        .await
        .expect("a delivery");
    assert_eq!(
        (row.status, attempts.len(), system.receiver.requests().len()),
        (Status::Succeeded, 3, 3)
    );
}

#[tokio::test]
async fn retry_near_event_expiry_completes_its_schedule() {
    let mut system = super::system().await;
    let retry = json!({"retry": {"type": "custom", "delays_seconds": [86_400, 86_400, 86_400]}});
    let webhook = system.webhook("hook", retry).await;
    // The first attempt succeeds; the manual retry fails until its last attempt.
    let mut count = 0;
    system.receiver.script(move |_| {
        count += 1;
        Reply::status(if (2..5).contains(&count) { 500 } else { 200 })
    });
    let event = system.publish("message", json!({})).await;
    system.run().await;
    let id = DeliveryId {
        event: event.id,
        webhook: webhook.id,
    };
    let started = system.time();
    system.set_time(event.timestamp + RETENTION - SignedDuration::from_mins(1));
    let again = system.retry(id, 0).await.expect("requested");
    assert_eq!(again.status, Status::Retrying);
    system.run().await;
    let (row, _) = system.history(id).await.expect("a delivery");
    assert_eq!(
        (row.status, system.receiver.requests().len()),
        (Status::Succeeded, 5)
    );
    assert!(system.time() > event.timestamp + RETENTION && system.time() > started);
    let end = system.time().as_second();
    for key in [Key::event(event.id), Key::delivery(id)] {
        assert!(expires_at(&system, &key) > end + 20 * 86_400, "{key:?}");
    }
    assert!(system.fake.state().queues.on(Name::Dead).is_empty());
}

#[tokio::test]
async fn late_first_attempt_keeps_its_history_for_the_whole_retention() {
    let mut system = super::system().await;
    let webhook = system
        .webhook("hook", json!({"retry": {"type": "none"}}))
        .await;
    let event = system.publish("message", json!({})).await;
    system.step().await.expect("the event");
    system.set_time(system.time() + SignedDuration::from_hours(14 * 24));
    system.run().await;
    let id = DeliveryId {
        event: event.id,
        webhook: webhook.id,
    };
    let expected = (system.time() + RETENTION).as_second();
    assert_eq!(expires_at(&system, &Key::delivery(id)), expected);
}
