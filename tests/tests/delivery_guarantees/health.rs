//! Webhooks that fail for days: their owners are warned, and finally the webhooks are disabled.

use std::collections::BTreeSet;

use domain::{
    delivery::Status,
    id::{DeliveryId, WebhookId},
    webhook::{Settings, Webhook, health::DisabledReason},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{
    fake::{
        FaultPlan,
        sqs::{Message, Name},
        system::System,
    },
    receiver::{Reply, Request},
};

/// The emitted events of this type, including repeats.
fn emitted(system: &System, kind: &str) -> Vec<Value> {
    let state = system.fake.state();
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

/// Publishes an event every six hours for this many days. Each gets one attempt.
async fn days(system: &mut System, days: i64) {
    for _ in 0..days * 4 {
        system.publish("message", json!({})).await;
        system.run().await;
        system.set_time(system.time() + SignedDuration::from_hours(6));
    }
}

async fn failing_since(system: &System, id: WebhookId) -> Option<Timestamp> {
    system
        .stored_webhook(id)
        .await
        .expect("a webhook")
        .state
        .health
        .map(|health| health.failing_since)
}

#[tokio::test]
async fn five_days_without_success_warn_then_disable() {
    let mut system = super::system().await;
    let webhook = system
        .webhook("hook", json!({"retry": {"type": "none"}}))
        .await;
    let owner = system
        .webhook(
            "owner",
            json!({"events": ["webhook.failing", "webhook.disabled"]}),
        )
        .await;
    system.receiver.script(|request: &Request| {
        Reply::status(if request.name() == "hook" { 500 } else { 200 })
    });
    let started = system.time();
    days(&mut system, 1).await;
    assert_eq!(failing_since(&system, webhook.id).await, Some(started));
    assert!(
        emitted(&system, "webhook.failing").is_empty(),
        "not within the first day"
    );

    days(&mut system, 4).await;
    let warnings = emitted(&system, "webhook.failing");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0]["data"]["webhook_id"], webhook.id.to_string());
    assert_eq!(
        warnings[0]["data"]["failing_since"],
        domain::time::show_millis(started)
    );
    assert!(
        emitted(&system, "webhook.disabled").is_empty(),
        "not within five days"
    );

    let last = system.publish("message", json!({})).await;
    system.run().await;
    let stored = system.stored_webhook(webhook.id).await.expect("a webhook");
    assert_eq!(
        (stored.settings.enabled, stored.state.disabled_reason),
        (false, Some(DisabledReason::Failing))
    );
    assert_eq!(
        failing_since(&system, webhook.id).await,
        Some(started),
        "`failing_since` is kept"
    );
    let disabled = emitted(&system, "webhook.disabled");
    assert_eq!(disabled.len(), 1, "{disabled:?}");
    assert_eq!(disabled[0]["data"]["reason"], "failing");
    let delivery = DeliveryId {
        event: last.id,
        webhook: webhook.id,
    };
    assert_eq!(
        system.history(delivery).await.expect("a delivery").0.status,
        Status::Failed
    );
    let heard = system
        .receiver
        .requests()
        .into_iter()
        .filter(|request| request.name() == "owner")
        .count();
    assert_eq!(heard, 2, "the owner's webhook receives both events");
    assert_eq!(failing_since(&system, owner.id).await, None);

    // Once enabled again, it starts without failures.
    system.change(webhook.id, enable).await;
    days(&mut system, 1).await;
    assert!(
        system
            .stored_webhook(webhook.id)
            .await
            .expect("a webhook")
            .settings
            .enabled
    );
    assert_ne!(failing_since(&system, webhook.id).await, Some(started));
}

fn enable(webhook: Webhook, now: Timestamp) -> Webhook {
    let settings = Settings {
        enabled: true,
        ..webhook.settings.clone()
    };
    webhook.changed(settings, now)
}

#[tokio::test]
async fn missed_warning_is_sent_when_disabled() {
    let mut system = super::system().await;
    system
        .webhook("hook", json!({"retry": {"type": "none"}}))
        .await;
    system.receiver.script(|_| Reply::status(500));
    days(&mut system, 1).await;
    system.set_time(system.time() + SignedDuration::from_hours(24 * 5));
    days(&mut system, 1).await;
    assert_eq!(
        (
            emitted(&system, "webhook.failing").len(),
            emitted(&system, "webhook.disabled").len()
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn success_resets_health_and_a_healthy_webhook_costs_no_write() {
    let mut system = super::system().await;
    let webhook = system
        .webhook("hook", json!({"retry": {"type": "none"}}))
        .await;
    system.receiver.script(|_| Reply::status(500));
    days(&mut system, 4).await;
    system.receiver.script(|_| Reply::status(200));
    days(&mut system, 1).await;
    assert_eq!(failing_since(&system, webhook.id).await, None);
    system.begin_count();
    system.publish("message", json!({})).await;
    system.run().await;
    let counts = system.fake.counts();
    assert_eq!(
        (
            counts.get("UpdateItem"),
            counts["PutItem"],
            counts["BatchGetItem"]
        ),
        (None, 2, 1),
        "{counts:?}"
    );
    system.receiver.script(|_| Reply::status(500));
    days(&mut system, 4).await;
    assert!(
        system
            .stored_webhook(webhook.id)
            .await
            .expect("a webhook")
            .settings
            .enabled,
        "failures before a success don't count"
    );
    assert_eq!(emitted(&system, "webhook.failing").len(), 2);
}

#[tokio::test]
async fn webhook_events_do_not_cause_further_ones() {
    let mut system = super::system().await;
    system
        .webhook(
            "hook",
            json!({"retry": {"type": "none"}, "events": ["webhook.*"]}),
        )
        .await;
    system.receiver.script(|_| Reply::status(500));
    for _ in 0..30 {
        system.publish("webhook.failing", json!({})).await;
        system.run().await;
        system.set_time(system.time() + SignedDuration::from_hours(6));
    }
    for kind in ["webhook.disabled", "webhook.delivery_failed"] {
        assert!(emitted(&system, kind).is_empty(), "{kind}");
    }
    assert_eq!(
        emitted(&system, "webhook.failing").len(),
        30,
        "those that were published"
    );
}

/// Wherever the process crashes while it disables the webhook, the webhook gets disabled and one
/// event reports it.
#[tokio::test]
async fn crash_while_disabling_loses_no_event() {
    for n in 0..12 {
        for fault in [
            FaultPlan::CrashBefore,
            FaultPlan::CrashAfter,
            FaultPlan::ResponseLost,
            FaultPlan::Fails("ResourceNotFoundException"),
        ] {
            let mut system = super::system().await;
            let webhook = system
                .webhook("hook", json!({"retry": {"type": "none"}}))
                .await;
            system.receiver.script(|_| Reply::status(500));
            system.publish("message", json!({})).await;
            system.run().await;
            system.set_time(system.time() + SignedDuration::from_hours(5 * 24));
            system.publish("message", json!({})).await;
            system.begin_count();
            system.fake.plan(move |call| {
                if call.index == n {
                    fault
                } else {
                    FaultPlan::NoFault
                }
            });
            system.run().await;
            let stored = system.stored_webhook(webhook.id).await.expect("a webhook");
            assert_eq!(
                stored.state.disabled_reason,
                Some(DisabledReason::Failing),
                "{fault:?} at call {n}"
            );
            assert_eq!(
                ids(&emitted(&system, "webhook.disabled")).len(),
                1,
                "{fault:?} at call {n}"
            );
        }
    }
}
