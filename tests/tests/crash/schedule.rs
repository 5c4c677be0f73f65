//! Schedules of hours and days, composed of delays that SQS allows.

use domain::delivery::{DeliveryTask, Status};
use jiff::SignedDuration;
use platform::queue::ascii_json;
use serde_json::{Value, json};
use tests::{
    fake::{sqs::Name, system::System},
    receiver::{Reply, Request},
};

/// When the receiver was called, in seconds since the event, and the delivery's final status.
async fn calls(
    system: &mut System,
    retry: Value,
    mut response: impl FnMut(usize) -> Reply + Send + 'static,
) -> (Vec<i64>, Status) {
    let fields = if retry.is_null() {
        json!({})
    } else {
        json!({"retry": retry})
    };
    let webhook = system.webhook("hook", fields).await;
    let mut count = 0;
    system.receiver.script(move |_: &Request| {
        count += 1;
        response(count)
    });
    let (event, started) = (system.publish("message", json!({})).await, system.time());
    system.run().await;
    let times = system
        .receiver
        .requests()
        .iter()
        .map(|request| request.at.duration_since(started).as_secs())
        .collect();
    let id = domain::id::DeliveryId {
        event: event.id,
        webhook: webhook.id,
    };
    (
        times,
        system.history(id).await.expect("a delivery").0.status,
    )
}

#[tokio::test]
async fn default_policy_is_48_retries_30_minutes_apart() {
    let mut system = super::system().await;
    let (times, status) = calls(&mut system, Value::Null, |_| Reply::status(500)).await;
    assert_eq!(
        (times, status),
        ((0..=48).map(|n| n * 1800).collect(), Status::Failed)
    );
    // Each half hour is two waits of 900 s. Nothing else happens in between.
    let sent = system.fake.state().queues.sent().to_vec();
    let waits: Vec<i64> = sent
        .iter()
        .filter(|sent| sent.queue == Name::Retries)
        .map(|sent| sent.delay_seconds)
        .collect();
    assert_eq!(waits, [900; 96]);
    let emitted = sent
        .iter()
        .filter(|sent| sent.json()["type"] == "webhook.delivery_failed");
    assert_eq!(
        emitted
            .map(|sent| sent.json()["data"]["attempts"].clone())
            .collect::<Vec<_>>(),
        [json!(49)]
    );
    let counts = system.fake.counts();
    assert_eq!(
        (counts["TransactWriteItems"], counts["PutItem"]),
        (48 + 1, 1 + 1 + 2),
        "{counts:?}"
    );
    assert_eq!(
        counts["UpdateItem"], 2,
        "the first failure and the warning are written: {counts:?}"
    );
    assert!(system.fake.state().queues.on(Name::Dead).is_empty());
}

