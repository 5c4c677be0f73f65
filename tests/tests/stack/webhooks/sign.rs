//! Signatures, verified with a Standard Webhooks library.

use serde_json::json;
use standardwebhooks::Webhook as Verifier;
use tests::{
    receiver::{Receiver, Request},
    stack::{Stack, text},
};

fn verify(request: &Request, secret: &str) -> bool {
    let verifier = match secret.strip_prefix("whsec_") {
        Some(_) => Verifier::new(secret),
        None => Verifier::from_bytes(secret.as_bytes().to_vec()),
    };
    verifier
        .expect("secret")
        .verify(&request.body, &request.headers)
        .is_ok()
}

#[tokio::test]
async fn seven_chat_events_reach_one_webhook_signed() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let kinds = [
        "chat",
        "message",
        "insight.summary",
        "insight.topic",
        "insight.key",
        "insight.conversation",
        "insight.sentiment",
    ];
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .events(["chat", "message", "insight.*"])
        .create()
        .await;
    assert!(webhook.secret.starts_with("whsec_"), "one is made");
    for kind in kinds {
        stack.publish(kind, json!({"kind": kind})).await;
    }
    stack.publish("ticket.created", json!({})).await;

    let got = receiver.wait_for(kinds.len()).await;
    let mut came: Vec<String> = got
        .iter()
        .map(|request| text(&request.json(), "type"))
        .collect();
    came.sort_unstable();
    let mut wanted = kinds;
    wanted.sort_unstable();
    assert_eq!(came, wanted);
    for request in &got {
        assert!(verify(request, &webhook.secret), "{request:?}");
        assert!(
            !verify(request, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            "another's secret"
        );
    }
}

#[tokio::test]
async fn both_secrets_sign_during_the_overlap() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let old = "a plain secret, its bytes are the key";
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .set("secret", old)
        .create()
        .await;
    let rotate = async |body| {
        text(
            &stack
                .post(&webhook.path("/rotate-secret"), body)
                .await
                .expect(200),
            "secret",
        )
    };
    stack.publish("message", json!({})).await;
    assert!(verify(&receiver.wait_for(1).await[0], old));

    let new = rotate(json!({"overlap_seconds": 600})).await;
    assert_ne!(new, old);
    stack.publish("message", json!({})).await;
    let during = receiver.wait_for(2).await.swap_remove(1);
    assert_eq!(during.header("webhook-signature").split(' ').count(), 2);
    assert!(verify(&during, old) && verify(&during, &new));

    let last = rotate(json!({"overlap_seconds": 0})).await;
    stack.publish("message", json!({})).await;
    let after = receiver.wait_for(3).await.swap_remove(2);
    assert_eq!(after.header("webhook-signature").split(' ').count(), 1);
    assert!(verify(&after, &last) && !verify(&after, &new) && !verify(&after, old));
}

#[tokio::test]
async fn secret_can_be_sent_in_a_header() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .set(
            "signing",
            json!({"type": "header", "name": "X-Hook-Secret"}),
        )
        .create();
    let webhook = webhook.await;
    stack.publish("message", json!({})).await;
    let request = receiver.only().await;
    assert_eq!(request.header("x-hook-secret"), webhook.secret);
    assert_eq!(request.header("webhook-signature"), "");
}

#[tokio::test]
async fn invalid_secrets_are_rejected() {
    let stack = Stack::get();
    for secret in [
        "",
        "short",
        &"x".repeat(76),
        "whsec_",
        "whsec_AAAA",
        "whsec_not base64",
        "line\nbreak in a secret, long",
    ] {
        let response = stack
            .webhook()
            .url("https://example.com/")
            .set("secret", secret)
            .try_create()
            .await;
        assert_eq!(response.pointers(), ["/secret"], "{secret:?}");
    }
}
