//! Accounts and services as resources.

use serde_json::{Value, json};
use tests::{
    receiver::Receiver,
    stack::{Stack, text, unique},
};

#[tokio::test]
async fn account_in_use_by_services_can_not_be_deleted() {
    let stack = Stack::get();
    let authorization =
        json!({"type": "header", "name": "X-Api-Key", "value": "0123456789abcdefghij"});
    let body = json!({"name": unique("account"), "authorization": authorization});
    let account = stack.post("/v1/accounts", body).await.expect(201);
    let (id, path) = (
        text(&account, "id"),
        format!("/v1/accounts/{}", text(&account, "id")),
    );
    assert!(id.starts_with("acct_"));
    assert_eq!(
        account["authorization"],
        json!({"type": "header", "name": "x-api-key", "value_hint": "ghij"})
    );
    let receiver = Receiver::start();
    let one = stack.service(receiver.url()).account(&id).create().await;
    let other = stack.service(receiver.url()).account(&id).create().await;
    assert!(one.id.starts_with("svc_"));
    assert_eq!(
        (&one.document["type"], &one.document["account_id"]),
        (&json!("custom_http"), &json!(id))
    );
    for service in [&one, &other] {
        stack.delete(&path).await.problem(409);
        service.send(json!({"method": "GET"})).await.expect(200);
        assert_eq!(stack.delete(&service.path("")).await.status, 204);
        stack.get_path(&service.path("")).await.problem(404);
        service.send(json!({})).await.problem(404);
    }
    assert!(
        receiver
            .requests()
            .iter()
            .all(|request| request.header("x-api-key") == "0123456789abcdefghij")
    );
    assert_eq!(receiver.requests().len(), 2);
    assert_eq!(stack.delete(&path).await.status, 204);
    stack.get_path(&path).await.problem(404);
}

#[tokio::test]
async fn account_is_created_with_its_service_and_replaced() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let service = stack.service(receiver.url()).create().await;
    let first = text(&service.document, "account_id");
    stack
        .get_path(&format!("/v1/accounts/{first}"))
        .await
        .expect(200);
    let fresh = json!({"name": unique("account"), "authorization": {"type": "header", "name": "x-key", "value": "k"}});
    let changed = stack
        .patch(&service.path(""), json!({"account": fresh}))
        .await
        .expect(200);
    let second = text(&changed, "account_id");
    assert_ne!(first, second);
    assert_eq!(
        stack.delete(&format!("/v1/accounts/{first}")).await.status,
        204
    );
    stack
        .delete(&format!("/v1/accounts/{second}"))
        .await
        .problem(409);
    service.send(json!({})).await.expect(200);
    assert_eq!(receiver.only().await.header("x-key"), "k");
    // The name is in use by now: neither the account nor the service is created.
    let name = unique("service");
    let body = json!({"name": name, "server_url": receiver.url(), "account": fresh});
    stack.post("/v1/services", body).await.problem(409);
    stack
        .service(receiver.url())
        .set("name", name)
        .create()
        .await;
}

#[tokio::test]
async fn patch_keeps_secrets_and_a_new_type_replaces_them() {
    let stack = Stack::get();
    let authorization = json!({
        "type": "oauth2", "grant_type": "client_credentials", "token_url": "https://auth.example.com/token",
        "client_id": "us", "client_secret": "0123456789abcdef",
    });
    let body = json!({"name": unique("account"), "authorization": authorization});
    let response = stack.post("/v1/accounts", body).await;
    assert!(!response.text.contains("0123456789abcdef"));
    let path = format!("/v1/accounts/{}", text(&response.expect(201), "id"));
    let changed = stack
        .patch(&path, json!({"authorization": {"scope": "a b"}}))
        .await
        .expect(200);
    let view = &changed["authorization"];
    assert_eq!(
        (
            &view["scope"],
            &view["client_secret_hint"],
            &view["client_auth"]
        ),
        (&json!("a b"), &json!("cdef"), &json!("header"))
    );
    let changed = stack
        .patch(&path, json!({"authorization": {"type": "none"}}))
        .await
        .expect(200);
    assert_eq!(changed["authorization"], json!({"type": "none"}));
    let pointers = stack
        .patch(&path, json!({"authorization": {"type": "oauth2"}}))
        .await
        .pointers();
    assert_eq!(
        pointers,
        [
            "/authorization/client_id",
            "/authorization/client_secret",
            "/authorization/grant_type",
            "/authorization/token_url"
        ]
    );
    assert_eq!(stack.delete(&path).await.status, 204);
}

#[tokio::test]
async fn every_invalid_field_is_named() {
    let stack = Stack::get();
    let body = json!({
        "name": "", "type": "soap", "server_url": "http://localhost/", "timeout_seconds": 26, "timeout_message": "",
        "user_id": "cred_1", "verification": {"type": "github"}, "colour": 1,
        "account": {"name": "a", "authorization": {"type": "header", "name": "Host", "value": "a\nb"}},
    });
    assert_eq!(
        stack.post("/v1/services", body).await.pointers(),
        [
            "/account/authorization/name",
            "/account/authorization/value",
            "/colour",
            "/name",
            "/server_url",
            "/timeout_message",
            "/timeout_seconds",
            "/type",
            "/user_id",
            "/verification/secret"
        ]
    );
    let without_user = json!({
        "name": unique("service"), "server_url": "https://example.com",
        "account_id": "acct_01ARZ3NDEKTSV4RRFFQ69G5FAV", "user_id": "usr_01ARZ3NDEKTSV4RRFFQ69G5FAV",
    });
    assert_eq!(
        stack.post("/v1/services", without_user).await.pointers(),
        ["/account_id", "/user_id"]
    );
}

#[tokio::test]
async fn user_with_services_can_not_be_deleted() {
    let stack = Stack::get();
    let user = stack.user().await;
    let service = stack
        .service("https://example.com")
        .set("user_id", user.as_str())
        .create()
        .await;
    let path = format!("/v1/users/{user}");
    stack.delete(&path).await.problem(409);
    let url = service.webhook_url();
    let changed = stack
        .patch(&service.path(""), json!({"user_id": null}))
        .await
        .expect(200);
    assert_eq!(changed["webhook_url"], Value::Null);
    assert_eq!(
        stack
            .send(stack.call(reqwest::Method::POST, &url))
            .await
            .status,
        404
    );
    assert_eq!(stack.delete(&path).await.status, 204);
}
