//! Changes of the limit while messages wait.

use super::calls;
use domain::webhook::{Settings, Webhook};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Time until the receiver gets the last of `count` events, sent at one per second, if `change` is
/// made after 10 s.
async fn waiting(
    count: u32,
    change: impl FnOnce(Webhook, Timestamp) -> Webhook + Clone,
    disabled: bool,
) -> (usize, i64) {
    let mut system = super::super::system().await;
    let webhook = system
        .webhook("hook", json!({"rate_limit_per_second": 1}))
        .await;
    for n in 0..count {
        system.publish("message", json!({"n": n})).await;
    }
    let changed_at = system.time() + SignedDuration::from_secs(10);
    while system
        .fake
        .state()
        .queues
        .next()
        .is_some_and(|(next, _)| next < changed_at)
    {
        system.step().await.expect("a batch");
    }
    system.set_time(changed_at);
    let before = system.receiver.requests().len();
    if disabled {
        let off = |webhook: Webhook, now| {
            let settings = Settings {
                enabled: false,
                ..webhook.settings.clone()
            };
            webhook.changed(settings, now)
        };
        system.change(webhook.id, off).await;
        system.set_time(changed_at + SignedDuration::from_secs(1));
    }
    system.change(webhook.id, change).await;
    if disabled {
        system.set_time(system.time() + SignedDuration::from_secs(1));
        system.publish("message", json!({"n": count})).await;
    }
    system.run().await;
    let last = *calls(&system, "hook", changed_at).last().expect("calls");
    (system.receiver.requests().len() - before, last)
}

#[tokio::test]
async fn raised_limit_applies_to_waiting_messages() {
    for (waiting, limit) in [(90, Some(1_000)), (90, None), (400, Some(1_000))] {
        let (count, last) = self::waiting(
            waiting,
            move |webhook, now| {
                let settings = Settings {
                    rate_limit_per_second: limit,
                    ..webhook.settings.clone()
                };
                webhook.changed(settings, now)
            },
            false,
        )
        .await;
        assert!(count > waiting as usize - 30, "{count} waited");
        assert!(
            last <= 12_000,
            "the last one arrived {last} ms after the change to {limit:?}"
        );
    }
}

#[tokio::test]
async fn lowered_limit_applies_to_waiting_messages() {
    let mut system = super::super::system().await;
    let webhook = system
        .webhook("hook", json!({"rate_limit_per_second": 10}))
        .await;
    for n in 0..100 {
        system.publish("message", json!({"n": n})).await;
    }
    let slower = |webhook: Webhook, now| {
        let settings = Settings {
            rate_limit_per_second: Some(1),
            ..webhook.settings.clone()
        };
        webhook.changed(settings, now)
    };
    let changed_at = system.time() + SignedDuration::from_secs(3);
    while system
        .fake
        .state()
        .queues
        .next()
        .is_some_and(|(next, _)| next < changed_at)
    {
        system.step().await.expect("a batch");
    }
    system.set_time(changed_at);
    system.change(webhook.id, slower).await;
    system.run().await;
    let times: Vec<i64> = calls(&system, "hook", changed_at)
        .into_iter()
        .filter(|at| *at > 0)
        .collect();
    assert!(times.len() > 50, "{} waited", times.len());
    for (at, first) in times.iter().enumerate() {
        let within = times[at..]
            .iter()
            .take_while(|time| *time - first <= 10_000)
            .count();
        assert!(within <= 12, "{within} calls in ten seconds: {times:?}");
    }
}

#[tokio::test]
async fn re_enabled_webhook_is_not_delayed_by_its_old_messages() {
    let enable = |webhook: Webhook, now| {
        let settings = Settings {
            enabled: true,
            ..webhook.settings.clone()
        };
        webhook.changed(settings, now)
    };
    let (count, last) = waiting(90, enable, true).await;
    assert_eq!(count, 1, "waiting deliveries are cancelled");
    assert!(last <= 3_000, "the next event arrived {last} ms after");
}
