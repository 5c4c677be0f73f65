use std::convert::Infallible;

use lambda_http::{Body, Context};
use proptest::prelude::*;

use super::*;

/// An event as API Gateway sends it, modified by `change`.
fn event(change: impl FnOnce(&mut Value)) -> String {
    let mut event = json!({
        "version": "2.0",
        "rawPath": "/v1/users",
        "rawQueryString": "",
        "headers": {"host": "api.example.com", "x-forwarded-proto": "https"},
        "requestContext": {
            "domainName": "api.example.com",
            "http": {"method": "GET", "path": "/v1/users"},
            "stage": "$default",
        },
        "isBase64Encoded": false,
    });
    change(&mut event);
    event.to_string()
}

async fn respond(event: &str) -> (u64, String) {
    respond_below("https://api.example.com", event).await
}

/// Status and body of the response. The service behind it returns the path, query and body that it
/// saw.
async fn respond_below(public_url: &str, event: &str) -> (u64, String) {
    let mut service = adapt(
        base_path(public_url),
        lambda_http::service_fn(async |request: Request| {
            let body = String::from_utf8_lossy(request.body()).into_owned();
            let target = request
                .uri()
                .path_and_query()
                .map(ToString::to_string)
                .unwrap_or_default();
            Ok::<_, Infallible>(lambda_http::Response::new(Body::from(format!(
                "{target} {body}"
            ))))
        }),
    );
    let payload = serde_json::from_str(event).expect("an event");
    let response = service
        .call(LambdaEvent::new(payload, Context::default()))
        .await
        .expect("an response");
    let response = serde_json::to_value(response).expect("JSON");
    let body = response["body"]
        .as_str()
        .unwrap_or_default()
        .trim_end()
        .to_owned();
    (response["statusCode"].as_u64().expect("a status"), body)
}

#[tokio::test]
async fn base_path_is_stripped_from_request_paths() {
    for (public_url, path, seen) in [
        ("https://example.com", "/v1/users", "/v1/users"),
        ("https://example.com/hub", "/hub/v1/users", "/v1/users"),
        // The front end may have removed it.
        ("https://example.com/hub", "/v1/users", "/v1/users"),
        (
            "https://example.com/hub",
            "/hubs/v1/users",
            "/hubs/v1/users",
        ),
        ("https://example.com/hub", "/hub", "/hub"),
        ("https://example.com/a/b/", "/a/b/in/key", "/in/key"),
    ] {
        let event = event(|event| event["rawPath"] = json!(path));
        assert_eq!(
            respond_below(public_url, &event).await,
            (200, seen.to_owned()),
            "{public_url} {path}"
        );
    }
}

#[tokio::test]
async fn paths_and_queries_are_percent_encoded() {
    for (path, query, target) in [
        ("/v1/users", "", "/v1/users"),
        ("/healthz", "a=\"b\"", "/healthz?a=%22b%22"),
        ("/healthz", "a=<b>", "/healthz?a=%3Cb%3E"),
        ("/healthz", "a=b#c", "/healthz?a=b%23c"),
        ("/healthz", "a=b%22&c=%", "/healthz?a=b%22&c=%"),
        ("/healthz", "a=ü\u{0}\n", "/healthz?a=%C3%BC%00%0A"),
        ("/v1/users/a b", "", "/v1/users/a%20b"),
        ("/v1/users/a%20b", "", "/v1/users/a%20b"),
        ("/in/x\"y", "", "/in/x%22y"),
        ("/in/x?y", "z=1", "/in/x%3Fy?z=1"),
        ("/in/x#y", "z=1", "/in/x%23y?z=1"),
        ("/in/x\\y", "", "/in/x%5Cy"),
        ("/in/x\ty\u{7f}é", "", "/in/x%09y%7F%C3%A9"),
        ("/in/%", "", "/in/%"),
        ("/in/{x}|^`", "", "/in/%7Bx%7D%7C%5E%60"),
        ("", "", "/"),
        ("@evil.example.com", "", "/@evil.example.com"),
        (".evil.example.com/x", "", "/.evil.example.com/x"),
    ] {
        let event = event(|event| {
            event["rawPath"] = json!(path);
            event["rawQueryString"] = json!(query);
        });
        assert_eq!(
            respond(&event).await,
            (200, target.to_owned()),
            "{path}?{query}"
        );
    }
}

