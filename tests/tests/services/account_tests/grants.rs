//! The password grant and the ID token.

use serde_json::{Value, json};
use tests::receiver::{Receiver, Reply};

use super::{Fixture, bearers, form};
use crate::oauth::token;

#[tokio::test]
async fn password_grant_sends_the_user_and_the_id_token() {
    let tokens = json!({"access_token": "not this", "id_token": "i.d.t", "expires_in": 3600});
    let issuer = Receiver::replying([Reply::status(200).body(tokens.to_string())]);
    let of_user = json!({
        "grant_type": "password", "username": "ana", "password": "password-0123456789",
        "token_type": "id_token",
    });
    let fixture = Fixture::oauth2(issuer, &of_user).await;
    fixture.send().await.expect(200);
    assert_eq!(bearers(&fixture.server), ["Bearer i.d.t"]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        form(&fixture.issuer.only().await),
        [
            pair("grant_type", "password"),
            pair("username", "ana"),
            pair("password", "password-0123456789")
        ]
    );

    let path = format!("/v1/accounts/{}", fixture.account);
    let shown = fixture.api.call("GET", &path, Value::Null).await;
    assert!(
        !shown.text.contains("password-0123456789"),
        "{}",
        shown.text
    );
    let shown = &shown.expect(200)["authorization"];
    assert_eq!(
        (
            &shown["grant_type"],
            &shown["username"],
            &shown["token_type"]
        ),
        (&json!("password"), &json!("ana"), &json!("id_token"))
    );
    assert_eq!(
        (&shown["password_hint"], shown.get("password")),
        (&json!("6789"), None)
    );
    let table = format!("{:?}", fixture.fake.state().table.items());
    assert!(!table.contains("password-0123456789"));
}

#[tokio::test]
async fn password_stays_with_the_origin_of_the_token_url() {
    let of_user = json!({"grant_type": "password", "username": "ana", "password": "password"});
    let fixture = Fixture::oauth2(Receiver::replying([token("first")]), &of_user).await;
    let elsewhere = Receiver::replying([token("second")]);
    let moved = elsewhere.url_of("/token");
    assert_eq!(
        fixture.patch(json!({"token_url": moved})).await.pointers(),
        ["/authorization/client_secret", "/authorization/password"]
    );
    let secrets = json!({"token_url": moved, "client_secret": "s", "password": "p"});
    fixture.patch(secrets).await.expect(200);
    // Fields of another grant type are dropped with it, and rejected where they are given.
    let replaced = json!({"grant_type": "client_credentials"});
    let changed = fixture.patch(replaced).await.expect(200);
    assert_eq!(changed["authorization"].get("username"), None);
    for (authorization, pointers) in [
        (json!({"password": "p"}), vec!["/authorization/password"]),
        (
            json!({"token_type": "jwt"}),
            vec!["/authorization/token_type"],
        ),
        (
            json!({"grant_type": "password"}),
            vec!["/authorization/password", "/authorization/username"],
        ),
    ] {
        assert_eq!(fixture.patch(authorization).await.pointers(), pointers);
    }
}
