//! Hop counts of the requests that an event leads to.

use domain::id::DeliveryId;
use serde_json::json;
use tests::receiver::Reply;

#[tokio::test]
async fn manual_retry_keeps_the_hops_of_its_request() {
    let mut system = super::system().await;
    let retry = json!({"type": "custom", "delays_seconds": [60]});
    let webhook = system.webhook("hook", json!({"retry": retry})).await;
    system.receiver.script(|_| Reply::status(500));
    let event = system.publish("message", json!({})).await;
    system.run().await;
    system
        .retry(
            DeliveryId {
                event: event.id,
                webhook: webhook.id,
            },
            1,
        )
        .await
        .expect("requested");
    system.run().await;
    let hops: Vec<String> = system
        .receiver
        .requests()
        .into_iter()
        .map(|request| request.header("tieline-hops").to_owned())
        .collect();
    assert_eq!(hops, ["1", "1", "2", "2"]);
}
