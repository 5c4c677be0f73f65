//! Events, webhooks and loops that an inbound request leads to.

use super::{SECRET, hmac, service, subscriber};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{receiver::Receiver, stack::Stack};

/// From an inbound request to a request to the same service, all for the service's user.
#[tokio::test]
async fn events_of_a_call_reach_only_the_services_user() {
    let stack = Stack::get();
    let (user, other, receiver) = (stack.user().await, stack.user().await, Receiver::start());
    let authorization = json!({"type": "header", "name": "x-key", "value": "key-of-the-account"});
    let builder = stack
        .service(receiver.url())
        .authorization(authorization)
        .set("user_id", user.as_str());
    let service = builder.create().await;
    let mine = json!({"all": [
        {"field": "service_id", "op": "eq", "value": service.id}, {"field": "user_id", "op": "eq", "value": user},
    ]});
    let webhook = stack
        .webhook()
        .events(["service.received"])
        .set("conditions", mine)
        .set("url", Value::Null);
    let webhook = webhook
        .set("service_id", service.id.as_str())
        .set("path", "/users/{user_id}/{body.note}");
    webhook.create().await;
    let call = async |note: &str| {
        let request = stack
            .call(Method::POST, &service.webhook_url())
            .body(json!({"note": note}).to_string());
        stack.send(request).await.status
    };
    let active = async |user: &str, active: bool| {
        stack
            .patch(&format!("/v1/users/{user}"), json!({"active": active}))
            .await
            .expect(200);
    };
    let hand_over = async |user: &str| {
        stack
            .patch(&service.path(""), json!({"user_id": user}))
            .await
            .expect(200);
    };
    assert_eq!(call("first").await, 202);
    let request = receiver.only().await;
    assert_eq!(
        (request.path.as_str(), request.header("x-key")),
        (&*format!("/users/{user}/first"), "key-of-the-account")
    );

    active(&user, false).await;
    assert_eq!(call("while-inactive").await, 403);
    hand_over(&other).await;
    assert_eq!(
        call("of-the-other").await,
        202,
        "it belongs to the other user now"
    );
    hand_over(&user).await;
    assert_eq!(call("while-still-inactive").await, 403);
    active(&user, true).await;
    assert_eq!(call("last").await, 202);
    let paths: Vec<String> = receiver
        .wait_for(2)
        .await
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(
        paths,
        ["first", "last"].map(|note| format!("/users/{user}/{note}"))
    );
}

#[tokio::test]
async fn slack_challenge_is_returned() {
    let stack = Stack::get();
    let service = service(&stack, json!({"type": "slack", "secret": SECRET})).await;
    let body = r#"{"type": "url_verification", "challenge": "3eZbrw1aB10FEMAGAZd4FyFQ"}"#;
    let now = platform::clock::now().as_second();
    let signature = format!("v0={}", hmac(&format!("v0:{now}:{body}")));
    let request = stack
        .call(Method::POST, &service.webhook_url())
        .header("x-slack-request-timestamp", now);
    let response = stack
        .send(request.header("x-slack-signature", signature).body(body))
        .await;
    assert_eq!(
        (response.status, response.text.as_str()),
        (200, "3eZbrw1aB10FEMAGAZd4FyFQ")
    );
}

#[tokio::test]
async fn webhook_loop_ends() {
    let stack = Stack::get();
    let service = service(&stack, json!({"type": "none"})).await;
    for (hops, status) in [
        ("0", 202),
        ("2", 202),
        ("3", 508),
        ("255", 508),
        ("-1", 508),
        ("many", 508),
    ] {
        let request = stack
            .call(Method::POST, &service.webhook_url())
            .header("tieline-hops", hops);
        assert_eq!(stack.send(request).await.status, status, "{hops}");
    }
    let receiver = Receiver::start();
    subscriber(&stack, &service, &receiver).await;
    stack
        .send(
            stack
                .call(Method::POST, &service.webhook_url())
                .header("tieline-hops", "2"),
        )
        .await
        .expect(202);
    assert_eq!(receiver.only().await.header("tieline-hops"), "3");
}
