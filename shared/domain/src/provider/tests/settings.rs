use super::*;
use crate::account;

const ACCOUNT: &str = "acct_01J0000000000000000000000A";

#[test]
fn defaults_match_the_contract() {
    let shown = Value::Object(settings(&json!({})).expect("valid").to_map());
    let expected = json!({
        "name": "SMS gateway", "provider_id": "gw-1", "channel": "sms", "send_url": "https://gw.example.com/send",
        "api_key": KEYS[0], "secret_key": KEYS[1], "default": false, "from": null, "auth": {"type": "signed"},
        "request": null, "response": null, "callback": null,
    });
    assert_eq!(shown, expected);
}

#[test]
fn settings_round_trip_without_showing_secrets() {
    let first = settings(&json!({
        "channel": "call", "default": true, "send_url": "https://gw.example.com/bot123:AbC/{secret.api_key}",
        "auth": {"type": "header", "name": "X-Key"},
        "request": {
            "method": "PUT", "format": "form", "headers": {"x-token": "hush", "x-tenant": "{message.metadata.tenant}"},
            "body": "a={message.twiml}",
        },
        "response": {"id_pointer": "/a~1b/0"},
        "callback": {
            "id_pointer": "/id", "status_pointer": "/s", "statuses": {"done": "delivered"}, "recording_pointer": "/r",
        },
    }))
    .expect("valid");
    let written = Value::Object(first.to_map());
    let again = Settings::restore(written.clone()).expect("valid");
    assert_eq!(Value::Object(again.to_map()), written);
    assert_eq!(
        Settings::parse(first.base(&json!({})), &AllowList::default(), first.keys())
            .expect("valid")
            .name,
        "SMS gateway"
    );
    let debug = format!("{first:?}");
    for secret in [KEYS[0], KEYS[1], "hush", "bot123"] {
        assert!(!debug.contains(secret), "{secret}: {debug}");
    }
    assert_eq!(
        first.base(&json!({"auth": {"type": "basic"}}))["auth"],
        Value::Null
    );
    assert_eq!(
        first.base(&json!({"auth": {"name": "x-other"}}))["auth"]["type"],
        "header"
    );
}

#[test]
fn header_of_the_account_is_rejected() {
    let auth = json!({"type": "account", "account_id": ACCOUNT});
    let headers = json!({"authorization": "x", "x-tenant": "7"});
    let one = settings(&json!({"auth": auth, "request": {"headers": headers}})).expect("valid");
    assert_eq!(one.auth.to_value(), auth);
    for (authorization, refused) in [
        (json!({"type": "none"}), None),
        (
            json!({"type": "header", "name": "X-Tenant", "value": "0123456789"}),
            Some("/request/headers/x-tenant"),
        ),
        (
            json!({"type": "header", "name": "X-Key", "value": "0123456789"}),
            None,
        ),
        (
            json!({
                "type": "oauth2", "grant_type": "client_credentials", "client_id": "us",
                "client_secret": "hush", "token_url": "https://login.example.com/",
            }),
            Some("/request/headers/authorization"),
        ),
    ] {
        let document = json!({"name": "CRM", "authorization": authorization});
        let account = account::Settings::parse(document, &AllowList::default()).expect("valid");
        let checked = one.check_account(&account.authorization).map_err(pointers);
        let expected = refused.map_or(Ok(()), |pointer| Err(vec![pointer.to_owned()]));
        assert_eq!(checked, expected, "{authorization}");
    }
}

#[test]
fn blank_keys_are_rejected_but_stored_ones_load() {
    let blank = json!({"api_key": "   ", "secret_key": " ", "auth": {"type": "basic"}});
    assert_eq!(
        pointers(settings(&blank).expect_err("blank")),
        ["/api_key", "/secret_key"]
    );
    assert!(Settings::restore(document(&blank)).is_ok());
}