#[tokio::test]
async fn retries_follow_schedule_and_retry_after() {
    type Case = (Value, fn(usize) -> Reply, &'static [i64], Status);
    let fixed = json!({"type": "fixed", "interval_seconds": 1800, "duration_seconds": 7200});
    let failing = |n| {
        if n == 1 {
            Reply::retry_after(429, 3000)
        } else {
            Reply::status(500)
        }
    };
    let cases: [Case; 7] = [
        (
            fixed.clone(),
            failing,
            &[0, 3000, 5400, 7200],
            Status::Failed,
        ),
        (
            fixed.clone(),
            |_| Reply::retry_after(503, 10),
            &[0, 1800, 3600, 5400, 7200],
            Status::Failed,
        ),
        (
            fixed.clone(),
            |_| Reply::retry_after(500, 3000),
            &[0, 1800, 3600, 5400, 7200],
            Status::Failed,
        ),
        // Never past the end.
        (
            fixed,
            |_| Reply::retry_after(429, 80_000),
            &[0, 7200],
            Status::Failed,
        ),
        (
            json!({"type": "fixed", "interval_seconds": 2, "duration_seconds": 6}),
            |_| Reply::retry_after(429, 604_800),
            &[0, 6],
            Status::Failed,
        ),
        (
            json!({"type": "standard"}),
            |n| Reply::status(if n == 10 { 204 } else { 502 }),
            &[
                0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
            ],
            Status::Succeeded,
        ),
        (
            json!({"type": "custom", "delays_seconds": [1, 900, 901, 100_000]}),
            |_| Reply::status(418),
            &[0, 1, 901, 1802, 101_802],
            Status::Failed,
        ),
    ];
    for (retry, response, times, status) in cases {
        let mut system = super::system().await;
        assert_eq!(
            calls(&mut system, retry.clone(), response).await,
            (times.to_vec(), status),
            "{retry}"
        );
        assert!(
            system
                .fake
                .state()
                .queues
                .sent()
                .iter()
                .all(|sent| sent.delay_seconds <= 900)
        );
    }
}

#[tokio::test]
async fn message_requeued_too_often_is_dead_lettered() {
    let mut system = super::system().await;
    let webhook = system.webhook("hook", json!({})).await;
    let event = system.publish("message", json!({})).await;
    system.step().await.expect("the event");
    let first = system.fake.state().queues.on(Name::Deliveries)[0]
        .body
        .clone();
    let mut message: DeliveryTask = serde_json::from_str(&first).expect("a message");
    assert_eq!(
        message.delivery,
        domain::id::DeliveryId {
            event: event.id,
            webhook: webhook.id
        }
    );
    message.attempt.due_at = Some(system.time() + SignedDuration::from_hours(1));
    for (waits, on, dead) in [(1999, 1, 0), (2000, 0, 1)] {
        message.attempt.waits = waits;
        system
            .put(Name::Retries, ascii_json(&message).expect("JSON"))
            .await;
        let batch = system
            .fake
            .state()
            .queues
            .receive(Name::Retries, system.time());
        system.begin_count();
        system
            .work(Name::Retries, &batch)
            .await
            .expect("a response");
        assert_eq!(
            system.fake.counts(),
            [("SendMessage".to_owned(), 1)].into(),
            "without any other call"
        );
        let state = system.fake.state();
        assert_eq!(
            (
                state.queues.on(Name::Retries).len(),
                state.queues.on(Name::Dead).len()
            ),
            (on, dead),
            "{waits}"
        );
        drop(state);
        let ids = system.fake.state().queues.on(Name::Retries);
        system
            .fake
            .state()
            .queues
            .delete(&ids.iter().map(|message| message.id.as_str()).collect());
    }
    let dead = system.fake.state().queues.on(Name::Dead)[0].json();
    assert_eq!(
        (dead["waits"].clone(), dead["number"].clone()),
        (json!(2000), json!(1))
    );
    assert!(system.receiver.requests().is_empty());
}

#[tokio::test]
async fn delivery_read_during_an_attempt_is_consistent() {
    let mut system = super::system().await;
    let retry = json!({"retry": {"type": "custom", "delays_seconds": [5]}});
    let webhook = system.webhook("hook", retry).await;
    system.receiver.script(|_: &Request| Reply::status(500));
    let event = system.publish("message", json!({})).await;
    let id = domain::id::DeliveryId {
        event: event.id,
        webhook: webhook.id,
    };
    while system.history(id).await.is_none() {
        assert!(
            system
                .step_on(&[Name::Events, Name::Deliveries])
                .await
                .is_some(),
            "there is work left"
        );
    }
    let before = {
        let state = system.fake.state();
        let row = state
            .table
            .items()
            .iter()
            .find(|(key, _)| key.0.starts_with("deliveries#"));
        row.expect("a row").1.clone()
    };
    system.run().await;
    assert_eq!(system.history(id).await.expect("a delivery").1.len(), 2);
    // Simulates a row that was read before its second attempt was recorded, and attempts read after
    // that.
    system.fake.state().table.seed(before.into());
    let (row, attempts) = system.history(id).await.expect("a delivery");
    assert_eq!((row.status, attempts.len()), (Status::Retrying, 1));
}
