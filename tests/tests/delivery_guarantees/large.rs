//! Large events.

use domain::{delivery::Status, id::DeliveryId};
use jiff::SignedDuration;
use platform::table::Key;
use serde_json::{Value, json};
use tests::{
    fake::{FaultPlan, sqs::Name},
    memory::{measures, peak_mib, reset_peak},
    receiver::Reply,
};

/// Data of 220 KB that takes 7 MB as parsed values.
fn zeros() -> Value {
    json!({"zeros": vec![0; 110_000]})
}

/// Rows of one day share four partitions, which large data would soon throttle.
#[tokio::test]
async fn large_data_is_stored_in_a_separate_partition() {
    let mut system = super::system().await;
    system.webhook("hook", json!({})).await;
    for (data, is_large) in [
        (json!({"text": "x".repeat(20_000)}), false),
        (zeros(), true),
    ] {
        let event = system.publish("message", data).await;
        system.step_on(&[Name::Events]).await.expect("the batch");
        let state = system.fake.state();
        let item = |key: Key| state.table.items().get(&(key.pk, key.sk)).cloned();
        let row = item(Key::event(event.id)).expect("a row");
        let own = item(Key::event_data(event.id));
        assert_eq!(
            (row.contains_key("data"), own.is_some()),
            (!is_large, is_large)
        );
        if let Some(own) = own {
            assert_eq!(own["expires_at"], row["expires_at"]);
            assert!(json!(row).to_string().len() < 1_000, "the row is small");
        }
    }
}

#[tokio::test]
async fn large_event_is_complete_in_first_attempt_retry_and_manual_retry() {
    let mut system = super::system().await;
    let webhook = system.webhook("hook", json!({})).await;
    let mut count = 0;
    system.receiver.script(move |_| {
        count += 1;
        Reply::status(if count == 1 { 500 } else { 200 })
    });
    let event = system.publish("message", zeros()).await;
    system.run().await;
    let id = DeliveryId {
        event: event.id,
        webhook: webhook.id,
    };
    // The event would expire during the retry's schedule.
    system.set_time(system.time() + SignedDuration::from_hours(29 * 24));
    system.retry(id, 0).await.expect("retried");
    system.run().await;
    let (row, _) = system.history(id).await.expect("a delivery");
    let requests = system.receiver.requests();
    assert_eq!((row.status, requests.len()), (Status::Succeeded, 3));
    for request in requests {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        assert!(body["data"] == event.data, "attempt with other data");
    }
    let state = system.fake.state();
    let expiry = |key: Key| state.table.items()[&(key.pk, key.sk)]["expires_at"].clone();
    assert_eq!(
        expiry(Key::event_data(event.id)),
        expiry(Key::event(event.id)),
        "both are extended"
    );
}

#[tokio::test]
async fn data_does_not_expire_before_a_later_row() {
    let mut system = super::system().await;
    system.webhook("hook", json!({})).await;
    let mut rows = 0;
    system.fake.plan(move |call| {
        let is_row = call.operation == "PutItem" && call.request["Item"]["matches"].is_object();
        rows += usize::from(is_row);
        if is_row && rows == 1 {
            FaultPlan::Fails("ResourceNotFoundException")
        } else {
            FaultPlan::NoFault
        }
    });
    let event = system.publish("message", zeros()).await;
    system.step_on(&[Name::Events]).await.expect("a failed try");
    system.set_time(system.time() + SignedDuration::from_hours(3));
    system.step_on(&[Name::Events]).await.expect("another try");
    let state = system.fake.state();
    let expiry = |key: Key| state.table.items()[&(key.pk, key.sk)]["expires_at"].clone();
    assert_eq!(
        expiry(Key::event_data(event.id)),
        expiry(Key::event(event.id))
    );
}

/// Parsed all at once, the events would take 70 MB.
#[tokio::test]
async fn batch_of_large_events_takes_little_memory() {
    if !measures("large::batch_of_large_events_takes_little_memory") {
        return;
    }
    let mut system = super::system().await;
    system.webhook("hook", json!({})).await;
    for _ in 0..10 {
        system.publish("message", zeros()).await;
    }
    while system.step_on(&[Name::Events]).await.is_some() {}
    reset_peak();
    let before = peak_mib();
    let (_, batch) = system.step_on(&[Name::Deliveries]).await.expect("a batch");
    let grown = peak_mib().saturating_sub(before);
    assert_eq!((batch.len(), system.receiver.requests().len()), (10, 10));
    assert!(grown < 50, "{grown} MiB");
}
