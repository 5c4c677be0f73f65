//! Deleting and disabling a webhook stop its queued deliveries.

use serde_json::json;
use tests::{
    receiver::{Receiver, Reply},
    stack::{Stack, text},
    webhook::Webhook,
};

/// A webhook whose delivery failed once and waits for its second attempt.
async fn waiting(stack: &Stack, receiver: &Receiver) -> (Webhook, String, String) {
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .retry([4, 1, 1])
        .create()
        .await;
    let event = stack.publish("message", json!({})).await;
    let delivery = stack.delivery_until(&event, &webhook, "retrying").await;
    (webhook, event, text(&delivery, "id"))
}

#[tokio::test]
async fn disabling_cancels_queued_retries_for_good() {
    let stack = Stack::get();
    let receiver = Receiver::replying([Reply::status(500)]);
    let (webhook, event, id) = waiting(&stack, &receiver).await;

    webhook.patch(json!({"enabled": false})).await;
    assert_eq!(
        stack.delivery(&event, &webhook).await["status"],
        "cancelled",
        "immediately"
    );
    stack
        .post(&format!("/v1/deliveries/{id}/retry"), json!(null))
        .await
        .problem(409);
    webhook.patch(json!({"enabled": true})).await;
    assert_eq!(
        stack.delivery(&event, &webhook).await["status"],
        "cancelled",
        "permanently"
    );

    stack.logged("delivery", &[&id, "cancelled"]).await;
    assert_eq!(receiver.requests().len(), 1);
    let delivery = stack.delivery(&event, &webhook).await;
    assert_eq!(
        (&delivery["status"], &delivery["attempt_count"]),
        (&json!("cancelled"), &json!(1))
    );

    receiver.set_reply(Reply::status(200));
    let next = stack.publish("message", json!({})).await;
    stack.delivery_until(&next, &webhook, "succeeded").await;
}

#[tokio::test]
async fn deleting_cancels_queued_retries() {
    let stack = Stack::get();
    let receiver = Receiver::replying([Reply::status(500)]);
    let (webhook, event, id) = waiting(&stack, &receiver).await;

    webhook.delete().await;
    assert_eq!(
        stack.delivery(&event, &webhook).await["status"],
        "cancelled",
        "immediately"
    );
    stack.logged("delivery", &[&id, "cancelled"]).await;
    assert_eq!(receiver.requests().len(), 1);
    let list = format!("/v1/deliveries?webhook_id={}&status=cancelled", webhook.id);
    assert_eq!(
        stack.get_path(&list).await.expect(200)["data"][0]["id"],
        id.as_str()
    );
    stack
        .post(&format!("/v1/deliveries/{id}/retry"), json!(null))
        .await
        .problem(409);
}
