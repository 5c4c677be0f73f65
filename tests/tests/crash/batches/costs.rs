//! Calls and time per batch.

use std::time::{Duration, Instant};

use super::{counts, ten};
use serde_json::json;
use tests::{
    fake::sqs::Name,
    receiver::{Reply, Request},
};

/// Events that are not in their messages are read with the batch. Large data takes a second read.
#[tokio::test]
async fn event_not_in_its_message_is_read_with_the_batch() {
    for (size, reads) in [(32_700, 1), (100_000, 2)] {
        let mut system = super::super::system().await;
        system.webhook("hook", json!({"body": "{text}"})).await;
        let text = "x".repeat(size);
        system.publish("message", json!({"text": text})).await;
        system.step().await.expect("the event");
        assert!(
            system.fake.state().queues.on(Name::Deliveries)[0]
                .body
                .len()
                < 1000
        );
        system.begin_count();
        system.step().await.expect("the attempt");
        assert_eq!(
            system.fake.counts(),
            counts(&[("BatchGetItem", reads), ("PutItem", 1)])
        );
        assert_eq!(system.receiver.requests()[0].body.len(), text.len() + 2);
    }
}

/// An event with many matches is not included in its messages: the copies would exceed the
/// function's memory.
#[tokio::test]
async fn event_shared_by_many_deliveries_is_read_with_the_batch() {
    let mut system = super::super::system().await;
    for n in 0..40 {
        system
            .webhook(&format!("hook-{n}"), json!({"body": "{text}"}))
            .await;
    }
    for (size, carried) in [(20_000, true), (30_000, false)] {
        let text = "x".repeat(size);
        system.publish("message", json!({"text": text})).await;
        system.step().await.expect("the event");
        let queued = system.fake.state().queues.on(Name::Deliveries);
        assert!(
            queued
                .iter()
                .all(|message| (message.body.len() > size) == carried),
            "{size}"
        );
        system.run().await;
        let requests = system.receiver.requests();
        assert_eq!(
            requests
                .iter()
                .filter(|request| request.body.len() == size + 2)
                .count(),
            40
        );
    }
}

/// A hung endpoint delays no other delivery, and a batch of ten takes as long as one.
#[tokio::test]
async fn attempts_of_a_batch_run_concurrently() {
    for hung in [1, 10] {
        let mut system = super::super::system().await;
        ten(
            &system,
            json!({"timeout_seconds": 1, "retry": {"type": "none"}}),
        )
        .await;
        let mut count = 0;
        system.receiver.script(move |_: &Request| {
            count += 1;
            if count <= hung {
                Reply::hang()
            } else {
                Reply::status(200)
            }
        });
        system.publish("message", json!({})).await;
        system.step().await.expect("the event");
        let started = Instant::now();
        system.step().await.expect("the attempts");
        let took = started.elapsed();
        assert!(
            (Duration::from_secs(1)..Duration::from_secs(3)).contains(&took),
            "{took:?} for {hung}"
        );
        let requests = system.receiver.requests();
        assert_eq!(requests.len(), 10);
        assert!(
            requests
                .iter()
                .all(|request| request.instant - started < Duration::from_secs(1)),
            "all before the first timeout"
        );
    }
}
