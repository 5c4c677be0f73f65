//! Settings of a provider's callback URL.

use super::*;

fn callback(verification: &Value) -> Value {
    json!({"callback": {
        "id_pointer": "/id", "status_pointer": "/s", "statuses": {"ok": "sent"},
        "verification": verification,
    }})
}

fn types() -> [(Value, &'static str); 9] {
    let named = |name: &str| json!({"type": name, "secret": "secret-of-a-sender"});
    [
        (
            json!({"type": "standard_webhooks", "secret": "a-secret-of-24-characters"}),
            "secret",
        ),
        (named("github"), "secret"),
        (named("stripe"), "secret"),
        (named("slack"), "secret"),
        (named("shopify"), "secret"),
        (named("twilio"), "secret"),
        (
            json!({
                "type": "hmac", "secret": "secret-of-a-sender", "header": "x-sig", "algorithm": "sha1",
                "encoding": "base64", "prefix": "v=",
            }),
            "secret",
        ),
        (
            json!({"type": "basic", "username": "u", "password": "secret-of-a-sender"}),
            "password",
        ),
        (
            json!({"type": "header", "name": "x-token", "value": "secret-of-a-sender"}),
            "value",
        ),
    ]
}

#[test]
fn verification_is_stored_and_kept_by_a_patch_without_it() {
    for (verification, field) in types() {
        let first = settings(&callback(&verification)).expect("valid");
        let written = Value::Object(first.to_map());
        assert_eq!(written["callback"]["verification"], verification);
        let again = Settings::restore(written.clone()).expect("stored");
        assert_eq!(Value::Object(again.to_map()), written);
        let kept = first.base(&json!({"callback": {"id_pointer": "/other"}}));
        assert_eq!(kept["callback"]["verification"], verification);
        let same = json!({"callback": {"verification": {"type": verification["type"]}}});
        assert_eq!(first.base(&same)["callback"]["verification"], verification);
        let other = json!({"callback": {"verification": {"type": "none"}}});
        assert_eq!(
            first.base(&other)["callback"]["verification"],
            Value::Null,
            "another type replaces it"
        );

        let secret = verification[field].as_str().expect("a secret");
        let public = first.callback.as_ref().expect("a callback").public();
        assert!(!format!("{first:?}{public}").contains(secret), "{public}");
        let redactor = Redactor::new(provider(&callback(&verification)).secrets());
        assert!(!redactor.whole(&format!("<{secret}>")).contains(secret));
    }
}

#[test]
fn nothing_is_stored_without_a_verification() {
    for verification in [Value::Null, json!({"type": "none"})] {
        let settings = settings(&callback(&verification)).expect("valid");
        let written = Value::Object(settings.to_map());
        assert_eq!(written["callback"].get("verification"), None);
    }
}

#[test]
fn invalid_verification_is_rejected_with_every_field() {
    for (verification, expected) in [
        (
            json!({"type": "twilio"}),
            vec!["/callback/verification/secret"],
        ),
        (
            json!({"type": "twilio", "secret": "short"}),
            vec!["/callback/verification/secret"],
        ),
        (
            json!({"type": "twilio", "secret": "YOUR_AUTH_TOKEN"}),
            vec!["/callback/verification/secret"],
        ),
        (
            json!({"type": "header", "value": "YOUR_VALUE", "name": " "}),
            vec!["/callback/verification/name"],
        ),
        (
            json!({"type": "hmac", "extra": 1}),
            vec![
                "/callback/verification/secret",
                "/callback/verification/header",
                "/callback/verification/extra",
            ],
        ),
        (json!({"type": "x"}), vec!["/callback/verification/type"]),
        (json!({}), vec!["/callback/verification/type"]),
        (json!("twilio"), vec!["/callback/verification"]),
    ] {
        let mut change = callback(&verification);
        change["name"] = json!("");
        let mut expected = expected;
        expected.insert(0, "/name");
        assert_eq!(
            pointers(settings(&change).expect_err("invalid")),
            expected,
            "{verification}"
        );
    }
}

#[test]
fn provider_imported_without_its_verification_secret_needs_secrets() {
    for (mut verification, field) in types() {
        let secret = verification
            .as_object_mut()
            .expect("an object")
            .remove(field);
        let change = callback(&verification);
        assert_eq!(
            pointers(settings(&change).expect_err("a secret is missing")),
            [format!("/callback/verification/{field}")]
        );
        let parse = |change: &Value, keys| {
            Settings::parse(document(change), &AllowList::default(), keys).expect("valid")
        };
        let imported = parse(&change, KeyPolicy::Optional);
        assert_eq!(imported.status(), Status::NeedsSecrets);
        let stored = Settings::restore(Value::Object(imported.to_map())).expect("stored");
        let written = &stored.to_map()["callback"]["verification"];
        assert_eq!(*written, verification, "no secret is made up");

        let request = crate::inbound::Request {
            method: &http::Method::POST,
            url: CALLBACK,
            headers: &HeaderMap::new(),
            body: b"{}",
        };
        assert_eq!(
            stored.verification().verify(&request, at(0)),
            Err(crate::inbound::VerifyError::NoSecret)
        );
        verification[field] = secret.expect("a secret");
        let complete = parse(&callback(&verification), stored.keys());
        assert_eq!(complete.status(), Status::Active);
    }
}

fn inbound() -> Value {
    json!({
        "when": {"field": "SmsStatus", "op": "eq", "value": "received"}, "from_pointer": "/From",
        "to_pointer": "/To", "text_pointer": "/Body", "id_pointer": "/a~1b", "media_pointer": "/m/0",
        "from_name_pointer": "/n",
    })
}

#[test]
fn inbound_settings_round_trip() {
    for inbound in [inbound(), json!({}), json!({"from_pointer": "/From"})] {
        let first = settings(&json!({"inbound": inbound})).expect("valid");
        assert!(first.has_callback_url());
        let written = Value::Object(first.to_map());
        assert_eq!(written["inbound"], inbound);
        let again = Settings::restore(written.clone()).expect("stored");
        assert_eq!(Value::Object(again.to_map()), written);
    }
    let none = settings(&json!({})).expect("valid");
    assert!(!none.has_callback_url());
    assert!(!none.to_map().contains_key("inbound"), "nothing is stored");

    let first = settings(&json!({"inbound": inbound()})).expect("valid");
    let other = json!({"inbound": {"when": {"not": {"field": "x", "op": "exists"}}}});
    let base = first.base(&other);
    assert_eq!(base["inbound"]["when"], Value::Null);
    assert_eq!(base["inbound"]["from_pointer"], "/From");
    assert_eq!(first.base(&json!({}))["inbound"], inbound());
}

#[test]
fn invalid_inbound_settings_are_rejected_with_every_field() {
    for (inbound, expected) in [
        (json!([]), vec!["/inbound"]),
        (
            json!({
                "when": {"field": "x", "op": "is"}, "from_pointer": "From", "to_pointer": 1, "text_pointer": "/~2",
                "id_pointer": "", "media_pointer": {}, "from_name_pointer": "/\n", "text": "/Body",
            }),
            vec![
                "/inbound/when/op",
                "/inbound/from_pointer",
                "/inbound/to_pointer",
                "/inbound/text_pointer",
                "/inbound/id_pointer",
                "/inbound/media_pointer",
                "/inbound/from_name_pointer",
                "/inbound/text",
            ],
        ),
        (
            json!({"when": {"field": "secret.x", "op": "exists"}}),
            vec!["/inbound/when/field"],
        ),
    ] {
        let problems = settings(&json!({"inbound": inbound})).expect_err("invalid");
        assert_eq!(pointers(problems), expected, "{inbound}");
    }
}

#[test]
fn callback_without_reports_requires_inbound() {
    let verification = json!({"type": "header", "name": "x-token", "value": "a-token-of-8"});
    let mut only = json!({"callback": {"verification": verification}});
    assert_eq!(
        pointers(settings(&only).expect_err("nothing to read")),
        ["/callback"]
    );
    for verification in [verification, json!({"type": "none"})] {
        only["callback"]["verification"] = verification.clone();
        only["inbound"] = json!({});
        let first = settings(&only).expect("valid");
        let written = Value::Object(first.to_map());
        assert_eq!(written["callback"], json!({"verification": verification}));
        let stored = Settings::restore(written).expect("stored");
        assert!(stored.callback.expect("a callback").mapping.is_none());
    }
    // What a PATCH leaves that removes the verification or the pointers.
    for callback in [json!({}), json!({"recording_pointer": null})] {
        only["callback"] = callback.clone();
        let first = settings(&only).expect("valid");
        assert!(first.callback.is_none(), "{callback}");
        assert_eq!(first.to_map()["callback"], Value::Null);
        only["callback"]["verification"] = json!({"type": "none"});
        assert!(settings(&only).expect("valid").callback.is_some());
    }
    let unknown = json!({"callback": {"x": 1}, "inbound": {}});
    let problems = settings(&unknown).expect_err("unknown");
    assert_eq!(pointers(problems), ["/callback/x"]);
    for (callback, inbound) in [
        (json!({}), Value::Null),
        (
            json!({"statuses": {}, "verification": {"type": "none"}}),
            json!({}),
        ),
    ] {
        let problems = settings(&json!({"callback": callback, "inbound": inbound}));
        let pointers = pointers(problems.expect_err("incomplete"));
        let expected = ["/callback/id_pointer", "/callback/status_pointer"];
        assert!(
            pointers.starts_with(&expected.map(str::to_owned)),
            "{pointers:?}"
        );
    }
}
