//! Webhooks that fail for days: their owners are warned, and in the end they are disabled.

use std::collections::BTreeSet;

use domain::{
    delivery::Status,
    id::{DeliveryId, WebhookId},
    webhook::{DisabledReason, Settings, Webhook},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::fake::{
    Fate,
    receiver::{Hit, Reply},
    sqs::{Message, Name},
    world::World,
};

/// The events of this type that were sent, each as often as it was.
fn told(world: &World, kind: &str) -> Vec<Value> {
    let state = world.fake.state();
    let sent = state
        .queues
        .sent()
        .iter()
        .filter(|sent| sent.queue == Name::Events)
        .map(Message::json);
    sent.filter(|event| event["type"] == kind).collect()
}

fn ids(events: &[Value]) -> BTreeSet<String> {
    events.iter().map(|event| event["id"].to_string()).collect()
}

/// An event every six hours for so many days, each tried once.
async fn days(world: &mut World, days: i64) {
    for _ in 0..days * 4 {
        world.publish("message", json!({})).await;
        world.run().await;
        world.set_time(world.time() + SignedDuration::from_hours(6));
    }
}

async fn failing_since(world: &World, id: WebhookId) -> Option<Timestamp> {
    world
        .stored_webhook(id)
        .await
        .expect("a webhook")
        .state
        .health
        .map(|health| health.failing_since)
}

#[tokio::test]
async fn five_days_without_one_success_disable_after_a_warning() {
    let mut world = super::world().await;
    let webhook = world
        .webhook("hook", json!({"retry": {"type": "none"}}))
        .await;
    let owner = world
        .webhook(
            "owner",
            json!({"events": ["webhook.failing", "webhook.disabled"]}),
        )
        .await;
    world
        .receiver
        .script(|hit: &Hit| Reply::Status(if hit.path == "hook" { 500 } else { 200 }));
    let started = world.time();
    days(&mut world, 1).await;
    assert_eq!(failing_since(&world, webhook.id).await, Some(started));
    assert!(
        told(&world, "webhook.failing").is_empty(),
        "not within the first day"
    );

    days(&mut world, 4).await;
    let warnings = told(&world, "webhook.failing");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0]["data"]["webhook_id"], webhook.id.to_string());
    assert_eq!(
        warnings[0]["data"]["failing_since"],
        domain::time::show_millis(started)
    );
    assert!(
        told(&world, "webhook.disabled").is_empty(),
        "not within five days"
    );

    let last = world.publish("message", json!({})).await;
    world.run().await;
    let stored = world.stored_webhook(webhook.id).await.expect("a webhook");
    assert_eq!(
        (stored.settings.enabled, stored.state.disabled_reason),
        (false, Some(DisabledReason::Failing))
    );
    assert_eq!(
        failing_since(&world, webhook.id).await,
        Some(started),
        "what was wrong can be read"
    );
    let disabled = told(&world, "webhook.disabled");
    assert_eq!(disabled.len(), 1, "{disabled:?}");
    assert_eq!(disabled[0]["data"]["reason"], "failing");
    let delivery = DeliveryId {
        event: last.id,
        webhook: webhook.id,
    };
    assert_eq!(
        world.history(delivery).await.expect("a delivery").0.status,
        Status::Failed
    );
    let heard = world
        .receiver
        .hits()
        .into_iter()
        .filter(|hit| hit.path == "owner")
        .count();
    assert_eq!(heard, 2, "the owner's own webhook hears of both");
    assert_eq!(failing_since(&world, owner.id).await, None);

    // Enabled again, it begins anew.
    world.change(webhook.id, enable).await;
    days(&mut world, 1).await;
    assert!(
        world
            .stored_webhook(webhook.id)
            .await
            .expect("a webhook")
            .settings
            .enabled
    );
    assert_ne!(failing_since(&world, webhook.id).await, Some(started));
}

