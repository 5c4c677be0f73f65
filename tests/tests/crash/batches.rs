//! Batches: what one message does never harms the others, and what each step costs.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use domain::{
    delivery::Status,
    id::{DeliveryId, WebhookId},
};
use platform::table::Key;
use serde_json::{Value, json};
use tests::{
    fake::{Call, FaultPlan, sqs::Name, system::System},
    receiver::{Reply, Request},
};

fn counts(wanted: &[(&str, usize)]) -> BTreeMap<String, usize> {
    wanted
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

/// Ten webhooks, `hook0` to `hook9`.
async fn ten(system: &System, fields: Value) -> Vec<WebhookId> {
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(system.webhook(&format!("hook{n}"), fields.clone()).await.id);
    }
    ids
}

#[tokio::test]
async fn poison_message_is_dead_lettered_and_the_rest_succeeds() {
    for (queue, requests) in [(Name::Events, 1), (Name::Deliveries, 1), (Name::Retries, 1)] {
        let mut system = super::system().await;
        system.webhook("hook", json!({})).await;
        system.publish("message", json!({})).await;
        if queue != Name::Events {
            system.step().await.expect("the event");
        }
        let poison = [
            "no JSON",
            "{}",
            "[]",
            r#"{"delivery":"dlv_1","number":1,"token":"t"}"#,
        ];
        for body in poison {
            system.put(queue, body.to_owned()).await;
        }
        // All of them in one batch.
        let good = system.fake.state().queues.next().expect("messages").1;
        let mut batch = system.fake.state().queues.receive(queue, system.time());
        if good != queue {
            batch.extend(system.fake.state().queues.receive(good, system.time()));
        }
        assert_eq!(batch.len(), poison.len() + 1, "{queue:?}");
        let answer = system.work(queue, &batch).await.expect("an answer");
        assert!(answer.batch_item_failures.is_empty(), "{queue:?}");
        system.run().await;
        assert_eq!(system.receiver.requests().len(), requests, "{queue:?}");
        let dead: BTreeSet<String> = system
            .fake
            .state()
            .queues
            .on(Name::Dead)
            .into_iter()
            .map(|message| message.body)
            .collect();
        assert_eq!(dead, poison.map(str::to_owned).into(), "{queue:?}");
    }
}

/// A poison message that can't be dead-lettered stays on its queue.
#[tokio::test]
async fn failed_dead_letter_is_redelivered() {
    for queue in [Name::Events, Name::Deliveries] {
        let mut system = super::system().await;
        system.put(queue, "no JSON".to_owned()).await;
        system.fake.plan(|call| {
            if call.operation == "SendMessage" {
                FaultPlan::Fails("InternalError")
            } else {
                FaultPlan::Answered
            }
        });
        system.step().await.expect("the poison");
        assert_eq!(system.fake.state().queues.on(queue).len(), 1, "{queue:?}");
        system.fake.plan(|_| FaultPlan::Answered);
        system.run().await;
        assert_eq!(
            system.fake.state().queues.on(Name::Dead).len(),
            1,
            "{queue:?}"
        );
    }
}

/// Whether the call is a write of the item with this key.
fn writes(call: &Call, key: &Key) -> bool {
    call.operation == "PutItem"
        && call.request["Item"]["pk"]["S"] == key.pk
        && call.request["Item"]["sk"]["S"] == key.sk
}

#[tokio::test]
async fn only_failed_messages_are_redelivered() {
    for code in [
        "ThrottlingException",
        "InternalServerError",
        "ProvisionedThroughputExceededException",
    ] {
        let mut system = super::system().await;
        let webhooks = ten(&system, json!({})).await;
        let event = system.publish("message", json!({})).await;
        system.step().await.expect("the event");
        let failing = DeliveryId {
            event: event.id,
            webhook: webhooks[3],
        };
        let key = Key::delivery(failing);
        system.fake.plan(move |call| {
            if writes(call, &key) {
                FaultPlan::Fails(code)
            } else {
                FaultPlan::Answered
            }
        });
        let batch = system
            .fake
            .state()
            .queues
            .receive(Name::Deliveries, system.time());
        let answer = system
            .work(Name::Deliveries, &batch)
            .await
            .expect("an answer");
        let bad = batch
            .iter()
            .find(|message| message.json()["delivery"] == failing.to_string())
            .expect("a message");
        let named: Vec<_> = answer
            .batch_item_failures
            .iter()
            .map(|failure| failure.item_identifier.as_str())
            .collect();
        assert_eq!(named, [bad.id.as_str()], "{code}");
        system.fake.plan(|_| FaultPlan::Answered);
        system.run().await;
        assert_eq!(system.receiver.requests().len(), 11, "{code}");
        for webhook in webhooks {
            let (row, attempts) = system
                .history(DeliveryId {
                    event: event.id,
                    webhook,
                })
                .await
                .expect("a delivery");
            assert_eq!(
                (row.status, attempts.len()),
                (Status::Succeeded, 1),
                "{code}"
            );
        }
    }
}

