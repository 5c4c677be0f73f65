//! Responses that do not report success.

use domain::{delivery::Status, id::DeliveryId};
use serde_json::json;
use tests::receiver::Reply;

#[tokio::test]
async fn response_that_does_not_report_success_is_retried() {
    let mut system = super::system().await;
    let when = json!({"field": "body.ok", "op": "eq", "value": true});
    let webhook = system.webhook("hook", json!({"success_when": when})).await;
    let mut requests = 0;
    system.receiver.script(move |_| {
        requests += 1;
        // More than is recorded.
        let body = json!({"error": "busy".repeat(10_000), "ok": requests > 2}).to_string();
        Reply::status(200).body(body)
    });
    let event = system.publish("message", json!({})).await;
    system.run().await;
    let id = DeliveryId {
        event: event.id,
        webhook: webhook.id,
    };
    let (row, attempts) = system.history(id).await.expect("a delivery");
    assert_eq!(row.status, Status::Succeeded);
    let found: Vec<_> = attempts
        .iter()
        .map(|attempt| (attempt.status_code, attempt.error.as_deref()))
        .collect();
    let unreported = (Some(200), Some("the answer does not report success"));
    assert_eq!(found, [unreported, unreported, (Some(200), None)]);
}