#[tokio::test]
async fn invalid_events_get_400() {
    let long = "x".repeat(MAX_TARGET_BYTES);
    for (pointer, value) in [
        ("/headers/host", json!("a b")),
        ("/headers/host", json!("")),
        ("/headers/host", json!("[::1")),
        ("/headers/host", json!("host:99999")),
        ("/headers/host", json!("host/path?")),
        ("/headers/host", json!("user@host")),
        ("/headers/host", json!("<script>")),
        ("/requestContext/domainName", json!("a b")),
        ("/headers/x", json!("a\u{0}b")),
        ("/headers/x", json!("a\nb")),
        ("/headers/x", json!(1)),
        ("/headers", json!({"": "x"})),
        ("/headers", json!({"a b": "x"})),
        ("/headers", json!([])),
        ("/requestContext/http/method", json!("G T")),
        ("/requestContext", json!(null)),
        ("/rawPath", json!(["/"])),
        ("/rawQueryString", json!(long)),
        ("/rawPath", json!(format!("/{long}"))),
    ] {
        let event = event(|event| {
            if pointer.ends_with("domainName") {
                event["headers"] = json!({});
            }
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
            event.pointer_mut(parent).expect("a parent")[name] = value.clone();
        });
        let (status, body) = respond(&event).await;
        assert_eq!(status, 400, "{pointer} {value}");
        let problem: Value = serde_json::from_str(&body).expect("a problem");
        assert_eq!(
            (&problem["type"], &problem["status"]),
            (&json!("/problems/bad-request"), &json!(400))
        );
    }
    let body = event(|event| {
        event["isBase64Encoded"] = json!(true);
        event["body"] = json!("%%%");
    });
    assert_eq!(respond(&body).await.0, 400);
    for text in ["null", "[]", "\"x\"", "{}", "{\"rawPath\": \"\\ud83d\"}"] {
        assert_eq!(respond(text).await.0, 400, "{text}");
    }
}

#[tokio::test]
async fn bodies_and_unusual_headers_are_accepted() {
    let sent = event(|event| {
        event["isBase64Encoded"] = json!(true);
        event["body"] = json!("w7w=");
        event["headers"]["x-forwarded-proto"] = json!("https, http");
        event["headers"]["x"] = json!("Zoë\t\"<>\"");
        event["headers"]["host"] = json!("[::1]:8080");
        event["cookies"] = json!(["a=\"b\"", "\u{0}"]);
    });
    assert_eq!(respond(&sent).await, (200, "/v1/users ü".to_owned()));
    assert_eq!(
        respond(&event(|event| event["headers"] = json!(null)))
            .await
            .0,
        200
    );
}

proptest! {
    /// Arbitrary text in an event never causes a panic, and host and query never change the path.
    #[test]
    fn arbitrary_events_never_panic(
        path in "\\PC{0,20}|(?s).{0,20}|[/%?#\\\\.]{0,8}",
        query in "\\PC{0,20}|(?s).{0,20}",
        host in "\\PC{0,20}|(?s).{0,12}|[a-z/?#@:\\[\\]%.]{0,10}",
        scheme in "https?|\\PC{0,9}",
        header in "\\PC{0,20}|(?s).{0,20}",
        body in "\\PC{0,20}|(?s).{0,20}|[A-Za-z0-9+/=]{0,12}",
        encoded: bool,
        with_host: bool,
    ) {
        let event = event(|event| {
            event["rawPath"] = json!(path);
            event["rawQueryString"] = json!(query);
            event["headers"] = json!({"x-forwarded-proto": scheme, "x": header});
            if with_host {
                event["headers"]["host"] = json!(host);
            } else {
                event["requestContext"]["domainName"] = json!(host);
            }
            event["body"] = json!(body);
            event["isBase64Encoded"] = json!(encoded);
        });
        let Payload(request) = serde_json::from_str(&event).expect("a payload");
        if let Ok(request) = request {
            let request = Request::from(LambdaRequest::ApiGatewayV2(request));
            let plain = self::event(|event| event["rawPath"] = json!(path));
            let Payload(plain) = serde_json::from_str(&plain).expect("a payload");
            let plain = Request::from(LambdaRequest::ApiGatewayV2(plain.expect("a request")));
            prop_assert_eq!(request.uri().path(), plain.uri().path());
        }
    }
}
