//! Requests to services.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    receiver::{Receiver, Reply},
    stack::Stack,
};

/// `{"authorization": "Bearer s3cr3t-k3y"}`, gzipped.
const PACKED: [u8; 58] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 74, 44, 45, 201, 200, 47, 202, 172, 74, 44, 201, 204,
    207, 83, 178, 82, 80, 114, 74, 77, 44, 74, 45, 82, 40, 54, 78, 46, 50, 46, 209, 205, 54, 174,
    84, 170, 5, 0, 254, 105, 219, 13, 38, 0, 0, 0,
];

#[tokio::test]
async fn every_method_and_format_is_sent() {
    let stack = Stack::get();
    let receiver = Receiver::replying([Reply::status(201)
        .header("content-type", "application/json")
        .body(r#"{"id": 7}"#)]);
    let service = stack.service(receiver.url_of("/api/v2")).create().await;
    for (n, (method, format, body, sent, content_type)) in [
        (
            "POST",
            "json",
            json!({"a": ["ä", 1.5]}),
            r#"{"a":["ä",1.5]}"#,
            "application/json",
        ),
        (
            "PUT",
            "form",
            json!({"a": "x y&z", "b": [1, true]}),
            "a=x+y%26z&b=1&b=true",
            "application/x-www-form-urlencoded",
        ),
        (
            "PATCH",
            "xml",
            json!("<a>ä</a>"),
            "<a>ä</a>",
            "application/xml",
        ),
        ("DELETE", "json", json!(null), "", ""),
        ("GET", "json", json!(null), "", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let request = json!({
            "method": method, "path": "/tickets/7", "query": {"q": "a b", "n": 1}, "headers": {"X-Trace": "t"},
            "format": format, "body": body,
        });
        let response = service.send(request).await.expect(200);
        assert_eq!(
            (&response["status"], &response["body"]),
            (&json!(201), &json!({"id": 7}))
        );
        assert_eq!(response["headers"]["content-type"], "application/json");
        assert!(response["elapsed_ms"].is_u64());
        let got = receiver.wait_for(n + 1).await.pop().expect("a request");
        assert_eq!(
            (got.method.as_str(), got.path.as_str()),
            (method, "/api/v2/tickets/7")
        );
        assert_eq!(got.query, "n=1&q=a+b");
        assert_eq!((got.text().as_str(), got.header("x-trace")), (sent, "t"));
        assert!(
            got.header("content-type").starts_with(content_type),
            "{got:?}"
        );
    }
}

#[tokio::test]
async fn any_response_is_returned() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let service = stack
        .service(receiver.url())
        .authorization(json!({"type": "header", "name": "x-key", "value": "s3cr3t-k3y"}))
        .create()
        .await;
    let html = Reply::status(500)
        .header("content-type", "text/html")
        .body("<h1>s3cr3t-k3y</h1>");
    receiver.set_reply(
        html.header("set-cookie", "session=1")
            .header("x-echo", "s3cr3t-k3y"),
    );
    let response = service.send(json!({})).await;
    assert!(!response.text.contains("s3cr3t-k3y"), "{}", response.text);
    let response = response.expect(200);
    assert_eq!(
        (&response["status"], &response["body"]),
        (&json!(500), &json!("<h1>•••</h1>"))
    );
    assert!(response["headers"]["set-cookie"].is_null());
    assert_eq!(response["headers"]["x-echo"], "•••");
    receiver.set_reply(Reply::status(302).header("location", "https://example.com/"));
    let response = service.send(json!({})).await.expect(200);
    assert_eq!(
        (&response["status"], &response["body"]),
        (&json!(302), &json!(""))
    );
    receiver.set_reply(Reply::status(200).body("x".repeat((1 << 20) + 1)));
    service.send(json!({})).await.problem(502);
    receiver.set_reply(Reply::status(200).body("x".repeat(1 << 20)));
    let response = service.send(json!({})).await.expect(200);
    assert_eq!(response["body"].as_str().map(str::len), Some(1 << 20));
}

/// Echoes the request, like debugging services.
#[tokio::test]
async fn echoing_service_shows_no_secret() {
    let stack = Stack::get();
    let (part, fixed, fetched) = (
        "AAF-path_token",
        "fixed-token-of-the-account",
        "token-that-was-fetched",
    );
    let issuer =
        Receiver::replying([Reply::status(200).body(json!({"access_token": fetched}).to_string())]);
    let header =
        json!({"type": "header", "name": "Authorization", "value": format!("Bearer {fixed}")});
    let oauth2 = json!({
        "type": "oauth2", "grant_type": "client_credentials", "token_url": issuer.url(), "client_id": "us",
        "client_secret": "0123456789abcdef",
    });
    for (authorization, token) in [(header, fixed), (oauth2, fetched)] {
        let receiver = Receiver::replying([Reply::echo(200)]);
        let builder = stack
            .service(receiver.url_of(&format!("/bot77:{part}/api")))
            .authorization(authorization);
        let service = builder.create().await;
        let sent = service
            .send(json!({"path": "/notes", "body": {"a": 1}}))
            .await;
        let (to_service, of_service) = (json!(service.id), json!("/notes"));
        let webhook = stack
            .webhook()
            .set("url", Value::Null)
            .set("service_id", to_service)
            .set("path", of_service);
        let webhook = webhook.create().await;
        let event = stack.publish("message", json!({})).await;
        let delivery = stack.delivery_until(&event, &webhook, "succeeded").await;

        for request in receiver.wait_for(2).await {
            assert_eq!(request.header("authorization"), format!("Bearer {token}"));
            assert!(request.path.contains(part), "{request:?}");
        }
        for shown in [
            sent.text.clone(),
            delivery.to_string(),
            service.document.to_string(),
        ] {
            assert!(!shown.contains(part) && !shown.contains(token), "{shown}");
            assert!(shown.contains("•••"), "{shown}");
        }
        let body = sent.expect(200)["body"].as_str().expect("text").to_owned();
        assert!(
            body.contains("authorization") && body.contains("notes"),
            "the rest is unmasked: {body}"
        );

        receiver.set_reply(
            Reply::status(200)
                .header("content-encoding", "gzip")
                .body(PACKED),
        );
        let problem = service.send(json!({})).await.problem(502);
        assert_eq!(
            problem["detail"],
            "The service sent a compressed response, which Tieline does not support."
        );
        webhook.delete().await;
    }
}

#[tokio::test]
async fn path_can_not_leave_the_service() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let service = stack.service(receiver.url_of("/api")).create().await;
    for path in [
        "..",
        "/../admin",
        "a/../../admin",
        "%2e%2e/admin",
        "//evil.example.com/",
        "a#b",
        "a?b#c",
        "\\..\\x",
        "a\nb",
    ] {
        let response = service.send(json!({"path": path})).await;
        assert_eq!(response.pointers(), ["/path"], "{path}");
    }
    for headers in [
        json!({"x-key\n": "a"}),
        json!({"Host": "a"}),
        json!({"webhook-id": "a"}),
        json!({"x": "a\r\nb: c"}),
    ] {
        service.send(json!({"headers": headers})).await.problem(422);
    }
    assert_eq!(receiver.requests().len(), 0);
    service
        .send(json!({"path": "https://evil.example.com/"}))
        .await
        .problem(422);
}

#[tokio::test]
async fn unreachable_service_is_reported_by_its_own_problem() {
    let stack = Stack::get();
    let unreachable = Receiver::start().url();
    let (hung, dripping, plain) = (
        Receiver::replying([Reply::hang()]),
        Receiver::replying([Reply::drip()]),
        Receiver::start(),
    );
    for (url, least, reason) in [
        (unreachable, 0, "connection_refused"),
        (hung.url(), 1000, "timeout"),
        (dripping.url(), 1000, "timeout"),
        // A server without TLS.
        (plain.url().replace("http:", "https:"), 0, "tls"),
        // A name that never resolves (RFC 6761).
        ("https://unknown.invalid/".to_owned(), 0, "dns"),
    ] {
        let service = stack
            .service(url.as_str())
            .set("timeout_seconds", 1)
            .set("timeout_message", "Call 555-0100.")
            .create()
            .await;
        let started = Instant::now();
        let problem = service.send(json!({"method": "GET"})).await.problem(504);
        assert_eq!(
            (&problem["detail"], &problem["reason"]),
            (&json!("Call 555-0100."), &json!(reason)),
            "{url}"
        );
        assert!(started.elapsed().as_millis() >= least, "{url}");
    }
}

#[tokio::test]
async fn sending_requires_its_own_scope() {
    let stack = Stack::get();
    let service = stack.service("https://example.com").create().await;
    let body = json!({"description": "reads", "scopes": ["services:read", "services:write"]});
    let made = stack.post("/v1/credentials", body).await.expect(201);
    let reader = stack.with_token(made["token"].as_str().expect("token"));
    reader.get_path(&service.path("")).await.expect(200);
    let problem = reader
        .post(&service.path("/send"), json!({}))
        .await
        .problem(403);
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("services:send"))
    );
    assert_eq!(
        reader
            .send(reader.request(Method::GET, &service.path("/send")))
            .await
            .status,
        405
    );
}
