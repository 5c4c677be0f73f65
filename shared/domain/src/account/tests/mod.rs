mod oauth2;

use serde_json::json;

use super::*;
use crate::secrets::redact::Redactor;

fn settings(authorization: &Value) -> Validated<Settings> {
    Settings::parse(
        json!({"name": "CRM", "authorization": authorization}),
        &AllowList::default(),
    )
}

fn oauth2(change: &Value) -> Value {
    let mut document = json!({
        "type": "oauth2", "grant_type": "client_credentials", "token_url": "https://id.example.com/token?tenant=7",
        "client_id": "tie:line", "client_secret": "a secret/of size",
    });
    document
        .as_object_mut()
        .expect("object")
        .extend(change.as_object().expect("object").clone());
    document
}

fn pointers(problems: ValidationErrors) -> Vec<String> {
    problems
        .0
        .into_iter()
        .map(|invalid| invalid.pointer)
        .collect()
}

#[test]
fn settings_round_trip_without_showing_secrets() {
    let refreshing = oauth2(&json!({
        "grant_type": "refresh_token", "refresh_token": "refresh-0123456789", "scope": "a b:c", "audience": "https://api",
        "client_auth": "body", "token_url": "https://id.example.com/token?key=hush",
    }));
    let mut filled = oauth2(&json!({}));
    filled["scope"] = Value::Null;
    filled["audience"] = Value::Null;
    filled["client_auth"] = json!("header");
    let of_user = oauth2(&json!({
        "grant_type": "password", "username": "ana@example.com", "password": "password-0123456789",
        "scope": null, "audience": null, "client_auth": "header", "token_type": "id_token",
    }));
    let header = json!({"type": "header", "name": "x-api-key", "value": "0123456789abcdef"});
    for (authorization, stored) in [
        (json!({"type": "none"}), json!({"type": "none"})),
        (
            json!({"type": "header", "name": "X-Api-Key", "value": "0123456789abcdef"}),
            header,
        ),
        (oauth2(&json!({})), filled.clone()),
        (oauth2(&json!({"token_type": "access_token"})), filled),
        (of_user.clone(), of_user),
        (refreshing.clone(), refreshing),
    ] {
        let first = settings(&authorization).expect("valid");
        assert_eq!(first.to_map()["authorization"], stored);
        let written = Value::Object(first.to_map());
        let again = Settings::restore(written.clone()).expect("valid");
        assert_eq!(Value::Object(again.to_map()), written);
        let debug = format!("{first:?}");
        for secret in ["0123456789", "a secret/of size", "hush"] {
            assert!(!debug.contains(secret), "{debug}");
        }
    }
}

#[test]
fn all_invalid_fields_are_reported() {
    for (authorization, expected) in [
        (json!({"type": "magic"}), vec!["/authorization/type"]),
        (json!({}), vec!["/authorization/type"]),
        (json!("none"), vec!["/authorization"]),
        (
            json!({"type": "none", "value": "x"}),
            vec!["/authorization/value"],
        ),
        (
            json!({"type": "header", "name": "Host", "value": "a\nb"}),
            vec!["/authorization/name", "/authorization/value"],
        ),
        (
            json!({"type": "header", "name": "a", "value": ""}),
            vec!["/authorization/value"],
        ),
        (
            json!({"type": "oauth2", "client_auth": "query", "scope": "a  b", "audience": "", "colour": 1}),
            vec![
                "/authorization/grant_type",
                "/authorization/token_url",
                "/authorization/client_id",
                "/authorization/client_secret",
                "/authorization/scope",
                "/authorization/audience",
                "/authorization/client_auth",
                "/authorization/colour",
            ],
        ),
        (
            oauth2(
                &json!({"grant_type": "implicit", "username": "u", "password": "", "refresh_token": "r"}),
            ),
            vec!["/authorization/grant_type", "/authorization/password"],
        ),
        (
            oauth2(&json!({"grant_type": "password", "refresh_token": "r"})),
            vec![
                "/authorization/refresh_token",
                "/authorization/username",
                "/authorization/password",
            ],
        ),
        (
            oauth2(
                &json!({"grant_type": "password", "username": "", "password": "p".repeat(4097)}),
            ),
            vec!["/authorization/username", "/authorization/password"],
        ),
        (
            oauth2(
                &json!({"grant_type": "password", "username": "u".repeat(1001), "password": "a\nb"}),
            ),
            vec!["/authorization/username", "/authorization/password"],
        ),
        (
            oauth2(&json!({"username": "u", "password": "p"})),
            vec!["/authorization/username", "/authorization/password"],
        ),
        (
            oauth2(&json!({"grant_type": "refresh_token", "refresh_token": "r", "username": "u"})),
            vec!["/authorization/username"],
        ),
        (
            oauth2(&json!({"token_type": "Bearer"})),
            vec!["/authorization/token_type"],
        ),
        (
            oauth2(&json!({"grant_type": "refresh_token"})),
            vec!["/authorization/refresh_token"],
        ),
        (
            oauth2(&json!({"refresh_token": "x"})),
            vec!["/authorization/refresh_token"],
        ),
        (
            oauth2(&json!({"token_url": "http://id.example.com/"})),
            vec!["/authorization/token_url"],
        ),
        (
            oauth2(&json!({"token_url": "https://10.0.0.1/"})),
            vec!["/authorization/token_url"],
        ),
        (
            oauth2(&json!({"token_url": "https://a:b@id.example.com/"})),
            vec!["/authorization/token_url"],
        ),
        (
            oauth2(&json!({"token_url": "https://id.example.com/#x"})),
            vec!["/authorization/token_url"],
        ),
        (
            oauth2(&json!({"token_url": "https://id.example.com/?key=•••"})),
            vec!["/authorization/token_url"],
        ),
        (
            oauth2(&json!({"scope": "a\"b"})),
            vec!["/authorization/scope"],
        ),
    ] {
        assert_eq!(
            pointers(settings(&authorization).expect_err("invalid")),
            expected,
            "{authorization}"
        );
    }
    let both = Settings::parse(json!({"name": " "}), &AllowList::default()).expect_err("invalid");
    assert_eq!(pointers(both), ["/name", "/authorization"]);
}

