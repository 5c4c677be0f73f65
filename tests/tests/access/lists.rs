//! The caller's own data, and the filters of lists.

use serde_json::{Value, json};
use tests::{
    fake::{Fake, sqs::Name},
    fixture::Api,
};

use crate::fixture::day;

/// IDs or names in a list.
async fn shown(api: &Api, path: &str, field: &str) -> Vec<String> {
    let reply = api.call("GET", path, Value::Null).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    let entries = reply.body["data"].as_array().expect("entries");
    entries
        .iter()
        .map(|entry| entry[field].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn me_describes_any_token() {
    let (api, admin) = Api::of_admin(&Fake::default(), day(0)).await;
    let new = json!({"description": "CRM", "scopes": ["events:write"], "allowed_ips": [], "expires_at": "2026-02-01T00:00:00Z"});
    let made = api.call("POST", "/v1/credentials", new).await;
    let (id, holder) = (
        made.field(201, "id"),
        api.with_token(&made.field(201, "token")),
    );
    let me = holder.call("GET", "/v1/me", Value::Null).await;
    assert_eq!(me.status, 200, "{}", me.body);
    let credential = json!({
        "id": id, "description": "CRM", "scopes": ["events:write"], "expires_at": made.body["expires_at"],
        "rotation_due_at": made.body["rotation_due_at"], "allowed_ips": [],
    });
    assert_eq!(me.body["credential"], credential);
    assert_eq!(
        (&me.body["user"]["id"], &me.body["user"]["name"]),
        (&json!(admin.user_id), &json!("Administrator"))
    );
    assert_eq!(
        api.with_token("")
            .call("GET", "/v1/me", Value::Null)
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn name_filter_matches_whole_names() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let account = |name: &str| json!({"name": name, "authorization": {"type": "none"}});
    let provider = |name: &str| {
        json!({"name": name, "provider_id": "p", "channel": "sms", "send_url": "https://sms.example.com/", "api_key": "k",
            "secret_key": "s"})
    };
    for name in ["Desk", "Desk 2"] {
        for (path, body) in [
            ("/v1/users", json!({"name": name})),
            ("/v1/accounts", account(name)),
            (
                "/v1/services",
                json!({"name": name, "server_url": "https://x.example.com", "account": account(&format!("of {name}"))}),
            ),
            ("/v1/providers", provider(name)),
            ("/v1/campaigns", json!({"name": name})),
            (
                "/v1/webhooks",
                json!({"name": name, "url": "https://x.example.com", "events": ["message"]}),
            ),
        ] {
            let made = api.call("POST", path, body.clone()).await;
            let id = made.field(201, "id");
            let taken = api.call("POST", path, body).await;
            let detail = taken.body["detail"].as_str().unwrap_or_default().to_owned();
            assert!(
                taken.status == 409 && (detail.contains(&id) || path == "/v1/services"),
                "{path}: {detail}"
            );
        }
    }
    for path in [
        "/v1/users",
        "/v1/accounts",
        "/v1/services",
        "/v1/providers",
        "/v1/campaigns",
        "/v1/webhooks",
    ] {
        assert_eq!(
            shown(&api, &format!("{path}?name=DESK"), "name").await,
            ["Desk"],
            "{path}"
        );
        assert_eq!(
            shown(&api, &format!("{path}?name=desk%202&limit=1"), "name").await,
            ["Desk 2"],
            "{path}"
        );
        assert!(
            shown(&api, &format!("{path}?name=Des"), "name")
                .await
                .is_empty(),
            "{path}"
        );
    }
    assert!(
        shown(&api, "/v1/providers?name=Desk&channel=email", "name")
            .await
            .is_empty()
    );
    assert!(
        shown(&api, "/v1/webhooks?name=Desk&enabled=false", "name")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn messages_are_filtered_and_cancelled_while_queued() {
    let fake = Fake::default();
    let (api, _) = Api::of_admin(&fake, day(0)).await;
    let provider = |name: &str| {
        json!({"name": name, "provider_id": "p", "channel": "sms", "send_url": "https://sms.example.com/", "api_key": "k",
            "secret_key": "s", "from": "+15555550199"})
    };
    let first = api
        .call("POST", "/v1/providers", provider("first"))
        .await
        .field(201, "id");
    let second = api
        .call("POST", "/v1/providers", provider("second"))
        .await
        .field(201, "id");
    let campaign = api
        .call("POST", "/v1/campaigns", json!({"name": "Spring"}))
        .await
        .field(201, "id");
    let send = async |to: &str, provider: &str, more: Value| {
        let mut body = json!({"channel": "sms", "to": to, "text": "Hello", "provider": provider});
        body.as_object_mut()
            .expect("object")
            .extend(more.as_object().expect("object").clone());
        api.call("POST", "/v1/messages", body).await
    };
    let accepted = send("+15555550100", &first, json!({})).await;
    assert_eq!(
        accepted.body["from"], "+15555550199",
        "the provider's own sender"
    );
    let a = accepted.field(202, "id");
    let b = send(
        "+15555550101",
        &first,
        json!({"campaign_id": campaign, "from": "+15555550123"}),
    )
    .await;
    assert_eq!(b.body["from"], "+15555550123");
    let b = b.field(202, "id");
    let c = send("+15555550100", &second, json!({}))
        .await
        .field(202, "id");
    for (query, mut wanted) in [
        ("to=%2B15555550100", vec![&a, &c]),
        (&format!("provider_id={first}"), vec![&a, &b]),
        (&format!("campaign_id={campaign}"), vec![&b]),
        (
            &format!("provider_id={first}&to=%2B15555550100&channel=sms&status=queued"),
            vec![&a],
        ),
        ("since=2026-01-01T09:00:00Z", vec![]),
        ("until=2025-12-31T00:00:00Z", vec![]),
        (
            "since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z",
            vec![&a, &b, &c],
        ),
    ] {
        let mut found = shown(&api, &format!("/v1/messages?{query}"), "id").await;
        found.sort();
        wanted.sort();
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{query}");
    }
    for query in [
        "provider_id=x",
        "campaign_id=x",
        "since=x",
        "status=ringing",
        "from=x",
    ] {
        assert_eq!(
            api.call("GET", &format!("/v1/messages?{query}"), Value::Null)
                .await
                .status,
            422,
            "{query}"
        );
    }
    let reader = api.with_token(&api.credential(&["messages:read"]).await.1);
    let path = format!("/v1/messages/{a}/cancel");
    assert_eq!(reader.call("POST", &path, Value::Null).await.status, 403);
    let cancelled = api.call("POST", &path, Value::Null).await;
    assert_eq!(
        (
            cancelled.status,
            &cancelled.body["status"],
            &cancelled.body["error"]
        ),
        (200, &json!("failed"), &json!("cancelled"))
    );
    assert_eq!(api.call("POST", &path, Value::Null).await.status, 409);
    let events: Vec<Value> = fake
        .state()
        .queues
        .sent()
        .iter()
        .filter(|one| one.queue == Name::Events)
        .map(tests::fake::sqs::Message::json)
        .collect();
    assert!(
        events
            .iter()
            .all(|event| event["type"] == "sms.failed" && event["id"] == events[0]["id"])
            && !events.is_empty()
    );
}

#[tokio::test]
async fn audit_entries_are_filtered_by_actor_action_and_resource() {
    let (api, admin) = Api::of_admin(&Fake::default(), day(0)).await;
    let user = api
        .call("POST", "/v1/users", json!({"name": "Ana"}))
        .await
        .field(201, "id");
    api.call(
        "PATCH",
        &format!("/v1/users/{user}"),
        json!({"name": "Ann"}),
    )
    .await
    .field(200, "id");
    let (id, token) = api.credential(&["users:write"]).await;
    api.with_token(&token)
        .call("POST", "/v1/users", json!({"name": "Bo"}))
        .await
        .field(201, "id");
    for (query, actions) in [
        (
            format!("resource={user}"),
            vec!["user.created", "user.updated"],
        ),
        (format!("actor={id}"), vec!["user.created"]),
        (
            format!("actor={}&action=user.created", admin.credential_id),
            vec!["user.created"],
        ),
        ("action=user.updated".to_owned(), vec!["user.updated"]),
        (format!("resource={user}&action=user.deleted"), vec![]),
    ] {
        let mut found = shown(&api, &format!("/v1/audit?{query}"), "action").await;
        found.sort();
        assert_eq!(found, actions, "{query}");
    }
}

#[tokio::test]
async fn second_revocation_changes_nothing() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let (id, _) = api.credential(&["users:read"]).await;
    let path = format!("/v1/credentials/{id}/revoke");
    let first = api.call("POST", &path, Value::Null).await;
    let second = api.call("POST", &path, Value::Null).await;
    assert_eq!(
        (first.status, second.status, first.header("etag")),
        (200, 200, second.header("etag"))
    );
    assert_eq!(
        shown(&api, "/v1/audit?action=credential.revoked", "resource").await,
        [id]
    );
}

#[tokio::test]
async fn bearer_tokens_of_webhooks_are_write_only() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let webhook = |auth: Value| json!({"name": "CRM", "url": "https://x.example.com", "events": ["message"], "auth": auth});
    for wrong in [
        json!({"type": "bearer"}),
        json!({"type": "bearer", "token": "Bearer x"}),
        json!({"type": "bearer", "token": ""}),
    ] {
        let refused = api.call("POST", "/v1/webhooks", webhook(wrong)).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["pointer"]),
            (422, &json!("/auth/token")),
            "{}",
            refused.body
        );
    }
    let made = api
        .call(
            "POST",
            "/v1/webhooks",
            webhook(json!({"type": "bearer", "token": "a-long-token-of-ours"})),
        )
        .await;
    assert_eq!(
        made.body["auth"],
        json!({"type": "bearer", "token_hint": "ours"})
    );
    let path = format!("/v1/webhooks/{}", made.field(201, "id"));
    let moved = api
        .call("PATCH", &path, json!({"url": "https://y.example.com"}))
        .await;
    assert_eq!(
        (moved.status, &moved.body["errors"][0]["pointer"]),
        (422, &json!("/auth/token"))
    );
}
