//! Deleting and disabling permanently stop every call that has not begun.

use domain::{
    condition,
    delivery::Status,
    id::{DeliveryId, WebhookId},
    webhook::{Settings, Webhook},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tests::{
    fake::{
        FaultPlan,
        system::{System, entry},
    },
    receiver::Reply,
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stop {
    Delete,
    Disable,
    DisableAndEnable,
}

fn switch(enabled: bool) -> impl FnOnce(Webhook, Timestamp) -> Webhook {
    move |webhook, now| {
        let settings = Settings {
            enabled,
            ..webhook.settings.clone()
        };
        webhook.changed(settings, now)
    }
}

async fn stop(system: &mut System, id: WebhookId, how: Stop) {
    if how == Stop::Delete {
        let webhook = system.stored_webhook(id).await.expect("a webhook");
        return system
            .at(system
                .delivery
                .table
                .delete_webhook(&webhook, &entry(&webhook)))
            .await
            .expect("deleted");
    }
    system.change(id, switch(false)).await;
    if how == Stop::DisableAndEnable {
        system.set_time(system.time() + SignedDuration::from_secs(1));
        system.change(id, switch(true)).await;
    }
}

#[tokio::test]
async fn disabled_webhook_cancels_queued_deliveries() {
    // Stopped before the dispatch, before the first attempt, and before the second.
    for steps in 0..=2 {
        for how in [Stop::Delete, Stop::Disable, Stop::DisableAndEnable] {
            let mut system = super::system().await;
            let retry = json!({"retry": {"type": "custom", "delays_seconds": [600]}});
            let webhook = system.webhook("hook", retry).await;
            system.receiver.script(|_| Reply::status(500));
            let event = system.publish("message", json!({})).await;
            for _ in 0..steps {
                system.step().await.expect("a step");
            }
            stop(&mut system, webhook.id, how).await;
            // A cancelled message may be received twice as well.
            let copies = {
                let state = system.fake.state();
                state
                    .queues
                    .next()
                    .map_or(vec![], |(_, queue)| state.queues.on(queue))
            };
            for copy in &copies {
                system.fake.state().queues.copy(copy);
            }
            system.run().await;

            let what = format!("after {steps} steps, {how:?}");
            let history = system
                .history(DeliveryId {
                    event: event.id,
                    webhook: webhook.id,
                })
                .await;
            let made = system.receiver.requests().len();
            match (steps, how) {
                // Not yet dispatched: it matches the webhooks that exist at dispatch.
                (0, Stop::DisableAndEnable) => {
                    assert_eq!(
                        history.expect("a delivery").0.status,
                        Status::Failed,
                        "{what}"
                    );
                }
                (0, _) => assert_eq!((history, made), (None, 0), "{what}"),
                _ => {
                    let (row, attempts) = history.expect("a delivery");
                    let earlier = usize::from(steps == 2);
                    assert_eq!(
                        (row.status, row.progress.awaited),
                        (Status::Cancelled, None),
                        "{what}"
                    );
                    assert_eq!((made, attempts.len()), (earlier, earlier), "{what}");
                }
            }

            if how == Stop::DisableAndEnable {
                system.receiver.script(|_| Reply::status(200));
                system.set_time(system.time() + SignedDuration::from_secs(1));
                let later = system.publish("message", json!({})).await;
                system.run().await;
                let id = DeliveryId {
                    event: later.id,
                    webhook: webhook.id,
                };
                assert_eq!(
                    system.history(id).await.expect("a delivery").0.status,
                    Status::Succeeded,
                    "{what}"
                );
            }
        }
    }
}

/// A duplicate of the message that got a 410 must not disable a webhook that was enabled since.
#[tokio::test]
async fn duplicate_gone_message_does_not_disable_again() {
    let mut system = super::system().await;
    let webhook = system.webhook("hook", json!({})).await;
    system.receiver.script(|_| Reply::status(410));
    system.publish("message", json!({})).await;
    system.step().await.expect("the event");
    let (queue, batch) = system.step().await.expect("the attempt");
    assert!(
        !system
            .stored_webhook(webhook.id)
            .await
            .expect("stored")
            .settings
            .enabled
    );
    system.set_time(system.time() + SignedDuration::from_secs(1));
    system.change(webhook.id, switch(true)).await;
    system.work(queue, &batch).await.expect("a response");
    assert!(
        system
            .stored_webhook(webhook.id)
            .await
            .expect("stored")
            .settings
            .enabled
    );
    assert_eq!(system.receiver.requests().len(), 1);
}

/// However many deliveries get a 410, the webhook is disabled once, and one event reports it.
#[tokio::test]
async fn crash_after_gone_emits_one_event() {
    let mut system = super::system().await;
    system.webhook("hook", json!({})).await;
    system.receiver.script(|_| Reply::status(410));
    for _ in 0..5 {
        system.publish("message", json!({})).await;
    }
    system.run().await;
    let sent = system.fake.state().queues.sent().to_vec();
    let emitted = sent
        .iter()
        .map(tests::fake::sqs::Message::json)
        .filter(|event| event["type"] == "webhook.disabled");
    let ids: std::collections::BTreeSet<String> =
        emitted.map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
}

/// A repeated dispatch sends to the stored matches, whatever webhooks exist by then.
#[tokio::test]
async fn repeated_dispatch_sends_the_stored_matches() {
    let mut system = super::system().await;
    let conditions = json!({"conditions": {"field": "n", "op": "eq", "value": 1}});
    let matched = system.webhook("matched", conditions.clone()).await.id;
    let event = system.publish("message", json!({"n": 1})).await;
    system.begin_count();
    system.fake.plan(|call| {
        if call.operation == "PutItem" {
            FaultPlan::CrashAfter
        } else {
            FaultPlan::NoFault
        }
    });
    system.step().await.expect("the event");
    assert_eq!(system.crashes, 1);
    system.fake.plan(|_| FaultPlan::NoFault);
    system.webhook("later", conditions).await;
    let no_more = condition::Condition::parse(json!({"field": "n", "op": "eq", "value": 2}))
        .expect("a condition");
    system
        .change(matched, |webhook, now| {
            let settings = Settings {
                conditions: Some(no_more),
                ..webhook.settings.clone()
            };
            webhook.changed(settings, now)
        })
        .await;
    system.run().await;
    assert_eq!(
        system.event(&event).await.expect("the event").matches,
        [matched]
    );
    assert_eq!(
        system
            .receiver
            .requests()
            .into_iter()
            .map(|request| request.name().to_owned())
            .collect::<Vec<_>>(),
        ["matched"]
    );
}
