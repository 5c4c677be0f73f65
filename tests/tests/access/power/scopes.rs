//! Actions that a single scope must not allow.

use serde_json::{Value, json};

use super::{ATTACKER, Target, pointers};

/// Each attempt with its response: pointers of a 422, or the end of another problem's detail.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn single_scope_grants_no_secret_no_admin_right_and_no_forged_event() {
    let target = Target::new().await;
    let forged = json!({"type": "sms.delivered", "data": {}});
    let own_account = json!({"name": "mine", "authorization": {"type": "none"}});
    let at_target = json!({"name": "new", "server_url": ATTACKER, "account_id": &target.account});
    let to_service = json!({"service_id": &target.service, "path": "/", "auth": {"type": "none"}});
    let to_erp = json!({"service_id": &target.service});
    let admin = json!({"description": "mine", "scopes": ["admin"]});
    let of_user =
        json!({"description": "theirs", "scopes": ["webhooks:write"], "user_id": &target.user});
    for (scope, line, body, status, response) in [
        // Webhooks.
        (
            "webhooks:write",
            "PATCH /v1/webhooks/{webhook}",
            json!({"url": ATTACKER}),
            422,
            "/auth/password /headers/x-api-key /secret /secrets/bot",
        ),
        (
            "webhooks:write",
            "PATCH /v1/webhooks/{webhook}",
            json!({"url": "https://hook.example.com:8443/in"}),
            422,
            "/auth/password /headers/x-api-key /secret /secrets/bot",
        ),
        (
            "webhooks:write",
            "PATCH /v1/webhooks/{webhook}",
            json!({"url": ATTACKER, "auth": {"password": "mine"}, "headers": {"x-API-key": "mine"}, "secret": null}),
            422,
            "/secrets/bot",
        ),
        (
            "webhooks:write",
            "PATCH /v1/webhooks/{webhook}",
            to_service.clone(),
            403,
            "services:send",
        ),
        (
            "webhooks:write services:send",
            "PATCH /v1/webhooks/{at_service}",
            to_erp,
            422,
            "/path",
        ),
        (
            "webhooks:write",
            "POST /v1/webhooks/{webhook}/test",
            json!({"event": &forged}),
            422,
            "/event/type",
        ),
        (
            "webhooks:write",
            "POST /v1/events",
            json!({"type": "message", "data": {}}),
            403,
            "events:write",
        ),
        // Services.
        (
            "services:write",
            "PATCH /v1/services/{service}",
            json!({"server_url": ATTACKER}),
            403,
            "admin",
        ),
        (
            "services:write",
            "PATCH /v1/services/{service}",
            json!({"server_url": "https://erp.example.com:8443/api"}),
            403,
            "admin",
        ),
        (
            "services:write",
            "POST /v1/services",
            at_target,
            403,
            "admin",
        ),
        (
            "services:write",
            "PATCH /v1/accounts/{account}",
            json!({"authorization": {"token_url": ATTACKER}}),
            422,
            "/authorization/client_secret /authorization/refresh_token",
        ),
        (
            "services:write",
            "PATCH /v1/accounts/{account}",
            json!({"authorization": {"token_url": ATTACKER, "client_secret": "mine", "client_auth": "body"}}),
            422,
            "/authorization/refresh_token",
        ),
        (
            "services:write",
            "PATCH /v1/accounts/{account}",
            json!({"authorization": {"token_url": ATTACKER, "grant_type": "client_credentials"}}),
            422,
            "/authorization/client_secret",
        ),
        (
            "services:write",
            "POST /v1/services/{service}/send",
            json!({}),
            403,
            "services:send",
        ),
        // Providers.
        (
            "providers:write",
            "PATCH /v1/providers/{provider}",
            json!({"send_url": ATTACKER}),
            422,
            "/api_key /request/headers/x-token /secret_key",
        ),
        (
            "providers:write",
            "PATCH /v1/providers/{provider}",
            json!({"send_url": ATTACKER, "auth": {"type": "bearer"}, "request": {"body": "{secret.secret_key}"}}),
            422,
            "/api_key /request/headers/x-token /secret_key",
        ),
        (
            "providers:write",
            "POST /v1/providers/{provider}/test",
            json!({"to": "+15555550100"}),
            403,
            "messages:send",
        ),
        // Users and credentials.
        (
            "users:write",
            "PATCH /v1/users/{user}",
            json!({"active": false}),
            403,
            "lacks: admin",
        ),
        (
            "users:write",
            "DELETE /v1/users/{user}",
            Value::Null,
            409,
            "Delete them first.",
        ),
        (
            "users:write",
            "POST /v1/credentials",
            of_user.clone(),
            403,
            "credentials:write",
        ),
        (
            "credentials:write",
            "POST /v1/credentials",
            admin,
            403,
            "lacks: admin",
        ),
        (
            "credentials:write",
            "POST /v1/credentials",
            of_user,
            403,
            "lacks: webhooks:write",
        ),
        (
            "credentials:write",
            "POST /v1/credentials/{credential}/rotate",
            json!({}),
            403,
            "lacks: admin",
        ),
        (
            "credentials:write",
            "POST /v1/credentials/{credential}/revoke",
            Value::Null,
            403,
            "lacks: admin",
        ),
        (
            "credentials:write",
            "PATCH /v1/credentials/{credential}",
            json!({"scopes": ["audit:read"]}),
            403,
            "lacks: admin",
        ),
        (
            "credentials:write",
            "DELETE /v1/credentials/{credential}",
            Value::Null,
            403,
            "lacks: admin",
        ),
        // Events.
        (
            "events:write",
            "POST /v1/events",
            forged.clone(),
            422,
            "/type",
        ),
        (
            "events:write",
            "POST /v1/events",
            json!({"type": "service.received", "data": 1}),
            422,
            "/data /type",
        ),
        (
            "events:write",
            "POST /v1/event-types",
            json!({"name": "sms.custom"}),
            422,
            "/name",
        ),
        (
            "events:write",
            "POST /v1/event-types",
            json!({"name": "webhook.x.y"}),
            422,
            "/name",
        ),
        ("services:write", "POST /v1/accounts", own_account, 201, ""),
    ] {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let scopes: Vec<&str> = scope.split(' ').collect();
        let reply = target
            .with(&scopes)
            .await
            .call(method, &target.path(path), body.clone())
            .await;
        assert_eq!(
            reply.status, status,
            "{scope}: {line} {body}: {}",
            reply.body
        );
        let detail = reply.body["detail"].as_str().unwrap_or_default();
        let got = if status == 422 {
            pointers(&reply)
        } else {
            detail.to_owned()
        };
        assert!(
            got.trim_end_matches('.')
                .ends_with(response.trim_end_matches('.'))
                && (status != 422 || got == response),
            "{scope}: {line} {body}: {got}"
        );
    }
}
