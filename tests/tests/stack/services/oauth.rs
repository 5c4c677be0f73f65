//! OAuth 2.0 accounts.

use futures::future::join_all;
use serde_json::{Value, json};
use tests::{
    receiver::{Receiver, Reply, Request},
    service::Service,
    stack::Stack,
};

fn token(access: &str, more: &Value) -> Reply {
    let mut body = json!({"access_token": access, "token_type": "Bearer", "expires_in": 3600});
    body.as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    Reply::status(200)
        .header("content-type", "application/json")
        .body(body.to_string())
}

async fn service(stack: &Stack, server: &Receiver, issuer: &Receiver, more: Value) -> Service {
    let mut authorization = json!({
        "type": "oauth2", "grant_type": "client_credentials", "token_url": issuer.url_of("/token"),
        "client_id": "client:1", "client_secret": "s&cret of the client",
    });
    authorization
        .as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    stack
        .service(server.url())
        .authorization(authorization)
        .create()
        .await
}

fn form(request: &Request) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = url::form_urlencoded::parse(&request.body)
        .into_owned()
        .collect();
    pairs.sort();
    pairs
}

fn bearers(server: &Receiver) -> Vec<String> {
    server
        .requests()
        .iter()
        .map(|request| request.header("authorization").to_owned())
        .collect()
}

#[tokio::test]
async fn ten_concurrent_calls_request_one_token() {
    let stack = Stack::get();
    let (server, issuer) = (
        Receiver::start(),
        Receiver::replying([token("first", &json!({}))]),
    );
    let service = service(
        &stack,
        &server,
        &issuer,
        json!({"scope": "a b", "audience": "https://api"}),
    )
    .await;
    let responses = join_all((0..10).map(|_| service.send(json!({})))).await;
    assert!(
        responses.iter().all(|response| response.status == 200),
        "{responses:?}"
    );
    let request = issuer.only().await;
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/token")
    );
    // RFC 6749, section 2.3.1: ID and secret are form-encoded before they are joined.
    assert_eq!(
        request.header("authorization"),
        "Basic Y2xpZW50JTNBMTpzJTI2Y3JldCtvZit0aGUrY2xpZW50"
    );
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        form(&request),
        [
            pair("audience", "https://api"),
            pair("grant_type", "client_credentials"),
            pair("scope", "a b")
        ]
    );
    assert_eq!(bearers(&server), vec!["Bearer first"; 10]);
    let dump = stack.table_dump().await;
    assert!(!dump.contains("s&cret of the client"));

    // A change of the settings discards the token; a change of the name does not.
    let account = format!(
        "/v1/accounts/{}",
        tests::stack::text(&service.document, "account_id")
    );
    stack
        .patch(&account, json!({"name": tests::stack::unique("account")}))
        .await
        .expect(200);
    service.send(json!({})).await.expect(200);
    assert_eq!(issuer.requests().len(), 1);
    issuer.set_reply(token("second", &json!({})));
    stack
        .patch(&account, json!({"authorization": {"scope": "a"}}))
        .await
        .expect(200);
    service.send(json!({})).await.expect(200);
    assert_eq!(
        (
            issuer.requests().len(),
            bearers(&server).last().map(String::as_str)
        ),
        (2, Some("Bearer second"))
    );
}

#[tokio::test]
async fn expired_or_rejected_token_is_replaced_once() {
    let stack = Stack::get();
    // The first one expires immediately.
    let replies = [
        token("first", &json!({"expires_in": 0})),
        token("second", &json!({})),
        token("third", &json!({})),
    ];
    let (server, issuer) = (Receiver::start(), Receiver::replying(replies));
    let service = service(&stack, &server, &issuer, json!({"client_auth": "body"})).await;
    service.send(json!({})).await.expect(200);
    service.send(json!({})).await.expect(200);
    assert_eq!(bearers(&server), ["Bearer first", "Bearer second"]);
    let request = issuer.requests().remove(0);
    assert_eq!(request.header("authorization"), "");
    assert!(form(&request).contains(&(
        "client_secret".to_owned(),
        "s&cret of the client".to_owned()
    )));

    server.set_reply(Reply::status(401));
    let response = service.send(json!({"body": {"n": 1}})).await.expect(200);
    assert_eq!(
        response["status"], 401,
        "the response of the service is returned"
    );
    assert_eq!(bearers(&server)[2..], ["Bearer second", "Bearer third"]);
    assert_eq!(issuer.requests().len(), 3);
    assert!(
        server.requests()[2..]
            .iter()
            .all(|request| request.json() == json!({"n": 1}))
    );
}

#[tokio::test]
async fn replaced_refresh_token_is_stored() {
    let stack = Stack::get();
    let replies = [
        token(
            "first",
            &json!({"expires_in": 0, "refresh_token": "by-the-server"}),
        ),
        token("second", &json!({"expires_in": 0})),
        token("third", &json!({})),
    ];
    let (server, issuer) = (Receiver::start(), Receiver::replying(replies));
    let more = json!({"grant_type": "refresh_token", "refresh_token": "given"});
    let service = service(&stack, &server, &issuer, more).await;
    for _ in 0..3 {
        service.send(json!({})).await.expect(200);
    }
    let used: Vec<String> = issuer
        .requests()
        .iter()
        .flat_map(form)
        .filter(|(name, _)| name == "refresh_token")
        .map(|(_, value)| value)
        .collect();
    assert_eq!(used, ["given", "by-the-server", "by-the-server"]);
    assert_eq!(
        bearers(&server),
        ["Bearer first", "Bearer second", "Bearer third"]
    );
    let dump = stack.table_dump().await;
    assert!(!dump.contains("by-the-server"));
}

#[tokio::test]
async fn token_endpoint_failure_is_reported_without_secrets() {
    let stack = Stack::get();
    let server = Receiver::start();
    let issuer = Receiver::start();
    let service = service(&stack, &server, &issuer, json!({})).await;
    let refusal = r#"{"error": "invalid_client", "error_description": "no s&cret of the client"}"#;
    for (reply, expected) in [
        (
            Reply::status(401).body(refusal),
            "the token endpoint responded with 401: invalid_client",
        ),
        (
            Reply::status(503).body("s&cret of the client"),
            "the token endpoint responded with 503",
        ),
        (
            Reply::status(200).body("<html>"),
            "the token endpoint's response is neither a JSON object nor a form",
        ),
        (
            Reply::status(200).body("{}"),
            "the token endpoint's response contains no access_token",
        ),
        (
            Reply::status(302).header("location", "https://example.com"),
            "the token endpoint responded with 302",
        ),
    ] {
        issuer.set_reply(reply);
        let response = service.send(json!({})).await;
        assert!(!response.text.contains("cret of"), "{}", response.text);
        let problem = response.problem(502);
        assert_eq!(
            problem["detail"],
            format!("The service's account got no access token: {expected}.")
        );
    }
    assert_eq!(server.requests().len(), 0);
    issuer.set_reply(token("late", &json!({})));
    service.send(json!({})).await.expect(200);
    assert_eq!(bearers(&server), ["Bearer late"]);
}
