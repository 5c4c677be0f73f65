//! Source addresses from which a credential may be used: every error, and their order.

use serde_json::{Value, json};
use tests::{client::Response, fake::Fake, fixture::Api};

use crate::fixture::day;

/// Creates a credential that may be used from 203.0.113.7 only. Returns its ID and token.
async fn limited(api: &Api, more: &Value) -> (String, String) {
    let mut body = json!({
        "description": "CRM", "scopes": ["users:read"], "allowed_ips": ["203.0.113.7"],
    });
    let fields = body.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    let made = api.call("POST", "/v1/credentials", body).await;
    (made.field(201, "id"), made.field(201, "token"))
}

/// Lists users from this address. Returns status and type of the problem, if there is one.
async fn read(api: &Api, token: &str, source: &str) -> (u16, Value) {
    let holder = api.with_token(token).from(source);
    let mut response = holder.call("GET", "/v1/users", Value::Null).await;
    (response.status, response.body["type"].take())
}

fn problem(status: u16, name: &str) -> (u16, Value) {
    (status, json!(format!("/problems/{name}")))
}

const ALLOWED: &str = "203.0.113.7";
const OTHER: &str = "203.0.113.8";

#[tokio::test]
async fn invalid_list_is_rejected_with_every_entry() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let (id, _) = limited(&api, &json!({})).await;
    let path = format!("/v1/credentials/{id}");
    for (list, pointers) in [
        (json!("203.0.113.7"), vec!["/allowed_ips"]),
        (json!({}), vec!["/allowed_ips"]),
        (json!(vec!["203.0.113.7"; 21]), vec!["/allowed_ips"]),
        (
            json!([
                "203.0.113.7",
                "203.0.113",
                7,
                "203.0.113.0/33",
                "2001:db8::/129",
                "localhost",
                ""
            ]),
            vec![
                "/allowed_ips/1",
                "/allowed_ips/2",
                "/allowed_ips/3",
                "/allowed_ips/4",
                "/allowed_ips/5",
                "/allowed_ips/6",
            ],
        ),
    ] {
        let body = json!({"description": "", "scopes": ["users:read"], "allowed_ips": list});
        let mut expected = pointers.clone();
        expected.push("/description");
        let refused: Response = api.call("POST", "/v1/credentials", body).await;
        assert_eq!(refused.pointers(), expected, "{list}");
        let refused = api.call("PATCH", &path, json!({"allowed_ips": list})).await;
        assert_eq!(refused.pointers(), pointers, "{list}");
    }
    let many: Vec<String> = (1..=20).map(|n| format!("2001:db8::{n:x}")).collect();
    let changed = api.call("PATCH", &path, json!({"allowed_ips": many})).await;
    assert_eq!(changed.expect(200)["allowed_ips"], json!(many));
}

#[tokio::test]
async fn other_address_is_refused_before_the_scope_and_after_the_token() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let denied = problem(403, "address-not-allowed");
    let unknown = problem(401, "unauthorized");
    let (_, token) = limited(&api, &json!({"scopes": ["webhooks:read"]})).await;
    assert_eq!(read(&api, &token, ALLOWED).await, problem(403, "forbidden"));
    assert_eq!(read(&api, &token, OTHER).await, denied);

    // A client with a token that has ended does not learn from where it could be used.
    let (revoked, token) = limited(&api, &json!({})).await;
    assert_eq!(read(&api, &token, OTHER).await, denied);
    let path = format!("/v1/credentials/{revoked}/revoke");
    api.call("POST", &path, Value::Null).await.expect(200);
    assert_eq!(read(&api, &token, OTHER).await, unknown);
    assert_eq!(read(&api, &token, ALLOWED).await, unknown);
    let ends = json!({"expires_at": "2026-02-01T00:00:00Z"});
    let (_, token) = limited(&api.at(day(0)), &ends).await;
    let after = api.at("2026-02-01T00:00:00Z".parse().expect("a time"));
    assert_eq!(read(&after, &token, OTHER).await, unknown);
    let user = json!({"name": "Ana"});
    let user = api.call("POST", "/v1/users", user).await.field(201, "id");
    let (_, token) = limited(&api, &json!({"user_id": user})).await;
    assert_eq!(read(&api, &token, ALLOWED).await.0, 200);
    let inactive = json!({"active": false});
    let path = format!("/v1/users/{user}");
    api.call("PATCH", &path, inactive).await.expect(200);
    assert_eq!(read(&api, &token, OTHER).await, unknown);
}

#[tokio::test]
async fn refused_address_changes_nothing_but_the_audit_log() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let (id, token) = limited(&api, &json!({"scopes": ["users:write"]})).await;
    let holder = api.with_token(&token).from(OTHER);
    for _ in 0..3 {
        let refused = holder
            .call("POST", "/v1/users", json!({"name": "Eve"}))
            .await;
        refused.problem(403);
    }
    let users = api.call("GET", "/v1/users?name=Eve", Value::Null).await;
    assert_eq!(users.expect(200)["data"], json!([]));
    let path = format!("/v1/credentials/{id}");
    let unused = api.call("GET", &path, Value::Null).await.expect(200);
    assert_eq!(unused["last_used_at"], Value::Null);
    let path = format!("/v1/audit?resource={id}&action=token.refused");
    let entries = api.call("GET", &path, Value::Null).await.expect(200);
    assert_eq!(entries["data"].as_array().map(Vec::len), Some(1));
    assert!(!entries.to_string().contains(OTHER), "{entries}");
}

#[tokio::test]
async fn rotated_tokens_are_limited_to_the_same_addresses() {
    let (api, _) = Api::of_admin(&Fake::default(), day(0)).await;
    let (id, old) = limited(&api, &json!({})).await;
    let path = format!("/v1/credentials/{id}/rotate");
    let rotated = api
        .call("POST", &path, json!({"overlap_seconds": 60}))
        .await;
    let new = rotated.field(200, "token");
    for token in [&old, &new] {
        assert_eq!(read(&api, token, ALLOWED).await.0, 200);
        assert_eq!(
            read(&api, token, OTHER).await,
            problem(403, "address-not-allowed")
        );
    }
    let me = api.with_token(&new).from(ALLOWED);
    let me = me.call("GET", "/v1/me", Value::Null).await.expect(200);
    assert_eq!(me["credential"]["allowed_ips"], json!([ALLOWED]));
}
