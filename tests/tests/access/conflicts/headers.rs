//! Headers of webhooks that conflict with the account of their service.

use serde_json::{Value, json};
use tests::{fake::Fake, fixture::Api};

use super::create;
use crate::fixture::day;

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
        let response = api.call("PATCH", path, change.clone()).await;
        assert_eq!(response.status, 200, "{change}: {}", response.body);
    }
}
