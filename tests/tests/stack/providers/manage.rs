//! Providers as resources.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    receiver::{Receiver, Reply},
    stack::{Stack, text},
};

#[tokio::test]
async fn provider_keys_are_write_only() {
    let (stack, receiver) = (Stack::get(), Receiver::start());
    let (api_key, secret_key) = ("AC-an-api-key-0f1e2d3c", "an-auth-token-4b5a69788796");
    let builder = stack
        .provider("twilio-sms", &receiver.url())
        .set("api_key", api_key)
        .set("secret_key", secret_key);
    let provider = builder.create().await;
    let view = &provider.document;
    assert_eq!(
        (&view["api_key_hint"], &view["secret_key_hint"]),
        (&json!("2d3c"), &json!("8796"))
    );
    assert_eq!(
        (&view["status"], &view["default"]),
        (&json!("active"), &json!(false))
    );
    let read = stack.get_path(&provider.path("")).await;
    assert!(!read.header("etag").is_empty());
    assert_eq!(read.body, *view);
    let renamed = stack
        .patch(
            &provider.path(""),
            json!({"request": {"headers": {"x-a": "1"}}}),
        )
        .await
        .expect(200);
    assert_eq!(renamed["callback_url"], view["callback_url"]);
    assert_eq!(renamed["request"]["format"], "form");
    // The keys are unchanged.
    let tested = json!({"to": "+15555550100", "from": "+15555550101"});
    let attempt = stack
        .post(&provider.path("/test"), tested)
        .await
        .expect(200)["attempt"]
        .take();
    assert_eq!(attempt["status_code"], 200);
    let request = receiver.only().await;
    assert!(request.header("authorization").starts_with("Basic "));
    assert!(
        request.text().contains("Body=This%20is%20a%20test"),
        "{}",
        request.text()
    );

    let key = provider
        .callback_url()
        .rsplit('/')
        .next()
        .expect("a key")
        .to_owned();
    let mut places = vec![
        stack.table_dump().await,
        stack.queues_dump().await,
        read.text,
        renamed.to_string(),
    ];
    places.extend([
        stack
            .get_path("/v1/providers?channel=sms&limit=100")
            .await
            .text,
        attempt.to_string(),
    ]);
    places.push(stack.get_path("/v1/audit?limit=100").await.text);
    places.extend(["config-api", "inbound", "delivery"].map(|function| stack.log(function)));
    for (at, place) in places.iter().enumerate() {
        assert!(
            !place.contains(api_key) && !place.contains(secret_key),
            "place {at}"
        );
    }
    assert!(
        !places[0].contains(&key),
        "the callback's key is in the table"
    );
    assert_eq!(stack.delete(&provider.path("")).await.status, 204);
    stack.get_path(&provider.path("")).await.problem(404);
    stack
        .send(
            stack
                .call(Method::POST, &provider.callback_url())
                .json(&json!({})),
        )
        .await
        .problem(404);
}

#[tokio::test]
async fn names_are_unique_across_channels_and_every_invalid_field_is_named() {
    let (stack, receiver) = (Stack::get(), Receiver::start());
    let provider = stack.provider("telegram", &receiver.url()).create().await;
    let name = text(&provider.document, "name");
    let other = || {
        stack
            .provider("sendgrid", &receiver.url())
            .set("name", name.to_uppercase())
    };
    other().try_create().await.problem(409);
    let wrong = other()
        .set("channel", "fax")
        .set("callback", json!({"id_pointer": "x"}))
        .set("api_key", Value::Null);
    let pointers = wrong.try_create().await.pointers();
    assert_eq!(
        pointers,
        [
            "/api_key",
            "/callback/id_pointer",
            "/callback/status_pointer",
            "/channel"
        ]
    );
    let elsewhere = other().set("send_url", "https://10.0.0.1/x");
    assert_eq!(elsewhere.try_create().await.pointers(), ["/send_url"]);
    let path = provider.path("");
    assert_eq!(
        stack
            .patch(&path, json!({"channel": "sms"}))
            .await
            .pointers(),
        ["/channel"]
    );
    let etag = stack.get_path(&path).await.header("etag").to_owned();
    stack
        .patch(&path, json!({"name": format!("{name} 2")}))
        .await
        .expect(200);
    let stale = stack
        .request(Method::DELETE, &path)
        .header("if-match", etag);
    stack.send(stale).await.problem(412);
    other().create().await;
}

#[tokio::test]
async fn provider_test_sends_and_stores_nothing() {
    let stack = Stack::get();
    let receiver =
        Receiver::replying([Reply::status(401).body(r#"{"errors": ["SG.the-wrong-key"]}"#)]);
    let provider = stack
        .provider("sendgrid", &receiver.url())
        .set("api_key", "SG.the-wrong-key")
        .create()
        .await;
    let path = provider.path("/test");
    assert_eq!(
        stack
            .post(&path, json!({"to": "x", "channel": "sms"}))
            .await
            .pointers(),
        ["/channel", "/to"]
    );
    let body = json!({"to": "ada@example.com", "from": "desk@example.com", "html": "<p>Hi</p>"});
    let attempt = stack.post(&path, body).await.expect(200)["attempt"].take();
    assert_eq!(
        (&attempt["number"], &attempt["status_code"]),
        (&json!(1), &json!(401))
    );
    assert_eq!(attempt["response_body"], r#"{"errors": ["•••"]}"#);
    let sent = receiver.only().await.json();
    assert_eq!(
        sent["content"],
        json!([{"type": "text/html", "value": "<p>Hi</p>"}])
    );
    let id = text(&sent["personalizations"][0]["custom_args"], "tieline_id");
    stack
        .get_path(&format!("/v1/messages/{id}"))
        .await
        .problem(404);
}
