//! What a token with one scope can't do by way of it: read a stored secret, use an admin's power,
//! forge an event.

use serde_json::{Value, json};
use tests::{client::Response, fake::Fake, fixture::Api};

use crate::fixture::day;

/// What an admin has set up, all of it with secrets.
struct Target {
    api: Api,
    user: String,
    credential: String,
    webhook: String,
    at_service: String,
    account: String,
    service: String,
    provider: String,
}

const HOOK: &str = "https://hook.example.com/in";
const ATTACKER: &str = "https://thief.example.com/x";

impl Target {
    async fn new() -> Self {
        let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
        let (user, credential, _) = api.admin("Ana").await;
        let make =
            async |path: &str, body: Value| api.call("POST", path, body).await.field(201, "id");
        let webhook = json!({
            "name": "CRM", "url": HOOK, "events": ["message"], "secret": "a secret of 24 characters",
            "auth": {"type": "basic", "username": "ana", "password": "hush"},
            "headers": {"X-Api-Key": "header-secret", "X-Bot": "{secret.bot}", "Accept": "text/plain"},
            "secrets": {"bot": "bot-secret", "spare": "spare-secret"},
            "signing": {"type": "header", "name": "X-Secret"},
        });
        let authorization = json!({
            "type": "oauth2", "grant_type": "refresh_token", "token_url": "https://login.example.com/token",
            "client_id": "us", "client_secret": "hush", "refresh_token": "refresh-secret",
        });
        let account = make(
            "/v1/accounts",
            json!({"name": "ERP", "authorization": authorization}),
        )
        .await;
        let service = json!({"name": "ERP", "server_url": "https://erp.example.com/api", "account_id": &account});
        let provider = json!({
            "name": "SMS", "provider_id": "sms", "channel": "sms", "send_url": "https://sms.example.com/send",
            "api_key": "key-secret", "secret_key": "hush-hush",
            "request": {"headers": {"X-Token": "token-secret"}},
        });
        let [webhook, service, provider] = [
            make("/v1/webhooks", webhook).await,
            make("/v1/services", service).await,
            make("/v1/providers", provider).await,
        ];
        let support = json!({"name": "desk", "server_url": "https://desk.example.com", "account_id": &account});
        let support = make("/v1/services", support).await;
        let path = "/in/{id}?api_key=path-secret";
        let at_service =
            json!({"name": "desk", "service_id": support, "path": path, "events": ["message"]});
        let at_service = make("/v1/webhooks", at_service).await;
        Self {
            api,
            user,
            credential,
            webhook,
            at_service,
            account,
            service,
            provider,
        }
    }

    async fn with(&self, scopes: &[&str]) -> Api {
        self.api.with_token(&self.api.credential(scopes).await.1)
    }

    /// The path with ids in place of `{webhook}` and the like.
    fn path(&self, path: &str) -> String {
        let ids = [
            ("{user}", &self.user),
            ("{credential}", &self.credential),
            ("{webhook}", &self.webhook),
            ("{at_service}", &self.at_service),
            ("{account}", &self.account),
            ("{service}", &self.service),
            ("{provider}", &self.provider),
        ];
        ids.into_iter()
            .fold(path.to_owned(), |path, (name, id)| path.replace(name, id))
    }
}

fn pointers(reply: &Response) -> String {
    let errors = reply.body["errors"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut pointers: Vec<&str> = errors
        .iter()
        .filter_map(|error| error["pointer"].as_str())
        .collect();
    pointers.sort_unstable();
    pointers.join(" ")
}

/// Each attempt with its answer: pointers of a 422, or how the detail of another problem ends.
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
    for (scope, line, body, status, answer) in [
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
                .ends_with(answer.trim_end_matches('.'))
                && (status != 422 || got == answer),
            "{scope}: {line} {body}: {got}"
        );
    }
}

/// A secret that is not sent when an address moves is not sent by a later patch either.
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
        // A second move does not make them belong there.
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

/// Within the origin, and where the patch brings what is sent, addresses move freely.
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

/// Secrets of webhooks go to the service that they send to: moving it moves them.
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
        "nothing is there any more"
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

/// Scopes that end with a credential don't protect its user's switch.
#[tokio::test]
async fn switching_a_user_requires_the_scopes_of_their_credentials() {
    let target = Target::new().await;
    let users = target.with(&["users:write"]).await;
    let both = target.with(&["users:write", "webhooks:write"]).await;
    let user = target
        .api
        .call("POST", "/v1/users", json!({"name": "Bo"}))
        .await
        .field(201, "id");
    let path = format!("/v1/users/{user}");
    let active = async |api: &Api, active: bool| {
        api.call("PATCH", &path, json!({"active": active}))
            .await
            .status
    };
    assert_eq!(
        (active(&users, false).await, active(&users, true).await),
        (200, 200)
    );
    let new = json!({"description": "CRM", "scopes": ["webhooks:write"], "user_id": user});
    let credential = target
        .api
        .call("POST", "/v1/credentials", new)
        .await
        .field(201, "id");
    assert_eq!(
        (active(&users, false).await, active(&both, false).await),
        (403, 200)
    );
    assert_eq!(
        (active(&users, true).await, active(&both, true).await),
        (403, 200)
    );
    assert_eq!(
        users
            .call("PATCH", &path, json!({"name": "Bob", "role": "admin"}))
            .await
            .status,
        200
    );
    target
        .api
        .call(
            "POST",
            &format!("/v1/credentials/{credential}/revoke"),
            Value::Null,
        )
        .await
        .field(200, "id");
    assert_eq!(active(&users, false).await, 200);
}

/// An admin may publish what Tieline publishes; in a batch each entry is judged by itself.
#[tokio::test]
async fn reserved_types_require_an_admin() {
    let target = Target::new().await;
    let forged = json!({"type": "call.status", "data": {}});
    assert_eq!(
        target
            .api
            .call("POST", "/v1/events", forged.clone())
            .await
            .status,
        202
    );
    let batch = json!({"events": [forged, {"type": "message", "data": {}}, {"type": "credential.rotation_due", "data": 1}]});
    let reply = target
        .with(&["events:write"])
        .await
        .call("POST", "/v1/events/batch", batch)
        .await;
    let results = &reply.body["results"];
    assert_eq!(
        (reply.status, &results[0]["error"]["errors"][0]["pointer"]),
        (202, &json!("/type")),
        "{results}"
    );
    assert!(
        results[1]["id"].is_string()
            && results[2]["error"]["errors"].as_array().map(Vec::len) == Some(2),
        "{results}"
    );
}

/// What signs or sends on request leaves a trace.
#[tokio::test]
async fn webhook_tests_are_audited() {
    let target = Target::new().await;
    for (path, body) in [
        ("/v1/webhooks/{webhook}/test", Value::Null),
        (
            "/v1/providers/{provider}/test",
            json!({"to": "+15555550100"}),
        ),
    ] {
        // The address is unreachable: the attempt fails and is recorded.
        target.api.call("POST", &target.path(path), body).await;
    }
    let entries = target.api.call("GET", "/v1/audit", Value::Null).await.body;
    let entry = |action: &str| {
        entries["data"]
            .as_array()
            .expect("entries")
            .iter()
            .find(|one| one["action"] == action)
            .cloned()
    };
    assert_eq!(
        entry("webhook.tested").expect("an entry")["resource"],
        json!(target.webhook)
    );
    assert_eq!(
        entry("provider.tested").expect("an entry")["resource"],
        json!(target.provider)
    );
}
