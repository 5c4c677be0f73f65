//! How many times what leads to a call left Tieline.

use domain::id::DeliveryId;
use serde_json::json;
use tests::fake::receiver::Reply;

#[tokio::test]
async fn manual_retry_is_sent_with_the_hops_of_the_call_that_asked_for_it() {
    let mut world = super::world().await;
    let retry = json!({"type": "custom", "delays_seconds": [60]});
    let webhook = world.webhook("hook", json!({"retry": retry})).await;
    world.receiver.script(|_| Reply::Status(500));
    let event = world.publish("message", json!({})).await;
    world.run().await;
    world
        .retry(
            DeliveryId {
                event: event.id,
                webhook: webhook.id,
            },
            1,
        )
        .await
        .expect("asked for");
    world.run().await;
    let hops: Vec<String> = world
        .receiver
        .hits()
        .into_iter()
        .map(|hit| hit.hops)
        .collect();
    assert_eq!(hops, ["1", "1", "2", "2"]);
}
