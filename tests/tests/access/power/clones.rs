//! Clones of webhooks.

use serde_json::{Value, json};
use tests::{client::Response, fixture::Api};

use super::{ATTACKER, HOOK, Target, pointers};

async fn cloned(api: &Api, original: &str, name: &str) -> Response {
    let path = format!("/v1/webhooks/{original}/clone");
    api.call("POST", &path, json!({"name": name})).await
}

/// A credential that may only write webhooks gets no secret of the original with a clone: the clone
/// has none, wherever it sends.
#[tokio::test]
async fn clone_contains_no_secret_of_its_original() {
    let target = Target::new().await;
    let api = target.with(&["webhooks:write"]).await;
    let created = cloned(&api, &target.webhook, "Copy").await;
    let id = created.field(201, "id");
    let clone = &created.body;
    assert_eq!(
        (&clone["name"], &clone["status"], &clone["enabled"]),
        (&json!("Copy"), &json!("needs_secrets"), &json!(false))
    );
    let secret = clone["secret"].as_str().expect("a new signing secret");
    assert!(secret.starts_with("whsec_"), "{secret}");
    assert_eq!(
        clone["auth"],
        json!({"type": "basic", "username": "ana", "password_hint": null})
    );
    assert_eq!(
        clone["headers"],
        json!({"x-api-key": "•••", "x-bot": "{secret.bot}", "accept": "text/plain"})
    );
    assert_eq!(clone["secrets_hint"], json!({"bot": null, "spare": null}));
    assert_eq!(
        created.headers["location"],
        format!("/v1/webhooks/{id}").as_str()
    );
    let path = format!("/v1/webhooks/{id}");

    // It can be neither enabled nor tested.
    let needed = "/auth /headers/x-api-key /secrets/bot /secrets/spare";
    let reply = api.call("PATCH", &path, json!({"enabled": true})).await;
    assert_eq!((reply.status, &*pointers(&reply)), (422, needed));
    let reply = api.call("POST", &format!("{path}/test"), Value::Null).await;
    assert_eq!((reply.status, &*pointers(&reply)), (422, needed));

    // It moves to any origin, as it has nothing to send there except its own signing secret, and
    // still can't be enabled.
    let mut moved = json!({"url": ATTACKER, "labels": ["mine"]});
    let reply = api.call("PATCH", &path, moved.clone()).await;
    assert_eq!((reply.status, &*pointers(&reply)), (422, "/secret"));
    moved["secret"] = json!("another secret of ours, long");
    let reply = api.call("PATCH", &path, moved).await;
    assert_eq!(
        (reply.status, &reply.body["status"]),
        (200, &json!("needs_secrets"))
    );
    let reply = api.call("PATCH", &path, json!({"enabled": true})).await;
    assert_eq!((reply.status, &*pointers(&reply)), (422, needed));

    // Each secret can be supplied or removed, also one at a time.
    for (patch, status, pointers_left) in [
        (json!({"secrets": {"bot": "b"}}), 200, ""),
        (json!({"secrets": {"spare": null}}), 200, ""),
        (
            json!({"enabled": true, "headers": {"X-API-Key": "k"}}),
            422,
            "/auth",
        ),
        (json!({"headers": {"X-API-Key": "k"}}), 200, ""),
        (json!({"enabled": true}), 422, "/auth"),
        (json!({"enabled": true, "auth": {"password": "p"}}), 200, ""),
    ] {
        let reply = api.call("PATCH", &path, patch.clone()).await;
        assert_eq!(
            (reply.status, &*pointers(&reply)),
            (status, pointers_left),
            "{patch}: {}",
            reply.body
        );
    }
    let clone = target.api.call("GET", &path, Value::Null).await.body;
    assert_eq!(
        (&clone["status"], &clone["url"]),
        (&json!("active"), &json!(ATTACKER))
    );
    // The original is unchanged.
    let original = target.path("/v1/webhooks/{webhook}");
    let original = target.api.call("GET", &original, Value::Null).await.body;
    assert_eq!(
        (&original["status"], &original["url"], &original["name"]),
        (&json!("active"), &json!(HOOK), &json!("CRM"))
    );
}