#[test]
fn patch_keeps_secrets_and_drops_fields_of_another_kind() {
    let refreshing = oauth2(&json!({"grant_type": "refresh_token", "refresh_token": "r"}));
    let first = settings(&refreshing).expect("valid");
    let base = |authorization: Value| {
        first.base(&json!({"authorization": authorization}))["authorization"].clone()
    };
    assert_eq!(
        first.base(&json!({"name": "x"})),
        Value::Object(first.to_map())
    );
    assert_eq!(
        base(json!({"type": "oauth2", "scope": "x"}))["client_secret"],
        "a secret/of size"
    );
    assert_eq!(base(json!({"type": "header"})), Value::Null);
    let mut other = base(json!({"grant_type": "client_credentials"}));
    assert_eq!(
        (&other["refresh_token"], &other["client_id"]),
        (&Value::Null, &json!("tie:line"))
    );
    other["grant_type"] = json!("client_credentials");
    settings(&other).expect("valid");

    let of_user = json!({"grant_type": "password", "username": "u", "password": "p", "token_type": "id_token"});
    let first = settings(&oauth2(&of_user)).expect("valid");
    let same = first.base(&json!({"authorization": {"grant_type": "password", "username": "v"}}));
    assert_eq!(same, Value::Object(first.to_map()));
    let mut other = first.base(&json!({"authorization": {"grant_type": "refresh_token"}}));
    let kept = &other["authorization"];
    assert_eq!(
        (&kept["username"], &kept["password"], &kept["token_type"]),
        (&Value::Null, &Value::Null, &json!("id_token"))
    );
    other["authorization"]["grant_type"] = json!("refresh_token");
    other["authorization"]["refresh_token"] = json!("r");
    settings(&other["authorization"]).expect("valid");
}

#[test]
fn echoed_secrets_are_masked() {
    let header = json!({"type": "header", "name": "authorization", "value": "Bearer abcdef"});
    let refreshing = oauth2(&json!({"grant_type": "refresh_token", "refresh_token": "refresh-1"}));
    let of_user = json!({"grant_type": "password", "username": "ana.b", "password": "password 1"});
    for (authorization, echo, masked) in [
        (json!({"type": "none"}), "plain", "plain"),
        (
            oauth2(&of_user),
            "ana.b: password 1, username=ana.b&password=password+1",
            "ana.b: •••, username=ana.b&password=•••",
        ),
        (
            header,
            "you sent Bearer abcdef: abcdef is wrong",
            "you sent •••: ••• is wrong",
        ),
        (
            refreshing,
            "a secret/of size, refresh-1, dGllJTNBbGluZTphK3NlY3JldCUyRm9mK3NpemU=, tie:line",
            "•••, •••, •••, tie:line",
        ),
    ] {
        let secrets = settings(&authorization)
            .expect("valid")
            .authorization
            .secrets();
        assert_eq!(Redactor::new(secrets).whole(echo), masked);
    }
}

#[test]
fn authenticating_header_is_known() {
    let name = |authorization| {
        settings(&authorization)
            .expect("valid")
            .authorization
            .header_name()
    };
    assert_eq!(name(json!({"type": "none"})), None);
    assert_eq!(
        name(json!({"type": "header", "name": "X-K", "value": "v"})).expect("name"),
        "x-k"
    );
    assert_eq!(name(oauth2(&json!({}))), Some(AUTHORIZATION));
}

#[test]
fn blank_secrets_are_rejected_but_stored_ones_load() {
    let refreshing =
        json!({"grant_type": "refresh_token", "refresh_token": " ", "client_secret": "   "});
    for (authorization, expected) in [
        (
            json!({"type": "header", "name": "x-key", "value": "   "}),
            vec!["/authorization/value"],
        ),
        (
            oauth2(&json!({"client_secret": " "})),
            vec!["/authorization/client_secret"],
        ),
        (
            oauth2(&json!({"grant_type": "password", "username": "u", "password": "  "})),
            vec!["/authorization/password"],
        ),
        (
            oauth2(&refreshing),
            vec![
                "/authorization/refresh_token",
                "/authorization/client_secret",
            ],
        ),
    ] {
        assert_eq!(
            pointers(settings(&authorization).expect_err("blank")),
            expected
        );
        assert!(Settings::restore(json!({"name": "CRM", "authorization": authorization})).is_ok());
    }
}
