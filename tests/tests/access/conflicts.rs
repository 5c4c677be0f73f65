//! What a deletion is refused for, and what an empty change leaves as it is.

use serde_json::{Value, json};
use tests::fake::Fake;

use crate::{api::Api, office::day};

async fn create(api: &Api, path: &str, body: Value) -> String {
    api.call("POST", path, body).await.field(201, "id")
}

/// One of each resource, each used by the next.
async fn resources(api: &Api) -> [String; 7] {
    let user = create(api, "/v1/users", json!({"name": "Ana"})).await;
    let credential = json!({"description": "d", "scopes": ["events:write"], "user_id": user});
    let credential = create(api, "/v1/credentials", credential).await;
    let account = json!({"name": "A", "authorization": {"type": "none"}});
    let account = create(api, "/v1/accounts", account).await;
    let service = json!({"name": "S", "server_url": "https://s.example.com", "account_id": account, "user_id": user});
    let service = create(api, "/v1/services", service).await;
    let webhook = json!({"name": "W", "service_id": service, "path": "/", "events": ["message"], "enabled": false});
    let webhook = create(api, "/v1/webhooks", webhook).await;
    let provider = json!({"name": "P", "provider_id": "p", "channel": "sms", "send_url": "https://p.example.com/",
        "api_key": "k", "secret_key": "s"});
    let provider = create(api, "/v1/providers", provider).await;
    let campaign = create(api, "/v1/campaigns", json!({"name": "C", "sms_provider_id": provider})).await;
    [user, credential, account, service, webhook, provider, campaign]
}

#[tokio::test]
async fn deletion_of_a_used_resource_names_what_uses_it() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let [user, credential, account, service, webhook, provider, campaign] = resources(&api).await;
    for (path, used_by, user_path) in [
        (format!("/v1/users/{user}"), &credential, "/v1/credentials"),
        (format!("/v1/accounts/{account}"), &service, "/v1/services"),
        (format!("/v1/services/{service}"), &webhook, "/v1/webhooks"),
        (format!("/v1/providers/{provider}"), &campaign, "/v1/campaigns"),
    ] {
        let detail = api.call("DELETE", &path, Value::Null).await.field(409, "detail");
        assert!(detail.contains(used_by.as_str()) && detail.ends_with(" first."), "{path}: {detail}");
        if used_by != &service {
            assert_eq!(api.call("DELETE", &format!("{user_path}/{used_by}"), Value::Null).await.status, 204);
        }
    }
    let detail = api.call("DELETE", &format!("/v1/users/{user}"), Value::Null).await.field(409, "detail");
    assert_eq!(detail, format!("The user is assigned to services: {service}. Reassign or delete them first."));
    for n in 0..5 {
        let name = format!("S{n}");
        let service = json!({"name": name, "server_url": "https://s.example.com", "account_id": account});
        create(&api, "/v1/services", service).await;
    }
    let detail = api.call("DELETE", &format!("/v1/accounts/{account}"), Value::Null).await.field(409, "detail");
    assert_eq!((detail.matches("svc_").count(), detail.matches(" and others.").count()), (5, 1), "{detail}");
}

#[tokio::test]
async fn change_without_a_difference_writes_nothing() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let [user, credential, account, service, webhook, provider, campaign] = resources(&api).await;
    let own = json!({"name": "own.type", "example": {"a": 1}});
    assert_eq!(api.call("POST", "/v1/event-types", own).await.status, 201);
    let entries = async || api.call("GET", "/v1/audit?limit=100", Value::Null).await.body["data"].clone();
    let before = entries().await;
    for (path, same) in [
        (format!("/v1/users/{user}"), json!({"name": "Ana"})),
        (format!("/v1/credentials/{credential}"), json!({"description": "d"})),
        (format!("/v1/accounts/{account}"), json!({"authorization": {"type": "none"}})),
        (format!("/v1/services/{service}"), json!({"server_url": "https://s.example.com"})),
        (format!("/v1/webhooks/{webhook}"), json!({"events": ["message"]})),
        (format!("/v1/providers/{provider}"), json!({"send_url": "https://p.example.com/"})),
        (format!("/v1/campaigns/{campaign}"), json!({"sms_provider_id": provider})),
        ("/v1/event-types/own.type".to_owned(), json!({"example": {"a": 1}})),
    ] {
        let shown = api.call("GET", &path, Value::Null).await;
        for patch in [json!({}), same] {
            let patched = api.call("PATCH", &path, patch).await;
            assert_eq!((patched.status, patched.header("etag")), (200, shown.header("etag")), "{path}");
            assert_eq!(patched.body, shown.body, "{path}");
        }
    }
    assert_eq!(entries().await, before);
}
