//! A token with a single scope cannot use it to read a stored secret, act as an admin or forge an
//! event.

mod clones;
mod moves;
mod scopes;

use serde_json::{Value, json};
use tests::{client::Response, fake::Fake, fixture::Api};

use crate::fixture::day;

/// Resources with secrets that an admin has set up.
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

    /// The path with IDs in place of placeholders such as `{webhook}`.
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

/// Expired credentials do not restrict who may activate or deactivate their user.
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

/// Admins may publish reserved types. In a batch each entry is checked separately.
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

/// Actions that sign or send on request are audited.
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

/// A test sends for real, so it requires the scope that sending requires.
#[tokio::test]
async fn provider_test_requires_the_scope_of_its_channel() {
    let target = Target::new().await;
    let calls = json!({
        "name": "Calls", "provider_id": "calls", "channel": "call", "auth": {"type": "none"},
        "send_url": "https://calls.example.com/",
    });
    let calls = target
        .api
        .call("POST", "/v1/providers", calls)
        .await
        .field(201, "id");
    let (sms, calls) = (
        target.path("/v1/providers/{provider}/test"),
        format!("/v1/providers/{calls}/test"),
    );
    for (path, scope, other) in [
        (sms, "messages:send", "calls:trigger"),
        (calls, "calls:trigger", "messages:send"),
    ] {
        let test = json!({"to": "+15555550100"});
        for (scopes, status) in [
            (vec!["providers:write"], 403),
            (vec!["providers:write", other], 403),
            (vec![scope], 403),
            // The address is unreachable: the attempt fails and is recorded.
            (vec!["providers:write", scope], 200),
        ] {
            let api = target.with(&scopes).await;
            let reply = api.call("POST", &path, test.clone()).await;
            assert_eq!(reply.status, status, "{path} {scopes:?}: {}", reply.text);
        }
    }
}
