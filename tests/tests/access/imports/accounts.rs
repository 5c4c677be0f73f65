//! Providers in bundles whose requests an account authenticates.

use serde_json::{Value, json};
use tests::fixture::Api;

use super::{import_of, listed, start};

async fn account(api: &Api) -> String {
    let authorization = json!({"type": "header", "name": "X-Key", "value": "hush-hush-0123456789"});
    let account = json!({"name": "CRM", "authorization": authorization});
    api.call("POST", "/v1/accounts", account)
        .await
        .field(201, "id")
}

/// A campaign whose providers both use the account. Returns its path.
async fn campaign(api: &Api, account: &str) -> String {
    let mut campaign = json!({"name": "Spring"});
    for channel in ["sms", "email"] {
        let provider = json!({
            "name": channel, "provider_id": "gw", "channel": channel, "send_url": "https://gateway.example.com/send",
            "auth": {"type": "account", "account_id": account},
        });
        let created = api.call("POST", "/v1/providers", provider).await;
        campaign[format!("{channel}_provider_id")] = json!(created.field(201, "id"));
    }
    let created = api.call("POST", "/v1/campaigns", campaign).await;
    format!("/v1/campaigns/{}", created.field(201, "id"))
}

fn detail(reply: &tests::client::Response) -> &str {
    reply.body["detail"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn bundle_refers_to_the_account_by_name() {
    let (_, api) = start().await;
    let id = account(&api).await;
    let export = format!("{}/export", campaign(&api, &id).await);
    let scopes = ["campaigns:read", "providers:read"];
    let limited = api.with_token(&api.credential(&scopes).await.1);
    let refused = limited.call("GET", &export, Value::Null).await;
    assert_eq!(refused.status, 403);
    assert!(detail(&refused).ends_with(" services:read."));
    let exported = api.call("GET", &export, Value::Null).await;
    for hidden in ["hush-hush", &id] {
        assert!(!exported.text.contains(hidden), "{}", exported.text);
    }
    let bundle = exported.expect(200);
    for provider in bundle["providers"].as_array().expect("providers") {
        assert_eq!(
            provider["auth"],
            json!({"type": "account", "account": "CRM"})
        );
    }

    // In another deployment, the account must be created first.
    let (_, other) = start().await;
    let pointers = [
        "/bundle/providers/0/auth/account",
        "/bundle/providers/1/auth/account",
    ];
    let refused = import_of(&other, bundle.clone(), "fail").await;
    assert_eq!(refused.pointers(), pointers);
    let id = account(&other).await;
    let imported = import_of(&other, bundle, "fail").await;
    assert_eq!(imported.status, 200, "{}", imported.text);
    assert_eq!(listed(&imported, "created").len(), 3);
    let providers = other.call("GET", "/v1/providers", Value::Null).await;
    let providers = providers.expect(200);
    for provider in providers["data"].as_array().expect("providers") {
        assert_eq!(
            provider["auth"],
            json!({"type": "account", "account_id": id})
        );
        assert_eq!(provider["status"], "active");
    }
    let delete = format!("/v1/accounts/{id}");
    let in_use = other.call("DELETE", &delete, Value::Null).await;
    assert_eq!(in_use.status, 409, "{}", in_use.text);
}

#[tokio::test]
async fn import_with_an_account_requires_its_scopes() {
    let (_, api) = start().await;
    let id = account(&api).await;
    let provider = json!({
        "name": "Text", "provider_id": "gw", "channel": "sms", "send_url": "https://gateway.example.com/send",
        "auth": {"type": "account", "account": "crm"},
    });
    let bundle = json!({
        "format": "tieline.campaign/1", "campaign": {"name": "Spring", "sms_provider": "Text"},
        "providers": [provider],
    });
    let mut scopes = vec!["campaigns:write", "providers:write"];
    for missing in ["services:read", "admin"] {
        let limited = api.with_token(&api.credential(&scopes).await.1);
        let refused = import_of(&limited, bundle.clone(), "fail").await;
        assert_eq!(refused.status, 403, "{}", refused.text);
        let expected = format!("The token lacks the scope {missing}.");
        assert_eq!(detail(&refused), expected);
        scopes.push(missing);
    }
    // The account serves the origin once an admin has approved it.
    let service =
        json!({"name": "S", "server_url": "https://gateway.example.com/", "account_id": id});
    api.call("POST", "/v1/services", service).await.expect(201);
    scopes.pop();
    let limited = api.with_token(&api.credential(&scopes).await.1);
    let imported = import_of(&limited, bundle, "fail").await;
    assert_eq!(imported.status, 200, "{}", imported.text);
}
