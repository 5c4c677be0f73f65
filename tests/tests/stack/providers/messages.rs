//! Messages: repeated requests, failing providers, early reports.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    provider::{Provider, ProviderBuilder},
    receiver::{Receiver, Reply},
    stack::{Stack, text},
};

/// An SMS provider with the default request.
fn plain(stack: &Stack, receiver: &Receiver) -> ProviderBuilder {
    let keys = stack
        .provider("twilio-sms", &receiver.url())
        .set("api_key", "an-api-key-of-a-provider");
    let keys = keys.set(
        "secret_key",
        "whsec_c2VjcmV0LW9mLWEtdGVzdC1vZi1wcm92aWRlcnM=",
    );
    keys.set("auth", Value::Null)
        .set("request", Value::Null)
        .set("response", json!({"id_pointer": "/id"}))
}

fn sms(provider: &Provider, text: &str) -> Value {
    json!({"channel": "sms", "provider": provider.id, "to": "+15555550100", "text": text})
}

#[tokio::test]
async fn default_request_is_signed() {
    let (stack, receiver) = (Stack::get(), Receiver::start());
    let provider = plain(&stack, &receiver).create().await;
    let id = stack.message("messages", sms(&provider, "Hello")).await;
    let request = receiver.only().await;
    assert_eq!(request.header("x-api-key"), "an-api-key-of-a-provider");
    assert_eq!(request.header("webhook-id"), id);
    let webhook = standardwebhooks::Webhook::new("whsec_c2VjcmV0LW9mLWEtdGVzdC1vZi1wcm92aWRlcnM=")
        .expect("a secret");
    webhook
        .verify(&request.body, &request.headers)
        .expect("a signature");
    assert_eq!(
        request.json(),
        json!({
            "id": id, "provider_id": "own-provider-id", "channel": "sms", "to": "+15555550100", "from": null,
            "subject": null, "text": "Hello", "html": null, "metadata": stack.metadata(),
        })
    );
}

#[tokio::test]
async fn duplicate_key_is_one_message() {
    let (stack, receiver) = (Stack::get(), Receiver::start());
    let provider = plain(&stack, &receiver).create().await;
    let key = tests::stack::unique("key");
    let send = async |text: &str| {
        let request = stack
            .request(Method::POST, "/v1/messages")
            .header("idempotency-key", &key);
        stack.send(request.json(&sms(&provider, text))).await
    };
    let first = send("Hello").await;
    assert!(
        first
            .header("location")
            .starts_with("/_aws/execute-api/tieline/v1/messages/msg_")
    );
    let first = first.expect(202);
    assert_eq!(first["status"], "queued");
    let id = text(&first, "id");
    stack.message_until(&id, "sent").await;
    let again = send("Hello").await.expect(202);
    assert_eq!(
        (&again["id"], &again["status"]),
        (&first["id"], &json!("sent"))
    );
    assert_eq!(send("Another").await.pointers(), ["Idempotency-Key"]);

    // Accepted messages stay readable, even if their provider is deleted.
    assert_eq!(stack.delete(&provider.path("")).await.status, 204);
    assert_eq!(send("Hello").await.expect(202)["id"], first["id"]);
    assert_eq!(send("Another").await.pointers(), ["Idempotency-Key"]);
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn invalid_message_is_rejected_and_not_sent() {
    let (stack, receiver) = (Stack::get(), Receiver::start());
    let provider = plain(&stack, &receiver).create().await;
    for (document, pointers) in [
        (json!({}), vec!["/channel", "/text", "/to"]),
        (
            json!({"channel": "sms", "to": "0555 5550100", "text": "x"}),
            vec!["/to"],
        ),
        (
            json!({"channel": "email", "to": "not-an-address", "subject": "x", "text": "x"}),
            vec!["/to"],
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": "x", "unknown": 1}),
            vec!["/unknown"],
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": "x", "provider": "no such one"}),
            vec!["/provider"],
        ),
        (
            json!({"channel": "chatbot", "to": "7", "text": "x", "provider": provider.id}),
            vec!["/provider"],
        ),
    ] {
        assert_eq!(
            stack.post("/v1/messages", document).await.pointers(),
            pointers
        );
    }
    assert_eq!(
        stack
            .post("/v1/calls", json!({"to": "+1"}))
            .await
            .pointers(),
        ["/text", "/to"]
    );
    let id = stack.message("messages", sms(&provider, "Hello")).await;
    stack
        .get_path(&format!("/v1/calls/{id}"))
        .await
        .problem(404);
    stack.get_path("/v1/messages?chanel=sms").await.problem(422);
    stack.message_until(&id, "sent").await;
    let listed = stack
        .listed("/v1/messages?channel=sms&status=sent", "id")
        .await;
    assert!(listed.contains(&id));
    assert!(
        !stack
            .listed("/v1/messages?channel=email", "id")
            .await
            .contains(&id)
    );
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn failing_provider_is_retried() {
    let stack = Stack::get();
    let receiver = Receiver::replying([
        Reply::status(503),
        Reply::status(200).body(r#"{"id": "theirs-1"}"#),
    ]);
    let provider = plain(&stack, &receiver).create().await;
    let id = stack.message("messages", sms(&provider, "Hello")).await;
    let sent = stack.message_until(&id, "sent").await;
    let codes: Vec<&Value> = sent["attempts"]
        .as_array()
        .expect("attempts")
        .iter()
        .map(|attempt| &attempt["status_code"])
        .collect();
    assert_eq!(codes, [503, 200]);
    assert_eq!(sent["provider_message_id"], "theirs-1");
    let got = receiver.wait_for(2).await;
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
    assert_eq!(got[0].json(), got[1].json());
}

#[tokio::test]
async fn report_before_the_response_is_retried() {
    let stack = Stack::get();
    // The response to the second attempt contains the ID.
    let receiver = Receiver::replying([
        Reply::status(500),
        Reply::status(200).body(r#"{"id": "theirs-early"}"#),
    ]);
    let provider = plain(&stack, &receiver).create().await;
    let id = stack.message("messages", sms(&provider, "Hello")).await;
    receiver.wait_for(1).await;
    let report = [
        ("MessageSid", "theirs-early"),
        ("MessageStatus", "delivered"),
    ];
    provider.report_form(&report).await.expect(202);
    let delivered = stack.message_until(&id, "delivered").await;
    assert_eq!(delivered["provider_message_id"], "theirs-early");
    // A report from another provider has no effect.
    let other = plain(&stack, &receiver).create().await;
    let foreign = [("MessageSid", id.as_str()), ("MessageStatus", "failed")];
    other.report_form(&foreign).await.expect(202);
    stack
        .logged("delivery", &["report ignored", &id, &other.id])
        .await;
    assert_eq!(
        stack.message_until(&id, "delivered").await["history"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
}
