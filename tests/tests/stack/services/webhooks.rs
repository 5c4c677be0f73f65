//! Webhooks that send to a connected service.

use serde_json::{Value, json};
use tests::{
    receiver::{Receiver, Reply},
    stack::{Stack, text, unique},
};

/// A webhook that sends to a service has no URL of its own.
fn to(service: &str, path: &str) -> [(&'static str, Value); 3] {
    [
        ("url", Value::Null),
        ("service_id", json!(service)),
        ("path", json!(path)),
    ]
}

#[tokio::test]
async fn delivery_carries_the_accounts_authorization() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let authorization =
        json!({"type": "header", "name": "X-Api-Key", "value": "key-of-the-account"});
    let service = stack
        .service(receiver.url_of("/api/v2"))
        .authorization(authorization)
        .create()
        .await;
    let mut builder = stack.webhook();
    for (field, value) in to(&service.id, "/tickets/{ticket.id}/comments?by={by}") {
        builder = builder.set(field, value);
    }
    let webhook = builder.create().await;
    assert_eq!(webhook.document["url"], Value::Null);
    assert_eq!(webhook.document["service_id"], service.id.as_str());
    assert_eq!(
        webhook.document["path"],
        "/tickets/{ticket.id}/comments?by={by}"
    );

    let event = stack
        .publish("message", json!({"ticket": {"id": 7}, "by": "a b/c"}))
        .await;

    let request = receiver.only().await;
    assert_eq!(
        (request.path.as_str(), request.query.as_str()),
        ("/api/v2/tickets/7/comments", "by=a%20b%2Fc")
    );
    assert_eq!(request.header("x-api-key"), "key-of-the-account");
    assert_eq!(request.header("webhook-id"), event);
    let delivery = stack.delivery_until(&event, &webhook, "succeeded").await;
    assert_eq!(
        delivery["attempts"][0]["request"]["url"],
        receiver.url_of("/api/v2/tickets/7/comments?by=a%20b%2Fc")
    );

    // The service's settings are read when it is called.
    let other = Receiver::start();
    stack
        .patch(&service.path(""), json!({"server_url": other.url()}))
        .await
        .expect(200);
    stack
        .publish("message", json!({"ticket": {"id": 8}, "by": "a"}))
        .await;
    assert_eq!(other.only().await.path, "/tickets/8/comments");
}

