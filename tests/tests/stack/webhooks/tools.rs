//! Test, preview and secret rotation.

use serde_json::json;
use tests::{
    receiver::{Receiver, Reply},
    stack::{Stack, text},
};

#[tokio::test]
async fn webhook_test_sends_at_once_and_returns_the_response() {
    let stack = Stack::get();
    let receiver = Receiver::replying([Reply::status(418).body("short and stout")]);
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .events(["insight.*"])
        .set("timeout_seconds", 1)
        .create()
        .await;

    let attempt = webhook.test(json!({})).await;
    assert_eq!(
        (&attempt["number"], &attempt["status_code"]),
        (&json!(1), &json!(418))
    );
    assert_eq!(attempt["response_body"], "short and stout");
    assert_eq!(attempt["error"], "the receiver responded with 418");
    let sample = receiver.only().await;
    assert!(text(&sample.json(), "type").starts_with("insight."));
    assert!(
        sample.json()["data"]
            .as_object()
            .is_some_and(|data| !data.is_empty())
    );

    let event = json!({"type": "message", "data": {"text": "mine"}});
    webhook.test(json!({"event": event})).await;
    let given = receiver.wait_for(2).await.swap_remove(1);
    assert_eq!(given.json()["data"], event["data"]);

    receiver.set_reply(Reply::hang());
    let attempt = webhook.test(json!({})).await;
    assert_eq!(
        (&attempt["status_code"], &attempt["error"]),
        (&json!(null), &json!("no response within the timeout"))
    );

    let response = stack
        .post(
            &webhook.path("/test"),
            json!({"event": {"type": 1}, "colour": 2}),
        )
        .await;
    assert_eq!(response.pointers(), ["/colour", "/event/type"]);
}

#[tokio::test]
async fn preview_masks_secrets_and_sends_nothing() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = stack
        .webhook()
        .url(receiver.url_of("/bot{secret.bot}/send?to={to}"))
        .conditions(json!({"field": "count", "op": "gt", "value": 5}))
        .set("secrets", json!({"bot": "123456:abcdef"}))
        .set(
            "headers",
            json!({"x-count": "{count}", "x-token": "{secret.bot}"}),
        )
        .set(
            "body",
            r#"{"text": "{text}", "bot": "{secret.bot}", "n": {nothing}}"#,
        )
        .create()
        .await;
    let mut rendered = webhook
        .render(
            "message",
            json!({"to": "ä b", "text": "\"hi\"", "count": 3}),
        )
        .await;

    assert_eq!(rendered["matched"], false);
    assert_eq!(rendered["missing_tags"], json!(["nothing"]));
    let compared = rendered["conditions"][1].take();
    assert_eq!(
        compared,
        json!({"field": "count", "op": "gt", "value": 5, "actual": 3, "outcome": false})
    );
    let request = &mut rendered["request"];
    assert_eq!(request["method"], "POST");
    assert_eq!(
        request["url"],
        receiver.url_of("/bot•••/send?to=%C3%A4%20b")
    );
    assert_eq!(
        request["body"],
        r#"{"text": "\"hi\"", "bot": "•••", "n": null}"#
    );
    assert_eq!(request["headers"]["x-token"], "•••");
    assert!(!rendered.to_string().contains("abcdef"), "{rendered}");

    let blocked = webhook
        .render("message", json!({"to": "x\u{0}", "text": ""}))
        .await;
    assert!(
        blocked["request"].is_null() || blocked["blocked"].is_null(),
        "{blocked}"
    );
    webhook.test(json!({})).await;
    assert_eq!(receiver.requests().len(), 1, "only the test was sent");
}

#[tokio::test]
async fn new_secret_is_shown_once() {
    let stack = Stack::get();
    let webhook = stack.webhook().url("https://example.com/").create().await;
    let rotated = stack
        .post(&webhook.path("/rotate-secret"), json!({}))
        .await
        .expect(200);
    let secret = text(&rotated, "secret");
    assert_ne!(secret, webhook.secret);
    let read = webhook.read().await;
    assert!(read["secret"].is_null());
    assert!(secret.ends_with(&text(&read, "secret_hint")));
    for wrong in [json!(-1), json!(604_801), json!("day")] {
        let response = stack
            .post(
                &webhook.path("/rotate-secret"),
                json!({"overlap_seconds": wrong}),
            )
            .await;
        assert_eq!(response.pointers(), ["/overlap_seconds"]);
    }
}