#[test]
fn all_invalid_fields_are_reported() {
    let wrong = json!({
        "name": "", "provider_id": 1, "channel": "fax", "send_url": "http://10.0.0.1/", "api_key": "é", "secret_key": "",
        "default": "yes", "auth": {"type": "digest"}, "request": {"method": "TRACE", "x": 1},
        "response": {"id_pointer": "sid"}, "colour": "red",
    });
    assert_eq!(
        pointers(settings(&wrong).expect_err("invalid")),
        [
            "/name",
            "/provider_id",
            "/channel",
            "/send_url",
            "/auth/type",
            "/request/method",
            "/request/x",
            "/api_key",
            "/secret_key",
            "/default",
            "/response/id_pointer",
            "/colour",
        ]
    );
    for (change, pointer) in [
        (json!({"api_key": null}), "/api_key"),
        (json!({"secret_key": null}), "/secret_key"),
        (
            json!({"secret_key": null, "auth": {"type": "basic"}}),
            "/secret_key",
        ),
        (
            json!({"secret_key": null, "auth": {"type": "bearer"}, "request": {"body": "[{secret.secret_key}]"}}),
            "/secret_key",
        ),
        (json!({"secret_key": "whsec_short"}), "/secret_key"),
        (
            json!({"api_key": "a:b", "auth": {"type": "basic"}}),
            "/api_key",
        ),
        (
            json!({"api_key": null, "auth": {"type": "none"}, "request": {"body": "[{secret.api_key}]"}}),
            "/api_key",
        ),
        (json!({"auth": {"type": "none", "name": "x"}}), "/auth/name"),
        (
            json!({"fallback_provider_id": "gw"}),
            "/fallback_provider_id",
        ),
        (json!({"auth": {"type": "account"}}), "/auth/account_id"),
        (
            json!({"auth": {"type": "account", "account_id": "svc_01J0000000000000000000000S"}}),
            "/auth/account_id",
        ),
        (
            json!({"api_key": null, "auth": {"type": "account", "account_id": ACCOUNT}, "request": {"body": "[{secret.api_key}]"}}),
            "/api_key",
        ),
        (
            json!({"send_url": "https://gw.example.com/•••"}),
            "/send_url",
        ),
        (json!({"send_url": "https://{message.to}/"}), "/send_url"),
        (
            json!({"send_url": "https://gw.example.com/{to}"}),
            "/send_url",
        ),
        (
            json!({"send_url": "https://gw.example.com/{secret.token}"}),
            "/send_url",
        ),
        (
            json!({"request": {"body": "{\"a\": {call.to}}"}}),
            "/request/body",
        ),
        (
            json!({"request": {"body": "{\"a\": {message.metadatax}}"}}),
            "/request/body",
        ),
        (
            json!({"request": {"body": "{\"a\": {campaign.description}}"}}),
            "/request/body",
        ),
        (json!({"request": {"body": "{"}}), "/request/body"),
        (json!({"request": {"format": "xml"}}), "/request/body"),
        (
            json!({"request": {"headers": {"X-Api-Key": "x"}}}),
            "/request/headers/X-Api-Key",
        ),
        (
            json!({"request": {"headers": {"x-a": "{event.id}"}}}),
            "/request/headers/x-a",
        ),
        (
            json!({"request": {"headers": {"webhook-id": "x"}}}),
            "/request/headers/webhook-id",
        ),
        (
            json!({"auth": {"type": "header", "name": "Host"}}),
            "/auth/name",
        ),
        (
            json!({"callback": {"id_pointer": "/a", "status_pointer": "/b"}}),
            "/callback/statuses",
        ),
        (
            json!({"callback": {"id_pointer": "/a", "status_pointer": "/b", "statuses": {"x": "seen"}}}),
            "/callback/statuses/x",
        ),
        (
            json!({"callback": {"id_pointer": "/a", "status_pointer": "/b", "statuses": {}, "recording_pointer": "/r"}}),
            "/callback/recording_pointer",
        ),
    ] {
        assert_eq!(
            pointers(settings(&change).expect_err("invalid")),
            [pointer],
            "{change}"
        );
    }
}

#[test]
fn error_names_the_missing_secrets() {
    let signed = json!({
        "id_pointer": "/a", "status_pointer": "/b", "statuses": {"done": "sent"},
        "verification": {"type": "twilio"},
    });
    for (change, missing) in [
        (json!({"secret_key": null}), "`secret_key`"),
        (
            json!({"api_key": null, "secret_key": null, "auth": {"type": "basic"}}),
            "`api_key`, `secret_key`",
        ),
        (
            json!({"callback": signed}),
            "the secret of `callback.verification`",
        ),
    ] {
        let settings = Settings::parse(
            document(&change),
            &AllowList::default(),
            KeyPolicy::Optional,
        );
        let one = Provider::new(ProviderId::new(at(0), 1), settings.expect("valid"), at(0));
        let error = choose(None, Channel::Sms, std::slice::from_ref(&one)).expect_err("no secrets");
        assert_eq!(
            error.0[0].detail,
            format!("can't send, because it lacks {missing}")
        );
    }
}

#[test]
fn provider_without_keys_needs_secrets() {
    for (change, status) in [
        (
            json!({"api_key": null, "secret_key": null}),
            Status::NeedsSecrets,
        ),
        (json!({"secret_key": null}), Status::NeedsSecrets),
        (
            json!({"secret_key": null, "auth": {"type": "bearer"}}),
            Status::Active,
        ),
        (
            json!({"api_key": null, "secret_key": null, "auth": {"type": "none"}}),
            Status::Active,
        ),
        (
            json!({"api_key": null, "secret_key": null, "auth": {"type": "account", "account_id": ACCOUNT}}),
            Status::Active,
        ),
        (
            json!({"api_key": null, "auth": {"type": "none"}, "send_url": "https://gw.example.com/{secret.api_key}"}),
            Status::NeedsSecrets,
        ),
        (
            json!({"secret_key": null, "auth": {"type": "bearer"}, "send_url": "https://gw.example.com/{secret.secret_key}"}),
            Status::NeedsSecrets,
        ),
        (json!({}), Status::Active),
    ] {
        let settings = Settings::parse(
            document(&change),
            &AllowList::default(),
            KeyPolicy::Optional,
        )
        .expect("valid");
        assert_eq!(settings.status(), status, "{change}");
        assert_eq!(
            settings.keys() == KeyPolicy::Optional,
            status == Status::NeedsSecrets
        );
        let one = Provider::new(ProviderId::new(at(0), 1), settings, at(0));
        assert_eq!(
            choose(None, Channel::Sms, std::slice::from_ref(&one)).is_ok(),
            status == Status::Active
        );
        assert_eq!(
            request::build(&one, &sms("x"), None, at(0)).is_ok(),
            status == Status::Active,
            "{change}"
        );
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(
                "(type|name|body|headers|format|id_pointer|statuses|[a-z]{1,3})",
                inner,
                0..4
            )
            .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn parse_accepts_any_document(
        field in "(name|provider_id|channel|send_url|api_key|secret_key|default|auth|request|response|callback)",
        value in any_json(), text in "(https://h.example/)?\\PC{0,40}",
    ) {
        for value in [value, Value::from(text)] {
            if let Ok(settings) = settings(&json!({field.clone(): value})) {
                let written = Value::Object(settings.to_map());
                prop_assert!(Settings::restore(written).is_ok());
            }
        }
    }
}
