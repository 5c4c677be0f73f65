//! Users, credentials, scopes, reminders and the audit log.

mod users;

use serde_json::{Value, json};
use tests::{
    receiver::Receiver,
    stack::{Stack, text, unique},
};

/// Creates a credential with these scopes. Returns its document, with the token.
async fn credential(stack: &Stack, scopes: &[&str]) -> Value {
    let body = json!({"description": unique("credential"), "scopes": scopes});
    stack.post("/v1/credentials", body).await.expect(201)
}

fn path(credential: &Value) -> String {
    format!("/v1/credentials/{}", text(credential, "id"))
}

async fn works(stack: &Stack, token: &str) -> bool {
    stack
        .with_token(token)
        .get_path("/v1/webhooks?limit=1")
        .await
        .status
        == 200
}

#[tokio::test]
async fn token_is_shown_once_and_grants_its_scopes() {
    let stack = Stack::get();
    let made = credential(&stack, &["webhooks:read"]).await;
    let token = text(&made, "token");
    assert!(token.starts_with("tl_live_") && token.len() == 57);
    assert_eq!(made["token_hint"], token[53..]);
    assert_eq!(
        (
            &made["status"],
            &made["rotate_after_days"],
            &made["last_used_at"]
        ),
        (&json!("active"), &json!(90), &Value::Null)
    );
    assert!(works(&stack, &token).await);
    let refused = stack
        .with_token(&token)
        .post("/v1/webhooks", json!({}))
        .await
        .problem(403);
    assert!(
        refused["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("webhooks:write")),
        "{refused}"
    );
    let read = stack.get_path(&path(&made)).await.expect(200);
    assert!(read["token"].is_null() && !read.to_string().contains(&token));
    assert!(read["last_used_at"].is_string(), "{read}");
    let listed = stack
        .get_path("/v1/credentials?status=active&limit=100")
        .await
        .expect(200);
    assert!(
        listed["data"]
            .as_array()
            .is_some_and(|data| data.iter().any(|one| one["id"] == made["id"]))
    );
}

#[tokio::test]
async fn rotation_revokes_the_old_token_at_once_or_after_the_overlap() {
    let stack = Stack::get();
    let made = credential(&stack, &["webhooks:read"]).await;
    let (first, rotate) = (text(&made, "token"), format!("{}/rotate", path(&made)));
    let second = stack
        .post(&rotate, json!({"overlap_seconds": 3}))
        .await
        .expect(200);
    assert_eq!(
        (&second["id"], &second["scopes"]),
        (&made["id"], &made["scopes"])
    );
    let second = text(&second, "token");
    assert!(works(&stack, &first).await && works(&stack, &second).await);
    let third = text(&stack.post(&rotate, json!({})).await.expect(200), "token");
    assert!(
        !works(&stack, &first).await
            && !works(&stack, &second).await
            && works(&stack, &third).await
    );
    let fourth = text(
        &stack
            .post(&rotate, json!({"overlap_seconds": 1}))
            .await
            .expect(200),
        "token",
    );
    stack
        .until("the overlap is over", async || {
            if works(&stack, &third).await {
                Err(json!(third))
            } else {
                Ok(())
            }
        })
        .await;
    assert!(works(&stack, &fourth).await);
    stack
        .post(&rotate, json!({"overlap_seconds": 604_801}))
        .await
        .problem(422);
}

#[tokio::test]
async fn revoked_deleted_and_expired_tokens_are_rejected() {
    let stack = Stack::get();
    let revoked = credential(&stack, &["webhooks:read"]).await;
    let read = stack
        .post(&format!("{}/revoke", path(&revoked)), json!({}))
        .await
        .expect(200);
    assert_eq!(read["status"], "revoked");
    assert!(!works(&stack, &text(&revoked, "token")).await);
    stack
        .post(&format!("{}/rotate", path(&revoked)), json!({}))
        .await
        .problem(409);
    assert_eq!(
        stack.get_path(&path(&revoked)).await.expect(200)["status"],
        "revoked"
    );

    let deleted = credential(&stack, &["webhooks:read"]).await;
    assert_eq!(stack.delete(&path(&deleted)).await.status, 204);
    assert!(!works(&stack, &text(&deleted, "token")).await);
    stack.get_path(&path(&deleted)).await.problem(404);

    let ends = (platform::clock::now() + jiff::SignedDuration::from_secs(3)).to_string();
    let body = json!({"description": "short", "scopes": ["webhooks:read"], "expires_at": ends});
    let expiring = stack.post("/v1/credentials", body).await.expect(201);
    let token = text(&expiring, "token");
    stack
        .until("it has expired", async || {
            if works(&stack, &token).await {
                Err(json!(ends))
            } else {
                Ok(())
            }
        })
        .await;
    assert_eq!(
        stack.get_path(&path(&expiring)).await.expect(200)["status"],
        "expired"
    );
    // A rejected token of a known credential is audited.
    stack
        .until("the refusal is on record", async || {
            let audit = stack.get_path("/v1/audit?limit=100").await.expect(200);
            let entries = audit["data"].as_array().cloned().unwrap_or_default();
            let refused = |entry: &Value| {
                entry["action"] == "token.refused" && entry["actor"] == expiring["id"]
            };
            if entries.iter().any(refused) {
                Ok(())
            } else {
                Err(audit)
            }
        })
        .await;
}

#[tokio::test]
async fn scope_patch_applies_at_once() {
    let stack = Stack::get();
    let made = credential(&stack, &["webhooks:read"]).await;
    let token = text(&made, "token");
    let patched = stack
        .patch(
            &path(&made),
            json!({"scopes": ["events:read"], "rotate_after_days": 5}),
        )
        .await
        .expect(200);
    assert_eq!(patched["scopes"], json!(["events:read"]));
    assert!(!works(&stack, &token).await);
    stack
        .with_token(&token)
        .get_path("/v1/events?limit=1")
        .await
        .expect(200);
    stack
        .patch(&path(&made), json!({"user_id": "usr_x"}))
        .await
        .problem(422);
}

#[tokio::test]
async fn caller_can_not_grant_or_acquire_scopes_beyond_their_own() {
    let stack = Stack::get();
    let keeper = credential(
        &stack,
        &["credentials:write", "credentials:read", "webhooks:read"],
    )
    .await;
    let keeper = stack.with_token(&text(&keeper, "token"));
    let strong = credential(&stack, &["events:write"]).await;
    let body = |scopes: Value| json!({"description": "x", "scopes": scopes});
    keeper
        .post("/v1/credentials", body(json!(["webhooks:read"])))
        .await
        .expect(201);
    for scopes in [json!(["admin"]), json!(["webhooks:read", "events:write"])] {
        keeper
            .post("/v1/credentials", body(scopes))
            .await
            .problem(403);
    }
    keeper
        .post(&format!("{}/rotate", path(&strong)), json!({}))
        .await
        .problem(403);
    keeper
        .patch(&path(&strong), json!({"description": "y"}))
        .await
        .problem(403);
    keeper.delete(&path(&strong)).await.problem(403);
    assert_eq!(
        stack.get_path(&path(&strong)).await.expect(200)["status"],
        "active"
    );
    // Nor for another user, whose credential would outlive the caller's own.
    let user = stack
        .post("/v1/users", json!({"name": unique("user")}))
        .await
        .expect(201);
    let theirs = json!({"description": "x", "scopes": ["webhooks:read"], "user_id": user["id"]});
    keeper.post("/v1/credentials", theirs).await.problem(403);
}

#[tokio::test]
async fn reminders_are_sent_once_and_stop_with_a_rotation() {
    let stack = Stack::get();
    let soon = credential(&stack, &["webhooks:read"]).await;
    stack
        .patch(&path(&soon), json!({"rotate_after_days": 5}))
        .await
        .expect(200);
    let due = stack
        .get_path("/v1/credentials?rotation=due_soon&limit=100")
        .await
        .expect(200);
    assert!(
        due["data"]
            .as_array()
            .is_some_and(|data| data.iter().any(|one| one["id"] == soon["id"])),
        "{due}"
    );

    let made = credential(&stack, &["webhooks:read"]).await;
    let receiver = Receiver::start();
    let condition = json!({"field": "credential_id", "op": "eq", "value": made["id"]});
    let _webhook = stack
        .webhook()
        .url(receiver.url())
        .events(["credential.*", "chat"])
        .set("conditions", condition)
        .create()
        .await;
    let created: jiff::Timestamp = text(&made, "created_at").parse().expect("a time");
    let remind = async |days: i64| {
        let now = created + jiff::SignedDuration::from_hours(24 * days);
        stack
            .invoke("rotation", &json!({"now": now.to_string()}))
            .await
            .expect(200)
    };
    let mut expected = 0;
    for (days, kind, overdue) in [
        (82, None, 0),
        (83, Some("credential.rotation_due_soon"), 0),
        (83, None, 0),
        (90, Some("credential.rotation_due"), 0),
        (97, Some("credential.rotation_due"), 7),
        (97, None, 0),
    ] {
        remind(days).await;
        if let Some(kind) = kind {
            expected += 1;
            let requests = receiver.wait_for(expected).await;
            let event: Value = requests[expected - 1].json();
            assert_eq!(
                (&event["type"], &event["data"]["days_overdue"]),
                (&json!(kind), &json!(overdue)),
                "day {days}"
            );
        }
    }
    stack
        .post(&format!("{}/rotate", path(&made)), json!({}))
        .await
        .expect(200);
    remind(82).await;
    assert_eq!(
        stack.get_path(&path(&made)).await.expect(200)["rotation_overdue"],
        false
    );
    // Any event sent by mistake would arrive before this one.
    stack
        .publish("chat", json!({"credential_id": made["id"]}))
        .await;
    let kinds: Vec<Value> = receiver
        .wait_for(expected + 1)
        .await
        .iter()
        .map(|request| request.json()["type"].clone())
        .collect();
    assert_eq!(kinds.len(), expected + 1, "{kinds:?}");
    assert_eq!(kinds[expected], "chat");
}
