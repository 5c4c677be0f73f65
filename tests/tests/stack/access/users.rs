//! Users, admins and their audit entries.

use super::{path, works};
use serde_json::{Value, json};
use tests::{
    receiver::Receiver,
    stack::{Stack, text, unique},
};

#[tokio::test]
async fn last_admin_can_not_be_locked_out() {
    let stack = Stack::get();
    let listed = stack
        .get_path("/v1/credentials?limit=100")
        .await
        .expect(200);
    let first = listed["data"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|one| one["description"] == "First admin");
    let first = first.expect("the first admin's credential");
    stack
        .post(&format!("{}/revoke", path(first)), json!({}))
        .await
        .problem(409);
    stack
        .patch(&path(first), json!({"scopes": ["events:read"]}))
        .await
        .problem(409);
    stack
        .patch(&path(first), json!({"expires_at": "2999-01-01T00:00:00Z"}))
        .await
        .problem(409);
    stack.delete(&path(first)).await.problem(409);
    stack
        .patch(
            &format!("/v1/users/{}", text(first, "user_id")),
            json!({"active": false}),
        )
        .await
        .problem(409);
    assert!(works(&stack, stack.token()).await);
}

#[tokio::test]
async fn deactivated_users_credentials_are_rejected() {
    let stack = Stack::get();
    let name = unique("user");
    let user = stack
        .post(
            "/v1/users",
            json!({"name": name, "email": "ana@example.com"}),
        )
        .await
        .expect(201);
    stack
        .post("/v1/users", json!({"name": name.to_uppercase()}))
        .await
        .problem(409);
    let user_path = format!("/v1/users/{}", text(&user, "id"));
    let body = json!({"description": "theirs", "scopes": ["webhooks:read"], "user_id": user["id"]});
    let theirs = stack
        .post("/v1/credentials", body.clone())
        .await
        .expect(201);
    let token = text(&theirs, "token");
    assert!(works(&stack, &token).await);
    stack
        .patch(&user_path, json!({"active": false}))
        .await
        .expect(200);
    assert!(!works(&stack, &token).await);
    stack.post("/v1/credentials", body).await.problem(422);
    stack
        .patch(&user_path, json!({"active": true}))
        .await
        .expect(200);
    assert!(works(&stack, &token).await);
    stack.delete(&user_path).await.problem(409);
    assert_eq!(stack.delete(&path(&theirs)).await.status, 204);
    assert_eq!(stack.delete(&user_path).await.status, 204);
    stack.get_path(&user_path).await.problem(404);
}

#[tokio::test]
async fn changes_are_audited_without_their_values() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .events(["message"])
        .create()
        .await;
    let patch = json!({"secrets": {"bot": "a-secret-that-is-never-shown"}, "timeout_seconds": 3});
    stack
        .patch(&format!("/v1/webhooks/{}", webhook.id), patch)
        .await
        .expect(200);
    stack.delete(&format!("/v1/webhooks/{}", webhook.id)).await;
    let audit = stack.get_path("/v1/audit?limit=100").await.expect(200);
    assert!(!audit.to_string().contains("a-secret-that-is-never-shown"));
    let about: Vec<(&Value, &Value)> = audit["data"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| entry["resource"] == webhook.id.as_str())
        .map(|entry| (&entry["action"], &entry["changes"]))
        .collect();
    let (deleted, updated, created) = (
        json!("webhook.deleted"),
        json!("webhook.updated"),
        json!("webhook.created"),
    );
    let (none, fields) = (json!([]), json!(["secrets", "timeout_seconds"]));
    assert_eq!(
        about,
        [(&deleted, &none), (&updated, &fields), (&created, &none)]
    );
}
