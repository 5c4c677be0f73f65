//! Per-credential data: idempotency keys, allowed addresses, and audit entries of rejected uses.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{fake::Fake, fixture::Api};

use crate::fixture::day;

fn later(minutes: i64) -> Timestamp {
    day(0) + SignedDuration::from_mins(minutes)
}

async fn refusals(api: &Api) -> usize {
    let entries = api
        .call("GET", "/v1/audit?limit=100", Value::Null)
        .await
        .body;
    entries["data"]
        .as_array()
        .expect("entries")
        .iter()
        .filter(|one| one["action"] == "token.refused")
        .count()
}

#[tokio::test]
async fn idempotency_keys_are_scoped_to_the_credential() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let provider = json!({
        "name": "SMS", "provider_id": "sms", "channel": "sms", "send_url": "https://sms.example.com/", "api_key": "k",
        "secret_key": "s",
    });
    api.call("POST", "/v1/providers", provider)
        .await
        .field(201, "id");
    let scopes = ["events:write", "messages:send", "calls:trigger"];
    let ((id, first), (_, second)) = (api.credential(&scopes).await, api.credential(&scopes).await);
    let (first, second) = (api.with_token(&first), api.with_token(&second));
    for (path, body, other) in [
        (
            "/v1/events",
            json!({"type": "message", "data": {}}),
            json!({"type": "chat", "data": {}}),
        ),
        (
            "/v1/messages",
            json!({"channel": "sms", "to": "+15555550100", "text": "a"}),
            json!({"channel": "sms", "to": "+15555550100", "text": "b"}),
        ),
    ] {
        let key = [("idempotency-key", "order-123")];
        let send =
            async |api: &Api, body: &Value| api.call_with("POST", path, &key, body.clone()).await;
        let made = send(&first, &body).await.field(202, "id");
        assert_ne!(send(&second, &body).await.field(202, "id"), made, "{path}");
        assert_eq!(send(&first, &body).await.field(202, "id"), made, "{path}");
        assert_eq!(send(&first, &other).await.status, 422, "{path}");
        let rotated = api
            .call(
                "POST",
                &format!("/v1/credentials/{id}/rotate"),
                json!({"overlap_seconds": 60}),
            )
            .await;
        let rotated = api.with_token(&rotated.field(200, "token"));
        assert_eq!(
            send(&rotated, &body).await.field(202, "id"),
            made,
            "{path} after a rotation"
        );
    }
}

#[tokio::test]
async fn rotated_tokens_keep_their_overlaps_and_a_fourth_conflicts() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let (id, first) = api.credential(&["users:read"]).await;
    let rotate = async |minutes: i64, overlap: u32| {
        let path = format!("/v1/credentials/{id}/rotate");
        api.at(later(minutes))
            .call("POST", &path, json!({"overlap_seconds": overlap}))
            .await
    };
    let mut tokens = vec![first];
    for (minutes, overlap) in [(0, 3_600), (1, 60), (1, 7_200)] {
        tokens.push(rotate(minutes, overlap).await.field(200, "token"));
    }
    assert_eq!(rotate(1, 60).await.status, 409);
    let statuses = async |minutes: i64| {
        let mut statuses = Vec::new();
        for token in &tokens {
            let holder = api.with_token(token).at(later(minutes));
            statuses.push(holder.call("GET", "/v1/users", Value::Null).await.status);
        }
        statuses
    };
    assert_eq!(statuses(1).await, [200, 200, 200, 200]);
    assert_eq!(statuses(2).await, [200, 401, 200, 200]);
    assert_eq!(statuses(60).await, [401, 401, 200, 200]);
    let current = rotate(61, 0).await.field(200, "token");
    assert_eq!(statuses(61).await, [401; 4]);
    let holder = api.with_token(&current).at(later(61));
    assert_eq!(
        holder.call("GET", "/v1/users", Value::Null).await.status,
        200
    );
}

