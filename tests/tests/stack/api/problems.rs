//! Rejected requests and their problem documents.

use reqwest::Method;
use serde_json::json;
use tests::{
    client::Response,
    stack::{Stack, unique},
};

async fn raw(stack: &Stack, content_type: &str, body: impl Into<reqwest::Body>) -> Response {
    let request = stack
        .request(Method::POST, "/v1/events")
        .header("content-type", content_type)
        .body(body);
    stack.send(request).await
}

#[tokio::test]
async fn one_response_names_every_invalid_field() {
    let stack = Stack::get();
    let document = json!({
        "name": " ",
        "url": "http://10.0.0.1/",
        "colour": "red",
        "retry": {"type": "custom", "delays_seconds": [0], "speed": 1},
        "headers": {"host": "x", "x-fine": "y"},
        "timeout_seconds": 31,
    });
    insta::assert_json_snapshot!(stack.post("/v1/webhooks", document).await.problem(422), @r#"
    {
      "detail": "The request has 8 invalid fields.",
      "errors": [
        {
          "detail": "must not be empty",
          "pointer": "/name"
        },
        {
          "detail": "the URL must start with https://",
          "pointer": "/url"
        },
        {
          "detail": "is required",
          "pointer": "/events"
        },
        {
          "detail": "is a header that can't be set",
          "pointer": "/headers/host"
        },
        {
          "detail": "must be a whole number from 1 to 604800",
          "pointer": "/retry/delays_seconds/0"
        },
        {
          "detail": "is not a known field. Known fields: type, delays_seconds",
          "pointer": "/retry/speed"
        },
        {
          "detail": "must be a whole number from 1 to 30",
          "pointer": "/timeout_seconds"
        },
        {
          "detail": "is not a known field. Known fields: name, service_id, path, url, events, conditions, enabled, method, format, body, auth, secrets, secret, signing, headers, retry, timeout_seconds, success, rate_limit_per_second, success_when, delay_seconds, unless, labels",
          "pointer": "/colour"
        }
      ],
      "status": 422,
      "title": "The request is not valid",
      "type": "/problems/validation"
    }
    "#);
}

#[tokio::test]
async fn unreadable_bodies_are_rejected() {
    let stack = Stack::get();
    for body in ["{", "{\"type\": }", "nonsense"] {
        raw(&stack, "application/json", body).await.problem(400);
    }
    raw(&stack, "application/json", "").await.problem(400);
    raw(&stack, "application/json; charset=utf-8", "[]")
        .await
        .problem(422);
    let marked = raw(&stack, "application/json", "\u{feff}{}").await;
    assert_eq!(
        marked.pointers(),
        ["/data", "/type"],
        "a byte order mark is skipped"
    );
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
    ] {
        raw(&stack, content_type, "{}").await.problem(415);
    }
    let long = json!({"type": "message", "data": {"text": "x".repeat(256 * 1024)}}).to_string();
    raw(&stack, "application/json", long).await.problem(413);
}

#[tokio::test]
async fn too_deep_documents_are_rejected() {
    let stack = Stack::get();
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let event = |levels: usize| stack.event("message", json!({"deep": nested(levels)}));
    let accepted = stack.post("/v1/events", event(62)).await.expect(202);
    let read = stack.event_read(accepted["id"].as_str().expect("id")).await;
    assert_eq!(read["data"]["deep"], nested(62));
    assert_eq!(
        stack.post("/v1/events", event(63)).await.pointers(),
        ["/data"]
    );
    assert_eq!(
        stack.post("/v1/events", event(1000)).await.pointers(),
        ["/data"]
    );

    let batch = json!({"events": [event(62), event(63), event(1)]});
    let results = stack.post("/v1/events/batch", batch).await.expect(202)["results"].take();
    assert!(
        results[0]["id"].is_string() && results[2]["id"].is_string(),
        "{results}"
    );
    assert_eq!(
        (
            &results[1]["error"]["status"],
            &results[1]["error"]["errors"][0]["pointer"]
        ),
        (&json!(422), &json!("/data"))
    );

    let conditions = json!({"field": "a", "op": "eq", "value": nested(63)});
    let response = stack
        .webhook()
        .url("https://example.com/")
        .set("conditions", conditions)
        .try_create()
        .await;
    assert_eq!(response.pointers(), ["/conditions"]);
    let webhook = stack.webhook().url("https://example.com/").create().await;
    let render = json!({"event": event(62)});
    assert_eq!(
        stack
            .post(&webhook.path("/render"), render.clone())
            .await
            .pointers(),
        ["/event"]
    );
    assert_eq!(
        stack.post(&webhook.path("/test"), render).await.pointers(),
        ["/event"]
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_are_rejected() {
    let stack = Stack::get();
    for path in [
        "/v1/nothing",
        "/",
        "/v1/webhooks/wh_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/v1/webhooks/evt_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/v1/webhooks/x",
        "/v1/webhooks/%FF",
        "/v1/%C3%28",
        "/v1/events/evt_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/v1/deliveries/dlv_x",
    ] {
        stack.get_path(path).await.problem(404);
    }
    for (method, path) in [
        (Method::PUT, "/v1/webhooks"),
        (Method::DELETE, "/v1/events"),
        (Method::POST, "/healthz"),
    ] {
        let response = stack.send(stack.request(method, path)).await;
        assert!(
            response.header("allow").contains("GET"),
            "{path}: {:?}",
            response.headers
        );
        response.problem(405);
    }
}

#[tokio::test]
async fn names_are_unique_case_insensitively() {
    let stack = Stack::get();
    let name = unique("Ärztin");
    let first = stack
        .webhook()
        .url("https://example.com/")
        .set("name", name.clone())
        .create()
        .await;
    let again = |name: String| {
        stack
            .webhook()
            .url("https://example.com/")
            .set("name", name)
            .try_create()
    };
    again(name.to_uppercase()).await.problem(409);
    again(format!("  {name}\t")).await.problem(409);

    let other = stack.webhook().url("https://example.com/").create().await;
    stack
        .patch(&other.path(""), json!({"name": name}))
        .await
        .problem(409);
    // A resource may keep its own name in another case.
    first.patch(json!({"name": name.to_uppercase()})).await;

    first.delete().await;
    again(name).await.expect(201);
}

#[tokio::test]
async fn every_response_has_the_common_headers() {
    let stack = Stack::get();
    let anonymous = stack.with_token("");
    let mut ids = std::collections::BTreeSet::new();
    for response in [
        anonymous.get_path("/healthz").await,
        anonymous.get_path("/openapi.json").await,
        anonymous.get_path("/v1/webhooks").await,
        stack.get_path("/v1/webhooks?limit=1").await,
        stack.get_path("/v1/nothing").await,
        stack.send(stack.request(Method::PUT, "/v1/webhooks")).await,
        stack.post("/v1/webhooks", json!({})).await,
        raw(&stack, "text/plain", "x").await,
    ] {
        assert_eq!(response.header("cache-control"), "no-store", "{response:?}");
        assert_eq!(
            response.header("x-content-type-options"),
            "nosniff",
            "{response:?}"
        );
        let id = response.header("x-request-id").to_owned();
        assert!(!id.is_empty(), "{response:?}");
        ids.insert(id);
    }
    assert_eq!(ids.len(), 8, "each request has its own id");
}
