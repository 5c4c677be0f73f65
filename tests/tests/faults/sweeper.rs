//! Lost messages. Tested here because a run processes all deliveries of the stack.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tests::{
    faults::Faulty,
    receiver::{Receiver, Reply},
};

#[tokio::test]
async fn delivery_with_a_lost_message_is_requeued() {
    let faulty = Faulty::get().await;
    let stack = &faulty.stack;
    let receiver = Receiver::replying([Reply::status(500), Reply::status(200)]);
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .retry([600])
        .create()
        .await;
    let event = stack.publish("message", json!({})).await;
    let delivery = stack.delivery_until(&event, &webhook, "retrying").await;
    let retries = &stack.queues().retries;
    stack
        .on_queue(retries, delivery["id"].as_str().expect("id"))
        .await;
    stack
        .aws("AmazonSQS.PurgeQueue", &json!({"QueueUrl": retries}))
        .await;
    assert_eq!(faulty.count(retries).await, 0);

    let due: Timestamp = delivery["next_attempt_at"]
        .as_str()
        .and_then(|at| at.parse().ok())
        .expect("a time");
    let sweep = async |after: SignedDuration| {
        stack
            .invoke("sweeper", &json!({"now": (due + after).to_string()}))
            .await
            .expect(200)
    };
    assert_eq!(
        sweep(SignedDuration::from_mins(59)).await,
        json!({"overdue": 0, "sent": 0, "redriven": 0})
    );
    assert_eq!(
        sweep(SignedDuration::from_hours(2)).await,
        json!({"overdue": 1, "sent": 1, "redriven": 0})
    );

    let delivery = stack.delivery_until(&event, &webhook, "succeeded").await;
    assert_eq!(
        delivery["attempts"].as_array().map(Vec::len),
        Some(2),
        "{delivery}"
    );
    let ids: Vec<_> = receiver
        .requests()
        .iter()
        .map(|request| request.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids, [event.as_str(), event.as_str()]);
    assert_eq!(
        sweep(SignedDuration::from_hours(4)).await,
        json!({"overdue": 0, "sent": 0, "redriven": 0})
    );
}
