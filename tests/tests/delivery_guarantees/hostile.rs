//! A healthy webhook among hostile ones.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use domain::{delivery::Status, id::DeliveryId};
use futures::future::join_all;
use platform::deadline::Deadline;
use serde_json::{Map, Value, json};
use tests::{
    fake::{sqs::Name, system::sqs_event},
    receiver::{Reply, Request},
};

/// Decodes to something else in every encoding that responses are searched in.
static COSTLY: LazyLock<String> = LazyLock::new(|| {
    let unit = "%61+\\u0061&#97;000a%2561%5Cu0061 ";
    unit.repeat(16 * 1024 / unit.len())
});

/// The maximum number and length of secret headers of a webhook, each of a thousand words.
fn headers() -> Value {
    let value = |n: u8| {
        (0..816)
            .map(|word| format!("{word:03}{} ", char::from(b'a' + n)))
            .collect::<Vec<_>>()
            .concat()
    };
    (0..20_u8)
        .map(|n| (format!("x-token-{n}"), json!(value(n))))
        .collect::<Map<_, _>>()
        .into()
}

#[tokio::test]
async fn hostile_webhooks_do_not_delay_a_healthy_one() {
    let mut system = super::system().await;
    let mut hostile = Vec::new();
    for n in 0..10 {
        let fields = json!({"headers": headers(), "retry": {"type": "none"}});
        hostile.push(system.webhook(&format!("costly-{n}"), fields).await);
        let fields = json!({"timeout_seconds": 3, "retry": {"type": "none"}});
        hostile.push(system.webhook(&format!("hangs-{n}"), fields).await);
    }
    let healthy = system.webhook("healthy", json!({})).await;
    system
        .receiver
        .script(|request: &Request| match request.name().split('-').next() {
            Some("hangs") => Reply::hang(),
            Some("costly") => Reply::status(200).body(COSTLY.as_str()),
            _ => Reply::status(200),
        });
    let events = [
        system.publish("message", json!({})).await,
        system.publish("message", json!({})).await,
    ];
    while system.step_on(&[Name::Events]).await.is_some() {}
    let mut batches = Vec::new();
    loop {
        let batch = system
            .fake
            .state()
            .queues
            .receive(Name::Deliveries, system.time());
        if batch.is_empty() {
            break;
        }
        batches.push(batch);
    }
    assert!(batches.len() >= 5, "{} batches", batches.len());

    // All in one process, on one thread. In production each batch has its own instance.
    let started = Instant::now();
    let handled = batches.iter().map(|batch| {
        system.at(delivery::handle(
            &system.delivery,
            sqs_event(batch),
            Deadline::after(Duration::from_mins(1)),
        ))
    });
    for response in join_all(handled).await {
        assert!(response.batch_item_failures.is_empty());
    }

    let requests = system.receiver.requests();
    let delays: Vec<Duration> = requests
        .iter()
        .filter(|request| request.name() == "healthy")
        .map(|request| request.instant.duration_since(started))
        .collect();
    assert_eq!(delays.len(), events.len());
    assert!(
        delays.iter().all(|delay| *delay < Duration::from_secs(2)),
        "{delays:?}"
    );
    for event in &events {
        let status = async |webhook| {
            system
                .history(DeliveryId {
                    event: event.id,
                    webhook,
                })
                .await
                .expect("a row")
        };
        let (row, attempts) = status(healthy.id).await;
        assert_eq!(
            (row.status, attempts[0].duration_ms < 2_000),
            (Status::Succeeded, true)
        );
        for webhook in &hostile {
            let (row, attempts) = status(webhook.id).await;
            let costly = webhook.settings.name.starts_with("costly");
            assert_eq!(
                row.status,
                if costly {
                    Status::Succeeded
                } else {
                    Status::Failed
                }
            );
            assert_eq!(attempts[0].response_body.is_some(), costly);
        }
    }
}
