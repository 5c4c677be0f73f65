//! Fallback providers.

use serde_json::{Value, json};
use tests::{
    provider::ProviderBuilder,
    receiver::{Receiver, Reply},
    stack::{Stack, text},
};

/// An SMS provider with the default request at this URL.
fn plain(stack: &Stack, url: &str) -> ProviderBuilder {
    stack
        .provider("twilio-sms", url)
        .set("auth", json!({"type": "none"}))
        .set("request", Value::Null)
        .set("response", json!({"id_pointer": "/id"}))
}

/// The first provider can't be called, so that the test does not wait for the hour of its retries.
#[tokio::test]
async fn fallback_carries_the_message_and_the_attempts_name_both() {
    let stack = Stack::get();
    let receiver = Receiver::replying([Reply::status(200).body(r#"{"id": "theirs-fallback"}"#)]);
    let second = plain(&stack, &receiver.url()).create().await;
    let first = plain(&stack, &receiver.url())
        .set("send_url", receiver.url_of("/{message.subject}/send"))
        .set("fallback_provider_id", second.id.clone())
        .create()
        .await;
    let watch = Receiver::start();
    stack
        .message_webhook()
        .url(watch.url())
        .events(["sms.*"])
        .create()
        .await;
    let sms =
        json!({"channel": "sms", "provider": first.id, "to": "+15555550100", "text": "Hello"});
    let id = stack.message("messages", sms).await;
    let sent = stack.message_until(&id, "sent").await;
    let attempts = sent["attempts"].as_array().expect("attempts");
    let shown: Vec<[&Value; 3]> = attempts
        .iter()
        .map(|attempt| ["provider", "provider_id", "status_code"].map(|field| &attempt[field]))
        .collect();
    let (names, none) = (
        [&first, &second].map(|one| json!(text(&one.document, "name"))),
        Value::Null,
    );
    assert_eq!(
        shown,
        [
            [&names[0], &json!(first.id), &none],
            [&names[1], &json!(second.id), &json!(200)]
        ]
    );
    assert_eq!(sent["provider_id"], second.id.as_str());
    assert_eq!(receiver.only().await.json()["id"], id.as_str());
    // The fallback's report finds the message.
    let report = [
        ("MessageSid", "theirs-fallback"),
        ("MessageStatus", "delivered"),
    ];
    second.report_form(&report).await.expect(202);
    stack.message_until(&id, "delivered").await;
    let events = watch.wait_for(2).await;
    let mut kinds: Vec<String> = events
        .iter()
        .map(|request| text(&request.json(), "type"))
        .collect();
    kinds.sort();
    assert_eq!(kinds, ["sms.delivered", "sms.sent"]);
    stack.delete(&second.path("")).await.problem(409);
}