#[tokio::test]
async fn only_failed_events_are_redelivered() {
    let mut system = super::system().await;
    system.webhook("hook", json!({})).await;
    let bad = system.publish("message", json!({})).await;
    let good = system.publish("message", json!({})).await;
    let key = Key::event(bad.id);
    system.fake.plan(move |call| {
        if writes(call, &key) {
            FaultPlan::Fails("InternalServerError")
        } else {
            FaultPlan::Answered
        }
    });
    let batch = system
        .fake
        .state()
        .queues
        .receive(Name::Events, system.time());
    let answer = system.work(Name::Events, &batch).await.expect("an answer");
    assert_eq!(answer.batch_item_failures.len(), 1);
    assert_eq!(answer.batch_item_failures[0].item_identifier, batch[0].id);
    system.fake.plan(|_| FaultPlan::Answered);
    system.run().await;
    let heard: BTreeSet<String> = system
        .receiver
        .requests()
        .into_iter()
        .map(|request| request.webhook_id().to_owned())
        .collect();
    assert_eq!(heard, [bad.id.to_string(), good.id.to_string()].into());
}

/// A batch that can't be read, or a queue that takes nothing, costs time and no message.
#[tokio::test]
async fn service_outage_loses_nothing() {
    for operation in [
        "BatchGetItem",
        "Query",
        "SendMessageBatch",
        "GetSecretValue",
    ] {
        let mut system = super::system().await;
        system.webhook("hook", json!({})).await;
        system.restart();
        system.publish("message", json!({})).await;
        let mut left = 6;
        system.fake.plan(move |call| {
            if call.operation == operation && left > 0 {
                left -= 1;
                return FaultPlan::Fails("InternalServerError");
            }
            FaultPlan::Answered
        });
        system.run().await;
        assert_eq!(system.receiver.requests().len(), 1, "{operation}");
        assert!(
            system.fake.state().queues.on(Name::Dead).is_empty(),
            "{operation}"
        );
    }
}

#[tokio::test]
async fn successful_first_attempt_costs_one_read_and_one_write() {
    let mut system = super::system().await;
    system.webhook("hook", json!({})).await;
    for _ in 0..2 {
        system.publish("message", json!({})).await;
        system.begin_count();
        system.step().await.expect("the event");
        assert_eq!(
            system.fake.counts(),
            counts(&[("PutItem", 1), ("Query", 2), ("SendMessageBatch", 1)])
        );
        system.begin_count();
        system.step().await.expect("the attempt");
        assert_eq!(
            system.fake.counts(),
            counts(&[("BatchGetItem", 1), ("PutItem", 1)]),
            "the keyring is in memory"
        );
        assert!(system.step().await.is_none());
    }
}

#[tokio::test]
async fn batch_shares_its_reads() {
    let mut system = super::system().await;
    ten(&system, json!({})).await;
    system.publish("message", json!({})).await;
    system.begin_count();
    system.step().await.expect("the event");
    assert_eq!(
        system.fake.counts(),
        counts(&[("PutItem", 1), ("Query", 2), ("SendMessageBatch", 1)])
    );
    system.begin_count();
    let (_, batch) = system.step().await.expect("the attempts");
    assert_eq!(batch.len(), 10);
    assert_eq!(
        system.fake.counts(),
        counts(&[("BatchGetItem", 1), ("PutItem", 10)])
    );

    // The subscriptions to `message` and to `*`, once for all events of the type.
    for _ in 0..10 {
        system.publish("message", json!({})).await;
    }
    system.begin_count();
    let (_, batch) = system.step().await.expect("the events");
    assert_eq!(batch.len(), 10);
    assert_eq!(
        system.fake.counts(),
        counts(&[("PutItem", 10), ("Query", 2), ("SendMessageBatch", 10)])
    );
}

/// Events that messages don't include are read with the batch. Large data takes another read.
#[tokio::test]
async fn event_not_in_its_message_is_read_with_the_batch() {
    for (size, reads) in [(32_700, 1), (100_000, 2)] {
        let mut system = super::system().await;
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

/// An event that many want travels along with none of them: its copies would not fit the memory of
/// a function.
#[tokio::test]
async fn event_shared_by_many_deliveries_is_read_with_the_batch() {
    let mut system = super::system().await;
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

/// A hung endpoint delays no other delivery, and a whole batch of them takes as long as one.
#[tokio::test]
async fn attempts_of_a_batch_run_concurrently() {
    for hung in [1, 10] {
        let mut system = super::system().await;
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