#[tokio::test]
async fn rejected_uses_are_recorded_once_in_15_minutes() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let ((id, token), (_, other)) = (
        api.credential(&["audit:read"]).await,
        api.credential(&["audit:read"]).await,
    );
    let holder = api.with_token(&token);
    assert_eq!(
        holder.call("GET", "/v1/audit", Value::Null).await.status,
        200
    );
    api.call("POST", &format!("/v1/credentials/{id}/revoke"), Value::Null)
        .await
        .field(200, "id");
    for (minutes, noted) in [(0, 1), (0, 1), (14, 1), (15, 2), (16, 2), (29, 2), (31, 3)] {
        assert_eq!(
            holder
                .at(later(minutes))
                .call("GET", "/v1/audit", Value::Null)
                .await
                .status,
            401
        );
        assert_eq!(
            refusals(&api.at(later(40))).await,
            noted,
            "after {minutes} minutes"
        );
    }
    // Another credential has its own interval.
    let other_id = api
        .with_token(&other)
        .call("GET", "/v1/audit", Value::Null)
        .await;
    assert_eq!(other_id.status, 200);
    // A token that was rotated away counts as a use of its credential.
    let (id, former) = api.credential(&["audit:read"]).await;
    let rotate = async || {
        api.call(
            "POST",
            &format!("/v1/credentials/{id}/rotate"),
            json!({"overlap_seconds": 0}),
        )
        .await
    };
    let current = rotate().await.field(200, "token");
    rotate().await.field(200, "token");
    for token in [former, current] {
        assert_eq!(
            api.with_token(&token)
                .call("GET", "/v1/audit", Value::Null)
                .await
                .status,
            401
        );
    }
    assert_eq!(refusals(&api.at(later(40))).await, 4);
}

#[tokio::test]
async fn token_works_from_allowed_addresses_only() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let new = json!({
        "description": "CRM", "scopes": ["users:read"], "allowed_ips": ["203.0.113.7", "198.51.100.9/24", "2001:db8::/32"],
    });
    let made = api.call("POST", "/v1/credentials", new).await;
    let shown = json!(["203.0.113.7", "198.51.100.0/24", "2001:db8::/32"]);
    assert_eq!(made.body["allowed_ips"], shown);
    let (id, holder) = (
        made.field(201, "id"),
        api.with_token(&made.field(201, "token")),
    );
    let read = async |api: &Api| api.call("GET", "/v1/users", Value::Null).await;
    for source in [
        "203.0.113.7",
        "198.51.100.200",
        "2001:db8::7",
        "::ffff:203.0.113.7",
    ] {
        assert_eq!(read(&holder.from(source)).await.status, 200, "{source}");
    }
    // Headers from the client don't change the source address.
    let forged = [("x-forwarded-for", "203.0.113.7")];
    let refused = holder
        .from("203.0.113.8")
        .call_with("GET", "/v1/users", &forged, Value::Null)
        .await;
    assert_eq!(
        (refused.status, &refused.body["type"]),
        (403, &json!("/problems/address-not-allowed"))
    );
    assert_eq!(read(&holder).await.status, 403, "an unknown address");
    assert_eq!(refusals(&api).await, 1);
    for (patch, status) in [
        (json!({"allowed_ips": ["203.0.113.8"]}), 200),
        (json!({"allowed_ips": []}), 200),
        (json!({"allowed_ips": ["203.0.113.9"]}), 403),
        (json!({"allowed_ips": null}), 200),
    ] {
        api.call("PATCH", &format!("/v1/credentials/{id}"), patch.clone())
            .await
            .field(200, "id");
        assert_eq!(
            read(&holder.from("203.0.113.8")).await.status,
            status,
            "{patch}"
        );
    }
    let wrong = api
        .call(
            "PATCH",
            &format!("/v1/credentials/{id}"),
            json!({"allowed_ips": ["203.0.113"]}),
        )
        .await;
    assert_eq!(
        (wrong.status, &wrong.body["errors"][0]["pointer"]),
        (422, &json!("/allowed_ips/0"))
    );
}
