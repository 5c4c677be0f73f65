//! What a webhook's receiver gets.

use serde_json::json;
use tests::sink::Sink;
use tests::stack::Stack;

#[tokio::test]
async fn an_event_reaches_the_webhook_that_asks_for_it() {
    let stack = Stack::get();
    let sink = Sink::start().await;
    let webhook = stack.webhook().url(sink.url()).events(["message"]).create().await;

    let event = stack.publish("message", json!({"text": "hi"})).await;

    let request = sink.only().await;
    assert_eq!(request.method, "POST");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("webhook-id"), event);
    assert_eq!(request.json()["type"], "message");
    assert_eq!(request.data(), json!({"text": "hi"}));
    let delivery = stack.delivery_until(&event, &webhook, "succeeded").await;
    assert_eq!(delivery["attempts"][0]["status_code"], 200);
}