#[tokio::test]
async fn rejected_token_is_renewed_within_the_attempt() {
    let stack = Stack::get();
    let token = |access: &str| Reply::status(200).body(json!({"access_token": access}).to_string());
    let issuer = Receiver::replying([token("old-token"), token("new-token")]);
    let receiver = Receiver::replying([
        Reply::status(401),
        Reply::status(200).body("you sent new-token"),
    ]);
    let authorization = json!({
        "type": "oauth2", "grant_type": "client_credentials", "token_url": issuer.url(), "client_id": "us",
        "client_secret": "0123456789abcdef",
    });
    let service = stack
        .service(receiver.url())
        .authorization(authorization)
        .create()
        .await;
    let mut builder = stack.webhook();
    for (field, value) in to(&service.id, "/hook") {
        builder = builder.set(field, value);
    }
    let webhook = builder.create().await;
    let event = stack.publish("message", json!({})).await;

    let delivery = stack.delivery_until(&event, &webhook, "succeeded").await;
    let attempts = delivery["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), 1, "{delivery}");
    assert_eq!(attempts[0]["response_body"], "you sent •••");
    let tokens: Vec<String> = receiver
        .requests()
        .iter()
        .map(|request| request.header("authorization").to_owned())
        .collect();
    assert_eq!(tokens, ["Bearer old-token", "Bearer new-token"]);
    assert_eq!(issuer.requests().len(), 2);

    // Without a token the attempt fails and says why.
    issuer.set_reply(Reply::status(400).body(r#"{"error": "invalid_scope"}"#));
    receiver.set_reply(Reply::status(401));
    let event = stack.publish("message", json!({})).await;
    let delivery = stack.delivery_until(&event, &webhook, "failed").await;
    assert_eq!(
        delivery["attempts"][0]["error"],
        "no access token: the token endpoint responded with 400: invalid_scope"
    );
}

#[tokio::test]
async fn service_in_use_by_a_webhook_can_not_be_deleted() {
    let stack = Stack::get();
    let service = stack.service("https://example.com").create().await;
    let mut builder = stack.webhook();
    for (field, value) in to(&service.id, "/a") {
        builder = builder.set(field, value);
    }
    let webhook = builder.create().await;
    stack.delete(&service.path("")).await.problem(409);
    let receiver = Receiver::start();
    let changed = stack
        .patch(&webhook.path(""), json!({"url": receiver.url()}))
        .await
        .expect(200);
    assert_eq!(
        (&changed["service_id"], &changed["path"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(text(&changed, "url"), receiver.url());
    assert_eq!(stack.delete(&service.path("")).await.status, 204);
    let back = stack
        .patch(
            &webhook.path(""),
            json!({"service_id": service.id, "path": "/a"}),
        )
        .await;
    assert_eq!(back.pointers(), ["/service_id"]);

    let second = stack.service("https://example.com").create().await;
    let patch = json!({"service_id": second.id, "path": "/a"});
    let changed = stack.patch(&webhook.path(""), patch).await.expect(200);
    assert_eq!(
        (&changed["url"], &changed["path"]),
        (&Value::Null, &json!("/a"))
    );
    stack.delete(&second.path("")).await.problem(409);
    let render = stack
        .post(
            &webhook.path("/render"),
            json!({"event": stack.event("message", json!({}))}),
        )
        .await;
    assert_eq!(
        render.expect(200)["request"]["url"],
        "https://example.com/a"
    );
    assert_eq!(stack.delete(&webhook.path("")).await.status, 204);
    assert_eq!(stack.delete(&second.path("")).await.status, 204);
}

#[tokio::test]
async fn webhook_has_one_authentication_and_one_destination() {
    let stack = Stack::get();
    let service = stack.service("https://example.com/api").create().await;
    let create = async |changes: &[(&'static str, Value)]| {
        let mut builder = stack.webhook();
        for (field, value) in to(&service.id, "/a")
            .into_iter()
            .chain(changes.iter().cloned())
        {
            builder = builder.set(field, value);
        }
        builder.try_create().await
    };
    let basic = json!({"type": "basic", "username": "a", "password": "b"});
    assert_eq!(create(&[("auth", basic)]).await.pointers(), ["/auth"]);
    assert_eq!(
        create(&[("url", json!("https://example.com"))])
            .await
            .pointers(),
        ["/url"]
    );
    assert_eq!(
        create(&[("path", json!("/../admin"))]).await.pointers(),
        ["/path"]
    );
    assert_eq!(
        create(&[("path", json!("a#b"))]).await.pointers(),
        ["/path"]
    );
    assert_eq!(
        create(&[("service_id", json!("svc_01ARZ3NDEKTSV4RRFFQ69G5FAV"))])
            .await
            .pointers(),
        ["/service_id"]
    );
}

#[tokio::test]
async fn webhook_to_a_service_requires_the_scope_to_send_to_it() {
    let stack = Stack::get();
    let service = stack.service("https://example.com/api").create().await;
    let mut builder = stack.webhook();
    for (field, value) in to(&service.id, "/a") {
        builder = builder.set(field, value);
    }
    let webhook = builder.create().await;
    let held = async |scopes: Value| {
        let credential = stack
            .post(
                "/v1/credentials",
                json!({"description": "writer", "scopes": scopes}),
            )
            .await
            .expect(201);
        stack.with_token(&text(&credential, "token"))
    };
    let writer = held(json!(["webhooks:write"])).await;
    let refused = writer
        .patch(&webhook.path(""), json!({"path": "/admin"}))
        .await;
    assert!(text(&refused.problem(403), "detail").contains("services:send"));
    let document = json!({
        "name": unique("webhook"), "events": ["message"], "conditions": stack.condition(), "service_id": service.id,
        "path": "/a",
    });
    writer
        .post("/v1/webhooks", document.clone())
        .await
        .problem(403);
    writer
        .patch(&webhook.path(""), json!({"enabled": false}))
        .await
        .expect(200);
    let own = json!({"event": {"type": "message", "data": {"say": "anything"}}});
    writer.post(&webhook.path("/test"), own).await.problem(403);

    let sender = held(json!(["webhooks:write", "services:send"])).await;
    sender
        .patch(&webhook.path(""), json!({"path": "/admin"}))
        .await
        .expect(200);
    sender.post("/v1/webhooks", document).await.expect(201);
}

#[tokio::test]
async fn only_the_account_sets_the_authorization_header() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let authorization =
        |name: &str| json!({"type": "header", "name": name, "value": "key-of-the-account"});
    let service = stack
        .service(receiver.url())
        .authorization(authorization("X-Other"))
        .create()
        .await;
    let webhook = |header: &str| {
        let builder = stack.webhook().set("headers", json!({header: "mine"}));
        to(&service.id, "/a")
            .into_iter()
            .fold(builder, |builder, (field, value)| builder.set(field, value))
    };
    assert_eq!(
        webhook("x-other").try_create().await.pointers(),
        ["/headers/x-other"]
    );
    let webhook = webhook("x-tenant").create().await;
    let account = format!("/v1/accounts/{}", text(&service.document, "account_id"));
    let conflict = stack
        .patch(
            &account,
            json!({"authorization": authorization("X-Tenant")}),
        )
        .await
        .expect(409);
    assert!(
        text(&conflict, "detail").contains(&webhook.id),
        "{conflict}"
    );
    let event = stack.publish("message", json!({})).await;
    stack.delivery_until(&event, &webhook, "succeeded").await;
    let request = receiver.only().await;
    assert_eq!(request.headers["x-other"], "key-of-the-account");
    assert_eq!(request.headers["x-tenant"], "mine");
}