/// A path with a secret is not copied, and a service's webhook requires the scope to send.
#[tokio::test]
async fn clone_of_a_webhook_at_a_service_requires_the_scope_to_send() {
    let target = Target::new().await;
    let api = target.with(&["webhooks:write"]).await;
    assert_eq!(cloned(&api, &target.at_service, "Copy").await.status, 403);
    let api = target.with(&["webhooks:write", "services:send"]).await;
    let created = cloned(&api, &target.at_service, "Copy").await;
    let id = created.field(201, "id");
    assert_eq!(created.body["path"], "/in/{id}?api_key=•••");
    let path = format!("/v1/webhooks/{id}");
    let reply = api.call("PATCH", &path, json!({"enabled": true})).await;
    assert_eq!((reply.status, &*pointers(&reply)), (422, "/path"));
    // The service counts the clone as its user.
    let service = target.api.call("GET", &path, Value::Null).await.body["service_id"].clone();
    let service = format!("/v1/services/{}", service.as_str().expect("an ID"));
    for path in [&target.path("/v1/webhooks/{at_service}"), &path] {
        assert_eq!(
            target
                .api
                .call("DELETE", &service, Value::Null)
                .await
                .status,
            409
        );
        assert_eq!(
            target.api.call("DELETE", path, Value::Null).await.status,
            204
        );
    }
    assert_eq!(
        target
            .api
            .call("DELETE", &service, Value::Null)
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn clone_is_named_validated_and_audited() {
    let target = Target::new().await;
    let api = &target.api;
    let path = target.path("/v1/webhooks/{webhook}/clone");
    for (body, status, expected) in [
        (json!({}), 422, "/name"),
        (json!({"name": ""}), 422, "/name"),
        (json!({"name": 1, "url": "x"}), 422, "/name /url"),
        (json!({"name": "crm"}), 409, ""),
    ] {
        let reply = api.call("POST", &path, body.clone()).await;
        assert_eq!(
            (reply.status, &*pointers(&reply)),
            (status, expected),
            "{body}"
        );
    }
    let unknown = "/v1/webhooks/wh_01J0000000000000000000000S/clone";
    assert_eq!(
        api.call("POST", unknown, json!({"name": "x"})).await.status,
        404
    );

    let first = cloned(api, &target.webhook, "First").await.field(201, "id");
    // A clone without secrets can be cloned, and a webhook without secrets needs none.
    let second = cloned(api, &first, "Second").await;
    assert_eq!(second.body["status"], "needs_secrets");
    let plain = json!({"name": "plain", "url": HOOK, "events": ["message"], "enabled": false, "labels": ["a"]});
    let plain = api
        .call("POST", "/v1/webhooks", plain)
        .await
        .field(201, "id");
    let third = cloned(api, &plain, "Third").await;
    assert_eq!(
        (third.status, &third.body["status"]),
        (201, &json!("disabled"))
    );
    assert_eq!(third.body["labels"], json!(["a"]));
    let third = format!("/v1/webhooks/{}", third.field(201, "id"));
    let reply = api.call("PATCH", &third, json!({"enabled": true})).await;
    assert_eq!(
        (reply.status, &reply.body["status"]),
        (200, &json!("active"))
    );

    let audited = async |resource: &str| {
        let path = format!("/v1/audit?resource={resource}");
        let entries = api.call("GET", &path, Value::Null).await.body["data"].take();
        let entries = entries.as_array().expect("entries").clone();
        let action = |entry: Value| entry["action"].as_str().expect("an action").to_owned();
        let mut actions: Vec<_> = entries.into_iter().map(action).collect();
        // They have the same time.
        actions.sort_unstable();
        actions
    };
    assert_eq!(audited(&first).await, ["webhook.cloned", "webhook.created"]);
    assert_eq!(
        audited(&target.webhook).await,
        ["webhook.cloned", "webhook.created"]
    );
    assert_eq!(audited(&second.field(201, "id")).await, ["webhook.created"]);
}
