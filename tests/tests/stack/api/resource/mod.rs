//! Webhooks as an example of a resource: create, read, update, delete.

mod conflicts;

use serde_json::{Value, json};
use tests::{
    receiver::Receiver,
    stack::{Stack, unique},
};

/// The document without fields that differ between runs.
fn stable(mut document: Value) -> Value {
    let map = document.as_object_mut().expect("object");
    for name in [
        "id",
        "name",
        "created_at",
        "updated_at",
        "secret",
        "secret_hint",
    ] {
        assert!(
            map.remove(name).is_some_and(|value| value.is_string()),
            "{name}"
        );
    }
    document
}

#[tokio::test]
async fn webhook_gets_defaults() {
    let stack = Stack::get();
    let document = json!({"name": unique("plain"), "url": "https://example.com/hook", "events": ["ticket.updated"]});
    let response = stack.post("/v1/webhooks", document).await;
    let id = response.body["id"].as_str().unwrap_or_default();
    // The path starts with that of the public URL.
    assert_eq!(
        response.header("location"),
        format!("/_aws/execute-api/tieline/v1/webhooks/{id}")
    );
    insta::assert_json_snapshot!(stable(response.expect(201)), @r#"
    {
      "auth": {
        "type": "none"
      },
      "body": null,
      "conditions": null,
      "delay_seconds": 0,
      "disabled_reason": null,
      "enabled": true,
      "events": [
        "ticket.updated"
      ],
      "failing_since": null,
      "format": "json",
      "headers": {},
      "labels": [],
      "method": "POST",
      "path": null,
      "rate_limit_per_second": null,
      "retry": {
        "duration_seconds": 86400,
        "interval_seconds": 1800,
        "type": "fixed"
      },
      "secrets_hint": {},
      "service_id": null,
      "signing": {
        "type": "standard"
      },
      "status": "active",
      "success": "2xx-3xx",
      "success_when": null,
      "timeout_seconds": 15,
      "unless": null,
      "url": "https://example.com/hook",
      "warnings": []
    }
    "#);
}

#[tokio::test]
async fn secrets_are_write_only() {
    let stack = Stack::get();
    let webhook = stack
        .webhook()
        .url("https://example.com/bot123:AbC-dEf/send?api_key=abc&page=2")
        .set("secret", "0123456789abcdef01234567")
        .set(
            "secrets",
            json!({"long": "0123456789abWXYZ", "short": "0123456789abcde"}),
        )
        .set(
            "auth",
            json!({"type": "basic", "username": "ada", "password": "correct horse battery"}),
        )
        .set(
            "headers",
            json!({"X-Api-Key": "hidden-in-a-header", "X-Plain": "shown"}),
        )
        .create()
        .await;
    let read = webhook.read().await;
    assert_eq!(read, webhook.document, "a given secret is not shown");
    assert_eq!(
        read["url"],
        "https://example.com/•••/send?api_key=•••&page=2"
    );
    assert_eq!(read["secret_hint"], "4567");
    assert_eq!(read["secrets_hint"], json!({"long": "WXYZ", "short": null}));
    assert_eq!(
        read["auth"],
        json!({"type": "basic", "username": "ada", "password_hint": "tery"})
    );
    assert_eq!(
        read["headers"],
        json!({"x-api-key": "•••", "x-plain": "shown"})
    );
    for name in ["secret", "secrets"] {
        assert!(read[name].is_null(), "{name}");
    }

    // A document that was read can't be written back by mistake.
    let response = stack
        .patch(
            &webhook.path(""),
            json!({"url": read["url"], "headers": read["headers"]}),
        )
        .await;
    assert_eq!(response.pointers(), ["/headers/x-api-key", "/url"]);
}

#[tokio::test]
async fn patch_changes_only_named_fields() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = stack
        .webhook()
        .url(receiver.url_of("/bot123:AbC-dEf/{secret.path}?token=abcdef"))
        .set("headers", json!({"x-one": "1", "x-two": "2"}))
        .set("secrets", json!({"path": "hidden", "other": "thing"}))
        .set(
            "auth",
            json!({"type": "basic", "username": "ada", "password": "secret"}),
        )
        .create()
        .await;
    let changed = webhook
        .patch(json!({
            "name": unique("changed"),
            "headers": {"X-One": null, "X-Three": "3"},
            "secrets": {"other": null},
            "auth": {"username": "grace"},
            "retry": null,
            "timeout_seconds": 5,
        }))
        .await;
    assert_eq!(changed["headers"], json!({"x-two": "2", "x-three": "3"}));
    assert_eq!(changed["secrets_hint"], json!({"path": null}));
    assert_eq!(changed["retry"]["type"], "fixed");
    assert_eq!(changed["timeout_seconds"], 5);
    assert_eq!(changed["conditions"], webhook.document["conditions"]);
    assert_eq!(changed["secret_hint"], webhook.document["secret_hint"]);
    assert!(
        changed["secret"].is_null(),
        "the secret is unchanged and not shown again"
    );
    assert_eq!(changed["created_at"], webhook.document["created_at"]);
    assert_eq!(changed, webhook.read().await);

    stack.publish("message", json!({})).await;
    let request = receiver.only().await;
    assert_eq!(
        (request.path.as_str(), request.query.as_str()),
        ("/bot123:AbC-dEf/hidden", "token=abcdef")
    );
    assert_eq!(request.header("x-three"), "3");
    assert_eq!(
        request.header("authorization"),
        "Basic Z3JhY2U6c2VjcmV0",
        "grace:secret"
    );

    let refused = stack
        .patch(
            &webhook.path(""),
            json!({"name": null, "colour": 1, "method": "HEAD"}),
        )
        .await;
    assert_eq!(refused.pointers(), ["/colour", "/method", "/name"]);
    let unknown = stack
        .patch(
            &webhook.path(""),
            json!({"colour": null, "conditions": null}),
        )
        .await;
    assert_eq!(
        unknown.pointers(),
        ["/colour"],
        "unknown fields are not ignored"
    );
    stack.patch(&webhook.path(""), json!([])).await.problem(422);
}

