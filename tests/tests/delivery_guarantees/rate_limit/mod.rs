//! Webhooks with a rate limit, and webhooks that hang.

mod changes;

use domain::{delivery::Status, id::DeliveryId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tests::{
    fake::{Call, FaultPlan, sqs::Name, system::System},
    receiver::{Reply, Request},
};

/// When the webhook of this name was called, in milliseconds since the start.
fn calls(system: &System, name: &str, started: Timestamp) -> Vec<i64> {
    let requests = system
        .receiver
        .requests()
        .into_iter()
        .filter(|request| request.name() == name);
    requests
        .map(|request| {
            i64::try_from(request.at.duration_since(started).as_millis()).expect("small")
        })
        .collect()
}

#[tokio::test]
async fn calls_stay_within_the_limit_and_none_fails() {
    for (limit, count) in [(1, 30), (5, 100), (7, 100)] {
        let mut system = super::system().await;
        let webhook = system
            .webhook("hook", json!({"rate_limit_per_second": limit}))
            .await;
        let started = system.time();
        let mut events = Vec::new();
        for n in 0..count {
            events.push(system.publish("message", json!({"n": n})).await);
        }
        system.run().await;
        for event in events {
            let id = DeliveryId {
                event: event.id,
                webhook: webhook.id,
            };
            let (row, attempts) = system.history(id).await.expect("a delivery");
            assert_eq!((row.status, attempts.len()), (Status::Succeeded, 1));
        }
        let mut times = calls(&system, "hook", started);
        times.sort_unstable();
        assert_eq!(times.len(), count);
        // The system's clock does not advance during a batch: waits below a second count as none.
        let most = usize::try_from(limit * 11 + 1).expect("small");
        for (at, first) in times.iter().enumerate() {
            let within = times[at..]
                .iter()
                .take_while(|time| *time - first <= 10_000)
                .count();
            assert!(
                within <= most,
                "{within} calls in ten seconds at {limit} a second: {times:?}"
            );
        }
        let seconds = i64::try_from(count).expect("small") / limit;
        assert!(
            *times.last().expect("calls") <= (seconds + 10) * 1000 * 2,
            "{times:?}"
        );
    }
}

/// Waiting messages check their line often, without reading events.
#[tokio::test]
async fn rate_limited_message_reads_only_its_webhook() {
    let mut system = super::system().await;
    system
        .webhook("hook", json!({"rate_limit_per_second": 1}))
        .await;
    for n in 0..30 {
        let data = json!({"text": "x".repeat(40_000), "n": n});
        system.publish("message", data).await;
    }
    system.run().await;
    let state = system.fake.state();
    let reads = state
        .calls
        .iter()
        .filter(|call| call.operation == "BatchGetItem");
    let of_events = |read: &&Call| {
        let keys = read.request.to_string();
        keys.matches("events#20").count()
    };
    let events: usize = reads.clone().map(|read| of_events(&read)).sum();
    assert!(events <= 2 * 30, "{events} reads of 30 events");
    assert!(reads.count() > 60, "lines were checked");
}

#[tokio::test]
async fn webhook_disabled_while_rate_limited_is_not_called() {
    let mut system = super::system().await;
    let webhook = system
        .webhook("hook", json!({"rate_limit_per_second": 2}))
        .await;
    let events = [
        system.publish("message", json!({})).await,
        system.publish("message", json!({})).await,
    ];
    // Both are in one batch. The webhook is disabled when the second message acquires its slot,
    // before the first is called.
    let (fake, mut turns) = (system.fake.clone(), 0);
    system.fake.plan(move |call| {
        turns += usize::from(call.operation == "UpdateItem");
        if turns == 2 {
            super::disable(&fake, webhook.id);
        }
        FaultPlan::NoFault
    });
    system.run().await;
    let mut ends = Vec::new();
    for event in events {
        let (row, _) = system
            .history(DeliveryId {
                event: event.id,
                webhook: webhook.id,
            })
            .await
            .expect("a delivery");
        ends.push(row.status);
    }
    assert_eq!(
        (system.receiver.requests().len(), ends),
        (0, vec![Status::Cancelled; 2])
    );
}

#[tokio::test]
async fn webhook_disabled_while_its_service_is_read_is_not_called() {
    let mut system = super::system().await;
    let none = json!({"type": "none"});
    let service = system
        .service(&system.receiver.url(), None, none.clone(), none)
        .await
        .service
        .id;
    let fields = json!({"url": null, "service_id": service, "path": "/hook"});
    let webhook = system.webhook("hook", fields).await;
    let event = system.publish("message", json!({})).await;
    let fake = system.fake.clone();
    system.fake.plan(move |call| {
        if call.request.to_string().contains(&service.to_string()) {
            super::disable(&fake, webhook.id);
        }
        FaultPlan::NoFault
    });
    system.run().await;
    let (row, _) = system
        .history(DeliveryId {
            event: event.id,
            webhook: webhook.id,
        })
        .await
        .expect("a delivery");
    assert_eq!(
        (system.receiver.requests().len(), row.status),
        (0, Status::Cancelled)
    );
}

#[tokio::test]
async fn webhook_without_a_limit_costs_no_extra_call() {
    let mut system = super::system().await;
    system.webhook("hook", json!({})).await;
    system.begin_count();
    system.publish("message", json!({})).await;
    system.run().await;
    assert!(
        !system.fake.counts().contains_key("UpdateItem"),
        "{:?}",
        system.fake.counts()
    );
}

#[tokio::test]
async fn idle_webhook_saves_up_no_calls() {
    let mut system = super::system().await;
    system
        .webhook("hook", json!({"rate_limit_per_second": 2}))
        .await;
    for _ in 0..3 {
        let started = system.time();
        for _ in 0..10 {
            system.publish("message", json!({})).await;
        }
        system.run().await;
        let last = system.time().duration_since(started).as_secs();
        assert!(
            (3..=9).contains(&last),
            "ten calls at two a second took {last} s"
        );
        system.set_time(system.time() + SignedDuration::from_hours(1));
    }
}

#[tokio::test]
async fn hanging_webhook_does_not_delay_other_first_attempts() {
    let mut system = super::system().await;
    let hangs = system
        .webhook(
            "hangs",
            json!({"timeout_seconds": 1, "retry": {"type": "none"}}),
        )
        .await;
    let well = system.webhook("well", json!({"events": ["chat"]})).await;
    system.receiver.script(|request: &Request| {
        if request.name() == "hangs" {
            Reply::hang()
        } else {
            Reply::status(200)
        }
    });
    system.publish("message", json!({})).await;
    system.run().await;
    assert!(
        system
            .stored_webhook(hangs.id)
            .await
            .expect("a webhook")
            .state
            .health
            .expect("failing")
            .hangs
    );

    // From now on its first attempts are made through `retries`, which keeps the queue `deliveries`
    // free.
    for _ in 0..20 {
        system.publish("message", json!({})).await;
    }
    let event = system.publish("chat", json!({})).await;
    let id = DeliveryId {
        event: event.id,
        webhook: well.id,
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
    assert_eq!(
        system
            .receiver
            .requests()
            .iter()
            .filter(|request| request.name() == "hangs")
            .count(),
        1,
        "no other request waited for it"
    );
    assert_eq!(system.fake.state().queues.on(Name::Retries).len(), 20);
    system.run().await;
    assert_eq!(
        system
            .receiver
            .requests()
            .iter()
            .filter(|request| request.name() == "hangs")
            .count(),
        21
    );

    // As soon as it responds, its first attempts are made from `deliveries` again.
    system.receiver.script(|_| Reply::status(500));
    system.publish("message", json!({})).await;
    system.run().await;
    assert!(
        !system
            .stored_webhook(hangs.id)
            .await
            .expect("a webhook")
            .state
            .health
            .expect("failing")
            .hangs
    );
}
