//! OAuth 2.0 clients.

use super::*;
use crate::account::oauth2::TokenType;

#[test]
fn fields_of_another_grant_name_their_own() {
    let given = oauth2(&json!({"refresh_token": "r", "username": "u"}));
    let details: Vec<String> = settings(&given)
        .expect_err("invalid")
        .0
        .into_iter()
        .map(|invalid| invalid.detail)
        .collect();
    assert_eq!(
        details,
        [
            "is only allowed with the `grant_type` `refresh_token`",
            "is only allowed with the `grant_type` `password`"
        ]
    );
}

#[test]
fn moved_token_url_requires_its_secrets() {
    let of_user = json!({"grant_type": "password", "username": "u", "password": "p"});
    let refreshing = json!({"grant_type": "refresh_token", "refresh_token": "r"});
    let token_url = "https://id.example.org/token";
    for (grant, authorization, missing) in [
        (
            &of_user,
            json!({"token_url": token_url}),
            vec!["/authorization/client_secret", "/authorization/password"],
        ),
        (
            &of_user,
            json!({"token_url": token_url, "client_secret": "s", "username": "v"}),
            vec!["/authorization/password"],
        ),
        (
            &of_user,
            json!({"token_url": token_url, "client_secret": "s", "password": "q"}),
            vec![],
        ),
        (
            &of_user,
            json!({"token_url": "https://id.example.com/v2", "username": "v"}),
            vec![],
        ),
        (
            &refreshing,
            json!({"token_url": token_url, "client_secret": "s"}),
            vec!["/authorization/refresh_token"],
        ),
    ] {
        let before = settings(&oauth2(grant)).expect("valid");
        let account = |settings| {
            Account::new(
                AccountId::from_ulid(ulid::Ulid::nil()),
                settings,
                jiff::Timestamp::UNIX_EPOCH,
            )
        };
        let mut changed = oauth2(grant);
        changed["token_url"] = authorization["token_url"].clone();
        let after = account(settings(&changed).expect("valid"));
        let patch = json!({"authorization": authorization});
        let patched = after.patched(&account(before), &patch);
        assert_eq!(
            patched.err().map(pointers).unwrap_or_default(),
            missing,
            "{patch}"
        );
    }
}

#[test]
fn settings_stored_before_a_field_existed_keep_their_tokens() {
    let stored = json!({
        "name": "CRM", "authorization": {
            "type": "oauth2", "grant_type": "client_credentials", "token_url": "https://id.example.com/token",
            "client_id": "client", "client_secret": "secret", "scope": null, "audience": null,
            "client_auth": "header",
        },
    });
    let fingerprint = |document: &Value| match Settings::restore(document.clone())
        .expect("valid")
        .authorization
    {
        Authorization::OAuth2(oauth2) => (oauth2.token_type, oauth2.fingerprint()),
        other => panic!("{other:?}"),
    };
    let (token_type, first) = fingerprint(&stored);
    assert_eq!(token_type, TokenType::AccessToken);
    assert_eq!(first, "XHwxyzhB_IVy4PK4_1YSd9qCgEN8y0Vo8-0xFhjLc8g");
    let mut other = stored.clone();
    other["authorization"]["token_type"] = json!("id_token");
    let (token_type, second) = fingerprint(&other);
    assert_eq!(token_type, TokenType::IdToken);
    assert_ne!(second, first, "an access token is no ID token");
}

#[test]
fn token_requests_follow_the_rfc() {
    let request = |change| match settings(&oauth2(&change)).expect("valid").authorization {
        Authorization::OAuth2(oauth2) => oauth2.token_request(None),
        other => panic!("{other:?}"),
    };
    let plain = request(json!({}));
    let basic = plain.authorization.expect("basic authentication");
    // base64 of tie%3Aline:a+secret%2Fof+size
    assert_eq!(
        basic.expose_secret(),
        "Basic dGllJTNBbGluZTphK3NlY3JldCUyRm9mK3NpemU="
    );
    assert_eq!(plain.form.expose_secret(), "grant_type=client_credentials");
    let full = request(json!({
        "grant_type": "refresh_token", "refresh_token": "r&x", "scope": "a b", "audience": "https://api",
        "client_auth": "body",
    }));
    assert!(full.authorization.is_none());
    assert_eq!(
        full.form.expose_secret(),
        "grant_type=refresh_token&refresh_token=r%26x&scope=a+b&audience=https%3A%2F%2Fapi&client_id=tie%3Aline\
         &client_secret=a+secret%2Fof+size"
    );
    let of_user = request(json!({
        "grant_type": "password", "username": "ana:1@example.com", "password": " p&x", "scope": "a",
    }));
    assert!(of_user.authorization.is_some());
    assert_eq!(
        of_user.form.expose_secret(),
        "grant_type=password&username=ana%3A1%40example.com&password=+p%26x&scope=a"
    );
}

#[test]
fn token_url_may_use_allowed_targets() {
    let document = json!({"name": "a", "authorization": oauth2(&json!({"token_url": "http://127.0.0.1:9001/token"}))});
    assert!(Settings::parse(document.clone(), &AllowList::default()).is_err());
    assert!(
        Settings::parse(
            document.clone(),
            &"127.0.0.1:9001".parse().expect("allow-list")
        )
        .is_ok()
    );
    assert!(Settings::restore(document).is_ok());
}
