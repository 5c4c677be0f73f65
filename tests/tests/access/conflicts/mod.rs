//! Deletions that conflict with dependent resources, and patches that change nothing.

mod accounts;
mod headers;

use serde_json::{Value, json};
use tests::{fake::Fake, fixture::Api};

use crate::fixture::day;

async fn create(api: &Api, path: &str, body: Value) -> String {
    api.call("POST", path, body).await.field(201, "id")
}

/// Creates one of each resource, each used by the next.
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
    let campaign = create(
        api,
        "/v1/campaigns",
        json!({"name": "C", "sms_provider_id": provider}),
    )
    .await;
    [
        user, credential, account, service, webhook, provider, campaign,
    ]
}

#[tokio::test]
async fn deletion_of_a_used_resource_lists_its_users() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let [
        user,
        credential,
        account,
        service,
        webhook,
        provider,
        campaign,
    ] = resources(&api).await;
    for (path, used_by, user_path) in [
        (format!("/v1/users/{user}"), &credential, "/v1/credentials"),
        (format!("/v1/accounts/{account}"), &service, "/v1/services"),
        (format!("/v1/services/{service}"), &webhook, "/v1/webhooks"),
        (
            format!("/v1/providers/{provider}"),
            &campaign,
            "/v1/campaigns",
        ),
    ] {
        let detail = api
            .call("DELETE", &path, Value::Null)
            .await
            .field(409, "detail");
        assert!(
            detail.contains(used_by.as_str()) && detail.ends_with(" first."),
            "{path}: {detail}"
        );
        if used_by != &service {
            assert_eq!(
                api.call("DELETE", &format!("{user_path}/{used_by}"), Value::Null)
                    .await
                    .status,
                204
            );
        }
    }
    let detail = api
        .call("DELETE", &format!("/v1/users/{user}"), Value::Null)
        .await
        .field(409, "detail");
    assert_eq!(
        detail,
        format!("The user is assigned to services: {service}. Reassign or delete them first.")
    );
    for n in 0..5 {
        let name = format!("S{n}");
        let service =
            json!({"name": name, "server_url": "https://s.example.com", "account_id": account});
        create(&api, "/v1/services", service).await;
    }
    let detail = api
        .call("DELETE", &format!("/v1/accounts/{account}"), Value::Null)
        .await
        .field(409, "detail");
    assert_eq!(
        (
            detail.matches("svc_").count(),
            detail.matches(" and others.").count()
        ),
        (5, 1),
        "{detail}"
    );
}

#[tokio::test]
async fn unchanged_patch_writes_nothing() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let [
        user,
        credential,
        account,
        service,
        webhook,
        provider,
        campaign,
    ] = resources(&api).await;
    let own = json!({"name": "own.type", "example": {"a": 1}});
    assert_eq!(api.call("POST", "/v1/event-types", own).await.status, 201);
    let entries = async || {
        api.call("GET", "/v1/audit?limit=100", Value::Null)
            .await
            .body["data"]
            .clone()
    };
    let before = entries().await;
    for (path, same) in [
        (format!("/v1/users/{user}"), json!({"name": "Ana"})),
        (
            format!("/v1/credentials/{credential}"),
            json!({"description": "d"}),
        ),
        (
            format!("/v1/accounts/{account}"),
            json!({"authorization": {"type": "none"}}),
        ),
        (
            format!("/v1/services/{service}"),
            json!({"server_url": "https://s.example.com"}),
        ),
        (
            format!("/v1/webhooks/{webhook}"),
            json!({"events": ["message"]}),
        ),
        (
            format!("/v1/providers/{provider}"),
            json!({"send_url": "https://p.example.com/"}),
        ),
        (
            format!("/v1/campaigns/{campaign}"),
            json!({"sms_provider_id": provider}),
        ),
        (
            "/v1/event-types/own.type".to_owned(),
            json!({"example": {"a": 1}}),
        ),
    ] {
        let shown = api.call("GET", &path, Value::Null).await;
        for patch in [json!({}), same] {
            let mut patched = api.call("PATCH", &path, patch).await;
            assert_eq!(
                (patched.status, patched.header("etag")),
                (200, shown.header("etag")),
                "{path}"
            );
            // Only responses to changes have warnings.
            if let Some(fields) = patched.body.as_object_mut() {
                fields.remove("warnings");
            }
            assert_eq!(patched.body, shown.body, "{path}");
        }
    }
    assert_eq!(entries().await, before);
}

#[tokio::test]
async fn rejections_name_methods_names_and_limits() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let detail = api
        .call("PUT", "/v1/users", Value::Null)
        .await
        .field(405, "detail");
    assert_eq!(
        detail,
        "PUT is not supported here. Allowed: GET, HEAD, POST."
    );
    for path in [
        "users",
        "webhooks",
        "services",
        "accounts",
        "providers",
        "campaigns",
    ] {
        let long = api
            .call(
                "GET",
                &format!("/v1/{path}?name={}", "é".repeat(101).replace('é', "%C3%A9")),
                Value::Null,
            )
            .await;
        assert_eq!(
            (long.status, &long.body["errors"][0]["pointer"]),
            (422, &json!("/name")),
            "{path}"
        );
        let named = api
            .call(
                "GET",
                &format!("/v1/{path}?name={}", "%C3%A9".repeat(100)),
                Value::Null,
            )
            .await;
        assert_eq!(
            (named.status, &named.body["data"]),
            (200, &json!([])),
            "{path}"
        );
    }
    for limit in ["%2B5", "05", "0", "101", "1e1", ""] {
        assert_eq!(
            api.call("GET", &format!("/v1/users?limit={limit}"), Value::Null)
                .await
                .status,
            422,
            "{limit}"
        );
    }
}

#[tokio::test]
async fn one_response_lists_every_invalid_field() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let [_, _, _, _, webhook, provider, _] = resources(&api).await;
    let own = json!({"name": "own.type"});
    assert_eq!(api.call("POST", "/v1/event-types", own).await.status, 201);
    let invalid = json!({"name": "V", "url": "https://s.example.com/", "events": ["message", "mesage"], "bogus": 1});
    let long = json!({"events": vec!["mesage"; 41]});
    for (method, path, body, pointers) in [
        (
            "POST",
            "/v1/webhooks".to_owned(),
            invalid,
            vec!["/bogus", "/events/1"],
        ),
        (
            "PATCH",
            format!("/v1/webhooks/{webhook}"),
            json!({"events": ["message", 1, "mesage"], "timeout_seconds": 0}),
            vec!["/events/1", "/events/2", "/timeout_seconds"],
        ),
        (
            "PATCH",
            format!("/v1/webhooks/{webhook}"),
            long,
            vec!["/events"],
        ),
        (
            "PATCH",
            format!("/v1/providers/{provider}"),
            json!({"channel": "email", "bogus": 1}),
            vec!["/bogus", "/channel"],
        ),
        (
            "PATCH",
            format!("/v1/providers/{provider}"),
            json!({"channel": "fax"}),
            vec!["/channel"],
        ),
        (
            "PATCH",
            "/v1/event-types/own.type".to_owned(),
            json!({"name": "own.other", "bogus": 1}),
            vec!["/bogus", "/name"],
        ),
    ] {
        let refused = api.call(method, &path, body).await;
        let errors = refused.body["errors"].as_array().expect("errors");
        let mut found: Vec<&str> = errors
            .iter()
            .filter_map(|error| error["pointer"].as_str())
            .collect();
        found.sort_unstable();
        assert_eq!((refused.status, found), (422, pointers), "{method} {path}");
    }
}