#[tokio::test]
async fn deleted_webhook_is_not_found() {
    let stack = Stack::get();
    let webhook = stack.webhook().url("https://example.com/").create().await;
    let response = stack.delete(&webhook.path("")).await;
    assert_eq!((response.status, response.text.as_str()), (204, ""));
    stack.get_path(&webhook.path("")).await.problem(404);
    stack.patch(&webhook.path(""), json!({})).await.problem(404);
    stack.delete(&webhook.path("")).await.problem(404);
    stack
        .post(&webhook.path("/test"), json!({}))
        .await
        .problem(404);
    stack
        .post(&webhook.path("/rotate-secret"), json!({}))
        .await
        .problem(404);
}

#[tokio::test]
async fn webhooks_are_filtered_by_event_type() {
    let stack = Stack::get();
    let kind = unique("own").replace(' ', "_");
    stack
        .post("/v1/event-types", json!({"name": format!("{kind}.made")}))
        .await
        .expect(201);
    stack
        .post("/v1/event-types", json!({"name": format!("{kind}.lost")}))
        .await
        .expect(201);
    let hook = |pattern: String| {
        stack
            .webhook()
            .url("https://example.com/")
            .set("events", json!([pattern]))
    };
    let exact = hook(format!("{kind}.made")).create().await;
    let group = hook(format!("{kind}.*")).create().await;
    let off = hook(format!("{kind}.made"))
        .set("enabled", false)
        .create()
        .await;
    hook(format!("{kind}.lost")).create().await;

    let listed = async |query: String| stack.listed(&format!("/v1/webhooks?{query}"), "id").await;
    assert_eq!(
        listed(format!("event={kind}.made")).await,
        [group.id.as_str(), exact.id.as_str()]
    );
    assert_eq!(
        listed(format!("event={kind}.made&enabled=false")).await,
        [off.id.as_str()]
    );
    assert!(listed("enabled=false".to_owned()).await.contains(&off.id));
}

#[tokio::test]
async fn values_out_of_bounds_are_rejected() {
    let stack = Stack::get();
    let many = |count: usize| {
        (0..count)
            .map(|n| (format!("x-{n}"), json!("v")))
            .collect::<serde_json::Map<_, _>>()
    };
    let condition = json!({"field": "a", "op": "exists", "value": true});
    for (field, fits, too_much, pointer) in [
        (
            "events",
            json!(vec!["message"; 40]),
            json!(vec!["message"; 41]),
            "/events",
        ),
        ("events", json!(["insight.*", "*"]), json!([]), "/events"),
        ("events", json!(["a.b_c.d.*"]), json!(["in*"]), "/events/0"),
        (
            "conditions",
            json!({"all": vec![&condition; 50]}),
            json!({"all": vec![&condition; 51]}),
            "/conditions/all",
        ),
        ("headers", json!(many(20)), json!(many(21)), "/headers"),
        (
            "body",
            json!(format!("\"{}\"", "x".repeat(32_766))),
            json!(format!("\"{}\"", "x".repeat(32_767))),
            "/body",
        ),
        ("body", json!("{\"a\": {b}}"), json!("{\"a\": {b}"), "/body"),
        ("timeout_seconds", json!(30), json!(0), "/timeout_seconds"),
        (
            "rate_limit_per_second",
            json!(1000),
            json!(1001),
            "/rate_limit_per_second",
        ),
        (
            "name",
            json!(unique(&"n".repeat(70))),
            json!("n".repeat(101)),
            "/name",
        ),
        (
            "retry",
            json!({"type": "fixed", "interval_seconds": 604_800, "duration_seconds": 604_800}),
            json!({"type": "fixed", "duration_seconds": 604_801}),
            "/retry/duration_seconds",
        ),
        (
            "retry",
            json!({"type": "custom", "delays_seconds": [604_799, 1]}),
            json!({"type": "custom", "delays_seconds": [604_800, 1]}),
            "/retry/delays_seconds",
        ),
    ] {
        // Disabled, so that it receives no other test's events.
        let webhook = |value| {
            stack
                .webhook()
                .url("https://example.com/")
                .set("enabled", false)
                .set(field, value)
        };
        webhook(fits).create().await.delete().await;
        assert_eq!(webhook(too_much).try_create().await.pointers(), [pointer]);
    }
}
