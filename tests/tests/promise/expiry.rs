//! Retention: whatever a chain of attempts reads lives as long as the chain, however old its
//! event's id is.

use domain::{
    delivery::{Status, derived_event_id},
    event::Event,
    id::DeliveryId,
    pattern::EventType,
};
use jiff::SignedDuration;
use platform::{queue::ascii_json, table::Key};
use serde_json::json;
use tests::fake::{receiver::Reply, sqs::Name, world::World};

const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

fn expires_at(world: &World, key: &Key) -> i64 {
    let state = world.fake.state();
    let item = &state.table.items()[&(key.pk.clone(), key.sk.clone())];
    item["expires_at"]["N"]
        .as_str()
        .and_then(|seconds| seconds.parse().ok())
        .expect("a number")
}

#[tokio::test]
async fn an_event_whose_id_carries_an_old_time_is_retried_and_shown() {
    let mut world = super::world().await;
    let webhook = world
        .webhook("owner", json!({"events": ["webhook.*"]}))
        .await;
    let kind = EventType::webhook_failing();
    let id = derived_event_id(
        &kind,
        "of long ago",
        world.time() - SignedDuration::from_hours(100 * 24),
    );
    let event = Event {
        id,
        kind,
        timestamp: world.time(),
        data: json!({}),
        hops: 0,
    };
    world
        .put(Name::Events, ascii_json(&event).expect("JSON"))
        .await;
    let mut count = 0;
    world.receiver.script(move |_| {
        count += 1;
        Reply::Status(if count < 3 { 500 } else { 200 })
    });
    world.run().await;
    let (row, attempts) = world
        .history(DeliveryId {
            event: id,
            webhook: webhook.id,
        })
        .await
        .expect("a delivery");
    assert_eq!(
        (row.status, attempts.len(), world.receiver.hits().len()),
        (Status::Succeeded, 3, 3)
    );
}

#[tokio::test]
async fn a_retry_shortly_before_its_event_expires_runs_to_the_end_of_its_schedule() {
    let mut world = super::world().await;
    let retry = json!({"retry": {"type": "custom", "delays_seconds": [86_400, 86_400, 86_400]}});
    let webhook = world.webhook("hook", retry).await;
    // The first try succeeds; the manual retry fails until its last attempt.
    let mut count = 0;
    world.receiver.script(move |_| {
        count += 1;
        Reply::Status(if (2..5).contains(&count) { 500 } else { 200 })
    });
    let event = world.publish("message", json!({})).await;
    world.run().await;
    let id = DeliveryId {
        event: event.id,
        webhook: webhook.id,
    };
    let started = world.time();
    world.set_time(event.timestamp + RETENTION - SignedDuration::from_mins(1));
    let again = world.retry(id, 0).await.expect("asked for");
    assert_eq!(again.status, Status::Retrying);
    world.run().await;
    let (row, _) = world.history(id).await.expect("a delivery");
    assert_eq!(
        (row.status, world.receiver.hits().len()),
        (Status::Succeeded, 5)
    );
    assert!(world.time() > event.timestamp + RETENTION && world.time() > started);
    let end = world.time().as_second();
    for key in [Key::event(event.id), Key::delivery(id)] {
        assert!(expires_at(&world, &key) > end + 20 * 86_400, "{key:?}");
    }
    assert!(world.fake.state().queues.on(Name::Dead).is_empty());
}

#[tokio::test]
async fn a_first_attempt_two_weeks_late_keeps_its_history_for_the_whole_retention() {
    let mut world = super::world().await;
    let webhook = world
        .webhook("hook", json!({"retry": {"type": "none"}}))
        .await;
    let event = world.publish("message", json!({})).await;
    world.step().await.expect("the event");
    world.set_time(world.time() + SignedDuration::from_hours(14 * 24));
    world.run().await;
    let id = DeliveryId {
        event: event.id,
        webhook: webhook.id,
    };
    let expected = (world.time() + RETENTION).as_second();
    assert_eq!(expires_at(&world, &Key::delivery(id)), expected);
}
