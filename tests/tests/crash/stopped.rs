//! Deleting and disabling stop every call that has not begun, for good.

use domain::{
    condition,
    delivery::Status,
    id::{DeliveryId, WebhookId},
    webhook::{Settings, Webhook},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tests::fake::{
    Fate,
    receiver::Reply,
    world::{World, entry},
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

async fn stop(world: &mut World, id: WebhookId, how: Stop) {
    if how == Stop::Delete {
        let webhook = world.stored_webhook(id).await.expect("a webhook");
        return world
            .at(world
                .delivery
                .table
                .delete_webhook(&webhook, &entry(&webhook)))
            .await
            .expect("deleted");
    }
    world.change(id, switch(false)).await;
    if how == Stop::DisableAndEnable {
        world.set_time(world.time() + SignedDuration::from_secs(1));
        world.change(id, switch(true)).await;
    }
}

#[tokio::test]
async fn what_was_queued_before_is_cancelled() {
    // Stopped before the dispatch, before the first attempt, and before the second.
    for steps in 0..=2 {
        for how in [Stop::Delete, Stop::Disable, Stop::DisableAndEnable] {
            let mut world = super::world().await;
            let retry = json!({"retry": {"type": "custom", "delays_seconds": [600]}});
            let webhook = world.webhook("hook", retry).await;
            world.receiver.script(|_| Reply::Status(500));
            let event = world.publish("message", json!({})).await;
            for _ in 0..steps {
                world.step().await.expect("a step");
            }
            stop(&mut world, webhook.id, how).await;
            // One more crash point: a cancelled message that comes again.
            let copies = {
                let state = world.fake.state();
                state
                    .queues
                    .next()
                    .map_or(vec![], |(_, queue)| state.queues.on(queue))
            };
            for copy in &copies {
                world.fake.state().queues.copy(copy);
            }
            world.run().await;

            let what = format!("after {steps} steps, {how:?}");
            let history = world
                .history(DeliveryId {
                    event: event.id,
                    webhook: webhook.id,
                })
                .await;
            let made = world.receiver.hits().len();
            match (steps, how) {
                // Not yet dispatched: it goes to who is there by then.
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
                        (row.status, row.awaited),
                        (Status::Cancelled, None),
                        "{what}"
                    );
                    assert_eq!((made, attempts.len()), (earlier, earlier), "{what}");
                }
            }

            if how == Stop::DisableAndEnable {
                world.receiver.script(|_| Reply::Status(200));
                world.set_time(world.time() + SignedDuration::from_secs(1));
                let later = world.publish("message", json!({})).await;
                world.run().await;
                let id = DeliveryId {
                    event: later.id,
                    webhook: webhook.id,
                };
                assert_eq!(
                    world.history(id).await.expect("a delivery").0.status,
                    Status::Succeeded,
                    "{what}"
                );
            }
        }
    }
}

/// A message of the 410 that comes again must not disable what was enabled meanwhile.
#[tokio::test]
async fn gone_disables_once() {
    let mut world = super::world().await;
    let webhook = world.webhook("hook", json!({})).await;
    world.receiver.script(|_| Reply::Status(410));
    world.publish("message", json!({})).await;
    world.step().await.expect("the event");
    let (queue, batch) = world.step().await.expect("the attempt");
    assert!(
        !world
            .stored_webhook(webhook.id)
            .await
            .expect("stored")
            .settings
            .enabled
    );
    world.set_time(world.time() + SignedDuration::from_secs(1));
    world.change(webhook.id, switch(true)).await;
    world.work(queue, &batch).await.expect("an answer");
    assert!(
        world
            .stored_webhook(webhook.id)
            .await
            .expect("stored")
            .settings
            .enabled
    );
    assert_eq!(world.receiver.hits().len(), 1);
}

/// However many deliveries are answered with 410, the webhook is disabled once, and one event tells
/// of it.
#[tokio::test]
async fn gone_is_told_once() {
    let mut world = super::world().await;
    world.webhook("hook", json!({})).await;
    world.receiver.script(|_| Reply::Status(410));
    for _ in 0..5 {
        world.publish("message", json!({})).await;
    }
    world.run().await;
    let sent = world.fake.state().queues.sent().to_vec();
    let told = sent
        .iter()
        .map(tests::fake::sqs::Message::json)
        .filter(|event| event["type"] == "webhook.disabled");
    let ids: std::collections::BTreeSet<String> =
        told.map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
}

/// Once an event is in the table, a repeated dispatch sends to those who matched then, whoever is
/// there now.
#[tokio::test]
async fn what_matched_stands() {
    let mut world = super::world().await;
    let conditions = json!({"conditions": {"field": "n", "op": "eq", "value": 1}});
    let matched = world.webhook("matched", conditions.clone()).await.id;
    let event = world.publish("message", json!({"n": 1})).await;
    world.begin_count();
    world.fake.plan(|call| {
        if call.operation == "PutItem" {
            Fate::CrashAfter
        } else {
            Fate::Answered
        }
    });
    world.step().await.expect("the event");
    assert_eq!(world.crashes, 1);
    world.fake.plan(|_| Fate::Answered);
    world.webhook("later", conditions).await;
    let no_more = condition::Condition::parse(json!({"field": "n", "op": "eq", "value": 2}))
        .expect("a condition");
    world
        .change(matched, |webhook, now| {
            let settings = Settings {
                conditions: Some(no_more),
                ..webhook.settings.clone()
            };
            webhook.changed(settings, now)
        })
        .await;
    world.run().await;
    assert_eq!(
        world.event(&event).await.expect("the event").matches,
        [matched]
    );
    assert_eq!(
        world
            .receiver
            .hits()
            .into_iter()
            .map(|hit| hit.path)
            .collect::<Vec<_>>(),
        ["matched"]
    );
}
