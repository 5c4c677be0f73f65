//! Accounts that providers use.

use serde_json::{Value, json};
use tests::{fake::Fake, fixture::Api};

use super::create;
use crate::fixture::day;

fn provider(name: &str, auth: &Value) -> Value {
    json!({"name": name, "provider_id": "p", "channel": "sms", "send_url": "https://p.example.com/", "auth": auth})
}

async fn account(api: &Api, name: &str) -> String {
    let account = json!({"name": name, "authorization": {"type": "none"}});
    create(api, "/v1/accounts", account).await
}

#[tokio::test]
async fn account_of_a_provider_cannot_be_deleted() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let (first, second) = (account(&api, "A").await, account(&api, "B").await);
    let auth = |account: &str| json!({"type": "account", "account_id": account});
    let id = create(&api, "/v1/providers", provider("P", &auth(&first))).await;
    let path = format!("/v1/providers/{id}");
    let delete = async |account: &str| {
        let reply = api
            .call("DELETE", &format!("/v1/accounts/{account}"), Value::Null)
            .await;
        (
            reply.status,
            reply.body["detail"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let in_use = format!("Providers use the account: {id}. Change or delete them first.");
    assert_eq!(delete(&first).await, (409, in_use.clone()));
    // A change of the account keeps the count.
    let renamed = json!({"name": "C"});
    let used = format!("/v1/accounts/{first}");
    api.call("PATCH", &used, renamed).await.expect(200);
    assert_eq!(delete(&first).await, (409, in_use.clone()));
    let moved = json!({"auth": {"account_id": second}});
    api.call("PATCH", &path, moved).await.expect(200);
    assert_eq!(delete(&second).await, (409, in_use));
    assert_eq!(delete(&first).await.0, 204);
    let keys = json!({"auth": {"type": "bearer"}, "api_key": "k"});
    api.call("PATCH", &path, keys).await.expect(200);
    assert_eq!(delete(&second).await.0, 204);

    // Deleting the provider releases the account.
    let third = account(&api, "D").await;
    api.call("PATCH", &path, json!({"auth": auth(&third)}))
        .await
        .expect(200);
    assert_eq!(api.call("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(delete(&third).await.0, 204);
}

#[tokio::test]
async fn unknown_account_is_rejected() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let id = create(
        &api,
        "/v1/providers",
        provider("P", &json!({"type": "none"})),
    )
    .await;
    let path = format!("/v1/providers/{id}");
    for (account, pointers) in [
        (
            json!("acct_01J0000000000000000000000A"),
            ["/auth/account_id"],
        ),
        (
            json!("prov_01J0000000000000000000000A"),
            ["/auth/account_id"],
        ),
        (Value::Null, ["/auth/account_id"]),
    ] {
        let auth = json!({"type": "account", "account_id": account});
        let created = api
            .call("POST", "/v1/providers", provider("Q", &auth))
            .await;
        assert_eq!(created.pointers(), pointers, "{account}");
        let patched = api.call("PATCH", &path, json!({"auth": auth})).await;
        assert_eq!(patched.pointers(), pointers, "{account}");
    }
}

/// As for services: an account may only be used at an origin that it serves, unless by an admin.
#[tokio::test]
async fn account_at_a_new_origin_requires_an_admin() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let writer = api.with_token(&api.credential(&["providers:write"]).await.1);
    let (account, other) = (account(&api, "A").await, account(&api, "B").await);
    let auth = json!({"type": "account", "account_id": account});
    let mut at_service = provider("S", &auth);
    at_service["send_url"] = json!("https://s.example.com/send");
    let denied = async |method: &str, path: &str, body: Value| {
        let reply = writer.call(method, path, body).await;
        assert_eq!(reply.status, 403, "{}", reply.text);
        let detail = reply.body["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.ends_with(" admin."), "{detail}");
    };
    denied("POST", "/v1/providers", provider("P", &auth)).await;
    denied("POST", "/v1/providers", at_service.clone()).await;
    // A service of the account at this origin, and then a provider.
    let service =
        json!({"name": "S", "server_url": "https://s.example.com/x", "account_id": account});
    create(&api, "/v1/services", service).await;
    create(&writer, "/v1/providers", at_service).await;
    let approved = create(&api, "/v1/providers", provider("P", &auth)).await;
    create(&writer, "/v1/providers", provider("Q", &auth)).await;
    let path = format!("/v1/providers/{approved}");
    for moved in [
        json!({"send_url": "https://thief.example.com/"}),
        json!({"send_url": "https://p.example.com:8443/"}),
        json!({"auth": {"account_id": other}}),
    ] {
        denied("PATCH", &path, moved).await;
    }
    for (by, patch) in [
        (&writer, json!({"send_url": "https://p.example.com/v2"})),
        (&writer, json!({"send_url": "https://s.example.com/"})),
        (&api, json!({"send_url": "https://new.example.com/"})),
    ] {
        by.call("PATCH", &path, patch).await.expect(200);
    }
}
