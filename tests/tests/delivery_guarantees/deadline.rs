//! The deadline of an invocation: work that does not fit is returned to the queue, and nothing is
//! lost or killed. Also stops while a call is being prepared.

use std::time::Duration;

use domain::{delivery::Status, id::DeliveryId};
use serde_json::json;
use tests::fake::{FaultPlan, sqs::Name, system::TIMEOUT};

#[tokio::test]
async fn call_that_may_exceed_the_deadline_is_returned_to_the_queue() {
    let mut system = super::system().await;
    let slow = system.webhook("slow", json!({"timeout_seconds": 30})).await;
    let quick = system.webhook("quick", json!({"timeout_seconds": 5})).await;
    let event = system.publish("message", json!({})).await;
    system.step().await.expect("the event");
    system.timeout = Duration::from_secs(20);
    system.step().await.expect("the attempts");
    let requests: Vec<String> = system
        .receiver
        .requests()
        .into_iter()
        .map(|request| request.name().to_owned())
        .collect();
    assert_eq!(requests, ["quick"], "the other one may take 30 s");
    let left = system.fake.state().queues.on(Name::Deliveries);
    assert_eq!(left.len(), 1);
    assert_eq!(
        left[0].visible_at.duration_since(system.time()).as_secs(),
        2,
        "it becomes visible soon"
    );
    system.timeout = TIMEOUT;
    system.run().await;
    for webhook in [slow, quick] {
        let (row, attempts) = system
            .history(DeliveryId {
                event: event.id,
                webhook: webhook.id,
            })
            .await
            .expect("one");
        assert_eq!((row.status, attempts.len()), (Status::Succeeded, 1));
    }
    assert_eq!(system.receiver.requests().len(), 2);
}

#[tokio::test]
async fn event_not_evaluated_in_time_is_returned_to_the_queue() {
    let mut system = super::system().await;
    system.webhook("hook", json!({})).await;
    let event = system.publish("message", json!({})).await;
    system.timeout = Duration::from_secs(3);
    system.step().await.expect("the event");
    assert!(system.event(&event).await.is_none(), "nothing was begun");
    assert_eq!(system.fake.state().queues.on(Name::Events).len(), 1);
    system.timeout = TIMEOUT;
    system.run().await;
    assert_eq!(system.receiver.requests().len(), 1);
}

#[tokio::test]
async fn late_call_checks_again_that_the_webhook_is_enabled() {
    let mut system = super::system().await;
    let webhook = system.webhook("hook", json!({})).await;
    let event = system.publish("message", json!({})).await;
    system.step().await.expect("the event");
    // Reading takes more than a second, and the webhook is disabled in between.
    system.fake.latency(|| Some(Duration::from_millis(1_100)));
    let (fake, mut reads) = (system.fake.clone(), 0);
    system.fake.plan(move |call| {
        reads += usize::from(call.operation == "GetItem");
        if reads == 1 {
            let mut state = fake.state();
            let mut row = state.table.items()
                [&(format!("webhook#{}", webhook.id), "webhook".to_owned())]
                .clone();
            row.insert("enabled".to_owned(), json!({"BOOL": false}));
            state.table.seed(row.into());
        }
        FaultPlan::NoFault
    });
    system.step().await.expect("the attempt");
    system.fake.latency(|| None);
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
