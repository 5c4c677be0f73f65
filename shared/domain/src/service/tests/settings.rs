use super::*;

#[test]
fn defaults_match_the_contract() {
    assert_eq!(
        Value::Object(settings(&json!({})).to_map()),
        json!({
            "name": "CRM", "type": "custom_http", "account_id": ACCOUNT, "server_url": "https://crm.example.com/api/",
            "timeout_seconds": 10, "timeout_message": TIMEOUT_MESSAGE, "user_id": null, "verification": {"type": "none"},
        })
    );
}

#[test]
fn settings_round_trip() {
    let full = json!({
        "type": "custom_http", "server_url": "https://crm.example.com/key:AbC/v1", "timeout_seconds": 25,
        "timeout_message": "Try again\nlater. ", "user_id": USER,
        "verification": {"type": "github", "secret": "0123456789abcdef"},
    });
    let first = settings(&full);
    let written = Value::Object(first.to_map());
    let again = Settings::restore(written.clone()).expect("valid");
    assert_eq!(Value::Object(again.to_map()), written);
    assert_eq!(written["timeout_message"], "Try again\nlater.");
}

#[test]
fn account_is_given_by_id_or_inline() {
    let account = json!({"name": "CRM account", "authorization": {"type": "none"}});
    let (service, account) =
        parse(&json!({"account_id": null, "account": account})).expect("valid");
    assert_eq!(service.account_id.to_string(), NEW_ACCOUNT);
    assert_eq!(account.expect("an account").name, "CRM account");
    assert!(parse(&json!({})).expect("valid").1.is_none());
    let neither = parse(&json!({"account_id": null})).expect_err("no account");
    assert_eq!(pointers(neither), ["/account_id"]);
    let both = parse(&json!({"account": {"name": "x"}})).expect_err("two accounts");
    assert_eq!(pointers(both), ["/account_id", "/account/authorization"]);
}

#[test]
fn all_invalid_fields_are_reported() {
    let wrong = json!({
        "name": "", "type": "telepathy", "account_id": "usr_1", "server_url": "ftp://x", "timeout_seconds": 26,
        "timeout_message": "x".repeat(1001), "user_id": "acct_1", "verification": {"type": "hmac"}, "colour": "red",
    });
    assert_eq!(
        pointers(parse(&wrong).expect_err("all invalid")),
        [
            "/name",
            "/type",
            "/account_id",
            "/server_url",
            "/timeout_seconds",
            "/timeout_message",
            "/user_id",
            "/verification/secret",
            "/verification/header",
            "/colour",
        ]
    );
    for url in [
        "https://crm.example.com/?a=1",
        "https://crm.example.com/#a",
        "https://u@crm.example.com/",
        "https://:p@crm.example.com/",
        "http://crm.example.com/",
        "https://10.0.0.1/",
        "https://localhost/",
        "https://crm.example.com:22/",
        "https://crm.example.com\\@x/",
        "https://crm.example.com/a b",
        "https://crm.example.com/•••",
        "https://crm.example.com/a//b",
        "https://crm.example.com/a%2",
        "https://crm.example.com/a/..%2Fb",
        "crm.example.com",
        "",
    ] {
        assert_eq!(
            pointers(parse(&json!({"server_url": url})).expect_err(url)),
            ["/server_url"],
            "{url}"
        );
    }
}

#[test]
fn patch_replaces_account_and_verification() {
    let first = settings(&json!({"verification": {"type": "github", "secret": "12345678"}}));
    let full = Value::Object(first.to_map());
    assert_eq!(
        first.base(&json!({"name": "x", "verification": {"type": "github"}})),
        full
    );
    assert_eq!(
        first.base(&json!({"account": {"name": "x"}}))["account_id"],
        Value::Null
    );
    assert_eq!(
        first.base(&json!({"verification": {"type": "slack"}}))["verification"],
        Value::Null
    );
}
