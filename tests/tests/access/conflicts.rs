//! What a deletion is refused for, and what an empty change leaves as it is.

use serde_json::{Value, json};
use tests::{fake::Fake, fixture::Api};

use crate::fixture::day;

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
            let patched = api.call("PATCH", &path, patch).await;
            assert_eq!(
                (patched.status, patched.header("etag")),
                (200, shown.header("etag")),
                "{path}"
            );
            assert_eq!(patched.body, shown.body, "{path}");
        }
    }
    assert_eq!(entries().await, before);
}

#[tokio::test]
async fn webhook_header_set_by_the_account_is_rejected() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let service = json!({"name": "S", "server_url": "https://s.example.com", "account": {"name": "A",
        "authorization": {"type": "header", "name": "X-Key", "value": "0123456789abcdef"}}});
    let service = create(&api, "/v1/services", service).await;
    let webhook = |name: &str, more: Value| {
        let mut webhook =
            json!({"name": name, "service_id": service, "path": "/", "events": ["message"]});
        webhook
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        webhook
    };
    for (more, pointers) in [
        (json!({"headers": {"x-KEY": "1"}}), vec!["/headers/x-key"]),
        (
            json!({"signing": {"type": "header", "name": "X-Key"}}),
            vec!["/signing/name"],
        ),
        (
            json!({"headers": {"X-Key": "1"}, "events": ["mesage"]}),
            vec!["/events/0", "/headers/x-key"],
        ),
        (
            json!({"service_id": "svc_01J0000000000000000000000S", "events": ["mesage"]}),
            vec!["/events/0", "/service_id"],
        ),
    ] {
        let refused = api
            .call("POST", "/v1/webhooks", webhook("W", more.clone()))
            .await;
        let errors = refused.body["errors"]
            .as_array()
            .unwrap_or_else(|| panic!("{more}: {}", refused.body));
        let found: Vec<&str> = errors
            .iter()
            .filter_map(|error| error["pointer"].as_str())
            .collect();
        assert_eq!((refused.status, found), (422, pointers), "{more}");
    }
    let id = create(
        &api,
        "/v1/webhooks",
        webhook("W", json!({"headers": {"X-Other": "1"}})),
    )
    .await;
    let path = format!("/v1/webhooks/{id}");
    assert_eq!(
        api.call("PATCH", &path, json!({"headers": {"X-Key": "1"}}))
            .await
            .status,
        422
    );
    assert_eq!(
        api.call("PATCH", &path, json!({"headers": {"X-Another": "1"}}))
            .await
            .status,
        200
    );
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

fn header_account(name: &str, header: &str) -> Value {
    json!({"name": name, "authorization": {"type": "header", "name": header, "value": "0123456789abcdef"}})
}

#[tokio::test]
async fn webhook_moved_to_a_service_must_not_set_the_accounts_header() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let mut services = Vec::new();
    for name in ["A", "B"] {
        let account = json!({"name": name, "authorization": {"type": "none"}});
        let account = if name == "A" {
            account
        } else {
            header_account(name, "X-Tenant")
        };
        let service =
            json!({"name": name, "server_url": "https://s.example.com", "account": account});
        services.push(create(&api, "/v1/services", service).await);
    }
    for (name, destination) in [
        ("U", json!({"url": "https://s.example.com/"})),
        ("S", json!({"service_id": services[0], "path": "/"})),
    ] {
        let mut webhook =
            json!({"name": name, "events": ["message"], "headers": {"X-Tenant": "7"}});
        let fields = webhook.as_object_mut().expect("an object");
        fields.extend(destination.as_object().expect("an object").clone());
        let path = format!(
            "/v1/webhooks/{}",
            create(&api, "/v1/webhooks", webhook).await
        );
        let change = json!({"service_id": services[1], "path": "/x"});
        let refused = api.call("PATCH", &path, change).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["pointer"]),
            (422, &json!("/headers/x-tenant")),
            "{name}: {}",
            refused.body
        );
        let change = json!({"service_id": services[1], "path": "/x", "headers": null});
        assert_eq!(api.call("PATCH", &path, change).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn account_must_not_set_a_header_of_its_services_webhooks() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let account = create(&api, "/v1/accounts", header_account("A", "X-Key")).await;
    let other = create(&api, "/v1/accounts", header_account("B", "X-Tenant")).await;
    let service = json!({"name": "S", "server_url": "https://s.example.com", "account_id": account, "timeout_message": "t"});
    let service = create(&api, "/v1/services", service).await;
    let mut webhooks = Vec::new();
    for (name, headers, signing) in [
        ("1", json!({"X-TENANT": "7"}), Value::Null),
        (
            "2",
            Value::Null,
            json!({"type": "header", "name": "X-Tenant"}),
        ),
        ("3", json!({"X-Other": "7"}), Value::Null),
    ] {
        let webhook = json!({"name": name, "service_id": service, "path": "/", "events": ["message"],
            "headers": headers, "signing": signing, "enabled": false});
        webhooks.push(create(&api, "/v1/webhooks", webhook).await);
    }
    let (account, service) = (
        format!("/v1/accounts/{account}"),
        format!("/v1/services/{service}"),
    );
    let authorization = header_account("A", "x-tenant")["authorization"].clone();
    let changes = [
        (&account, json!({"authorization": authorization})),
        (&service, json!({"account_id": other})),
        (
            &service,
            json!({"account_id": null, "account": header_account("C", "X-Tenant")}),
        ),
    ];
    for (path, change) in &changes {
        let before = api.call("GET", path, Value::Null).await;
        let detail = api
            .call("PATCH", path, change.clone())
            .await
            .field(409, "detail");
        assert_eq!(
            webhooks
                .iter()
                .map(|id| detail.contains(id.as_str()))
                .collect::<Vec<_>>(),
            [true, true, false],
            "{change}: {detail}"
        );
        assert!(detail.contains("`x-tenant`"), "{detail}");
        let after = api.call("GET", path, Value::Null).await;
        assert_eq!(
            (after.header("etag"), &after.body),
            (before.header("etag"), &before.body),
            "{change}"
        );
    }
    for webhook in &webhooks[..2] {
        let change = json!({"headers": null, "signing": null});
        let path = format!("/v1/webhooks/{webhook}");
        assert_eq!(api.call("PATCH", &path, change).await.status, 200);
    }
    for (path, change) in changes {
        let answer = api.call("PATCH", path, change.clone()).await;
        assert_eq!(answer.status, 200, "{change}: {}", answer.body);
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
