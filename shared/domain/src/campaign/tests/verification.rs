//! Verification of the callbacks of imported providers.

use super::*;

fn of_twilio() -> Value {
    let mut bundle = bundle();
    bundle["providers"][0]["callback"] = json!({
        "id_pointer": "/id", "status_pointer": "/s", "statuses": {"ok": "sent"},
        "verification": {"type": "twilio"},
    });
    bundle
}

fn secrets(verification_secret: Option<&str>) -> Value {
    let keys =
        json!({"api_key": "k", "secret_key": "s", "verification_secret": verification_secret});
    json!({"secrets": {"Text": keys}})
}

#[test]
fn secret_of_the_verification_is_supplied_separately() {
    for (verification, field) in [
        (json!({"type": "twilio"}), "secret"),
        (json!({"type": "basic", "username": "u"}), "password"),
        (json!({"type": "header", "name": "x-token"}), "value"),
    ] {
        for (secret, status) in [
            (Some("secret-of-twilio"), provider::Status::Active),
            (None, provider::Status::NeedsSecrets),
        ] {
            let mut bundle = of_twilio();
            bundle["providers"][0]["callback"]["verification"] = verification.clone();
            let plan = import(&bundle, &secrets(secret))
                .expect("valid")
                .plan(&Existing::default(), new_ids())
                .expect("a plan");
            let settings = &plan.providers[0].1;
            assert_eq!(settings.status(), status, "{verification}");
            let mut expected = verification.clone();
            if let Some(secret) = secret {
                expected[field] = json!(secret);
            }
            assert_eq!(settings.to_map()["callback"]["verification"], expected);
        }
    }
}

#[test]
fn misplaced_verification_secret_is_rejected() {
    let mut inside = of_twilio();
    inside["providers"][0]["callback"]["verification"]["secret"] = json!("secret-of-twilio");
    let mut plain = of_twilio();
    plain["providers"][0]["callback"]["verification"] = Value::Null;
    for (bundle, secret, pointer) in [
        (
            inside,
            None,
            "/bundle/providers/0/callback/verification/secret",
        ),
        (
            plain,
            Some("secret-of-twilio"),
            "/bundle/providers/0/callback",
        ),
        (bundle(), Some("secret"), "/bundle/providers/0/callback"),
        (
            of_twilio(),
            Some("short"),
            "/bundle/providers/0/callback/verification/secret",
        ),
    ] {
        let refused = import(&bundle, &secrets(secret)).expect_err("misplaced");
        assert_eq!(pointers(refused), [pointer], "{bundle}");
    }
}