fn enable(webhook: Webhook, now: Timestamp) -> Webhook {
    let settings = Settings {
        enabled: true,
        ..webhook.settings.clone()
    };
    webhook.changed(settings, now)
}

#[tokio::test]
async fn who_was_not_warned_in_time_is_warned_when_it_is_disabled() {
    let mut world = super::world().await;
    world
        .webhook("hook", json!({"retry": {"type": "none"}}))
        .await;
    world.receiver.script(|_| Reply::Status(500));
    days(&mut world, 1).await;
    world.set_time(world.time() + SignedDuration::from_hours(24 * 5));
    days(&mut world, 1).await;
    assert_eq!(
        (
            told(&world, "webhook.failing").len(),
            told(&world, "webhook.disabled").len()
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn one_success_ends_it_and_a_webhook_that_is_well_costs_nothing() {
    let mut world = super::world().await;
    let webhook = world
        .webhook("hook", json!({"retry": {"type": "none"}}))
        .await;
    world.receiver.script(|_| Reply::Status(500));
    days(&mut world, 4).await;
    world.receiver.script(|_| Reply::Status(200));
    days(&mut world, 1).await;
    assert_eq!(failing_since(&world, webhook.id).await, None);
    world.begin_count();
    world.publish("message", json!({})).await;
    world.run().await;
    let counts = world.fake.counts();
    assert_eq!(
        (
            counts.get("UpdateItem"),
            counts["PutItem"],
            counts["BatchGetItem"]
        ),
        (None, 2, 1),
        "{counts:?}"
    );
    world.receiver.script(|_| Reply::Status(500));
    days(&mut world, 4).await;
    assert!(
        world
            .stored_webhook(webhook.id)
            .await
            .expect("a webhook")
            .settings
            .enabled,
        "four days and four are no five"
    );
    assert_eq!(told(&world, "webhook.failing").len(), 2);
}

#[tokio::test]
async fn what_is_told_of_webhooks_leads_to_nothing_more() {
    let mut world = super::world().await;
    world
        .webhook(
            "hook",
            json!({"retry": {"type": "none"}, "events": ["webhook.*"]}),
        )
        .await;
    world.receiver.script(|_| Reply::Status(500));
    for _ in 0..30 {
        world.publish("webhook.failing", json!({})).await;
        world.run().await;
        world.set_time(world.time() + SignedDuration::from_hours(6));
    }
    for kind in ["webhook.disabled", "webhook.delivery_failed"] {
        assert!(told(&world, kind).is_empty(), "{kind}");
    }
    assert_eq!(
        told(&world, "webhook.failing").len(),
        30,
        "those that were published"
    );
}

/// Wherever the process ends while the webhook is disabled: it is, and one event tells of it.
#[tokio::test]
async fn a_crash_on_the_way_leaves_nothing_untold() {
    for n in 0..12 {
        for fate in [
            Fate::CrashBefore,
            Fate::CrashAfter,
            Fate::AnswerLost,
            Fate::Fails("ResourceNotFoundException"),
        ] {
            let mut world = super::world().await;
            let webhook = world
                .webhook("hook", json!({"retry": {"type": "none"}}))
                .await;
            world.receiver.script(|_| Reply::Status(500));
            world.publish("message", json!({})).await;
            world.run().await;
            world.set_time(world.time() + SignedDuration::from_hours(5 * 24));
            world.publish("message", json!({})).await;
            world.begin_count();
            world.fake.plan(move |call| {
                if call.index == n {
                    fate
                } else {
                    Fate::Answered
                }
            });
            world.run().await;
            let stored = world.stored_webhook(webhook.id).await.expect("a webhook");
            assert_eq!(
                stored.state.disabled_reason,
                Some(DisabledReason::Failing),
                "{fate:?} at call {n}"
            );
            assert_eq!(
                ids(&told(&world, "webhook.disabled")).len(),
                1,
                "{fate:?} at call {n}"
            );
        }
    }
}
