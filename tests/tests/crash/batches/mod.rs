//! Batches: no message affects the others, and each step has a fixed cost.

mod costs;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    delivery::Status,
    id::{DeliveryId, WebhookId},
};
use platform::table::Key;
use serde_json::{Value, json};
use tests::fake::{Call, FaultPlan, sqs::Name, system::System};

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
        // All of them are in one batch.
        let good = system.fake.state().queues.next().expect("messages").1;
        let mut batch = system.fake.state().queues.receive(queue, system.time());
        if good != queue {
            batch.extend(system.fake.state().queues.receive(good, system.time()));
        }
        assert_eq!(batch.len(), poison.len() + 1, "{queue:?}");
        let response = system.work(queue, &batch).await.expect("a response");
        assert!(response.batch_item_failures.is_empty(), "{queue:?}");
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
                FaultPlan::NoFault
            }
        });
        system.step().await.expect("the poison");
        assert_eq!(system.fake.state().queues.on(queue).len(), 1, "{queue:?}");
        system.fake.plan(|_| FaultPlan::NoFault);
        system.run().await;
        assert_eq!(
            system.fake.state().queues.on(Name::Dead).len(),
            1,
            "{queue:?}"
        );
    }
}

/// Whether the call writes the item with this key.
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
                FaultPlan::NoFault
            }
        });
        let batch = system
            .fake
            .state()
            .queues
            .receive(Name::Deliveries, system.time());
        let response = system
            .work(Name::Deliveries, &batch)
            .await
            .expect("a response");
        let bad = batch
            .iter()
            .find(|message| message.json()["delivery"] == failing.to_string())
            .expect("a message");
        let named: Vec<_> = response
            .batch_item_failures
            .iter()
            .map(|failure| failure.item_identifier.as_str())
            .collect();
        assert_eq!(named, [bad.id.as_str()], "{code}");
        system.fake.plan(|_| FaultPlan::NoFault);
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
            FaultPlan::NoFault
        }
    });
    let batch = system
        .fake
        .state()
        .queues
        .receive(Name::Events, system.time());
    let response = system.work(Name::Events, &batch).await.expect("a response");
    assert_eq!(response.batch_item_failures.len(), 1);
    assert_eq!(response.batch_item_failures[0].item_identifier, batch[0].id);
    system.fake.plan(|_| FaultPlan::NoFault);
    system.run().await;
    let heard: BTreeSet<String> = system
        .receiver
        .requests()
        .into_iter()
        .map(|request| request.webhook_id().to_owned())
        .collect();
    assert_eq!(heard, [bad.id.to_string(), good.id.to_string()].into());
}

/// An unreadable batch, or a queue that rejects messages, costs time but loses no message.
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
            FaultPlan::NoFault
        });
        system.run().await;
        assert_eq!(system.receiver.requests().len(), 1, "{operation}");
        assert!(
            system.fake.state().queues.on(Name::Dead).is_empty(),
            "{operation}"
        );
    }
}
