//! Settings: validation, limits and what is shown.

use secrecy::ExposeSecret;

use super::*;

#[test]
fn defaults_match_the_contract() {
    let shown = Value::Object(settings(&json!({})).expect("valid").to_map());
    assert_eq!(
        shown,
        json!({
            "name": "CRM", "url": "https://example.com/hook", "service_id": null, "path": null, "events": ["message"],
            "conditions": null,
            "enabled": true, "method": "POST", "format": "json", "body": null, "headers": {},
            "auth": {"type": "none"}, "secrets": {}, "signing": {"type": "standard"},
            "retry": {"type": "fixed", "interval_seconds": 1800, "duration_seconds": 86400},
            "timeout_seconds": 15, "success": "2xx-3xx", "rate_limit_per_second": null,
            "success_when": null, "delay_seconds": null, "unless": null, "labels": [],
        })
    );
}

#[test]
fn settings_round_trip_without_showing_secrets() {
    let full = with(&json!({
        "url": "https://api.example.com/bot123:AbCdEf/send?key={secret.k}", "service_id": null, "path": null,
        "method": "PUT", "format": "xml",
        "body": "<a>{x}</a>", "headers": {"x-api-token": "hush-hush", "x-tenant": "7"},
        "auth": {"type": "basic", "username": "u", "password": "password-of-length"},
        "secrets": {"k": "0123456789abcdefghij", "short": "short"}, "signing": {"type": "header", "name": "x-secret"},
        "retry": {"type": "custom", "delays_seconds": [1, 2]}, "timeout_seconds": 3, "success": "2xx",
        "rate_limit_per_second": 5, "enabled": false, "events": ["insight.*", "*"],
        "conditions": {"field": "a.b", "op": "eq", "value": 1}, "labels": ["support", "night"],
        "success_when": {"field": "body.ok", "op": "eq", "value": true},
        "delay_seconds": 1800, "unless": {"events": ["ticket.*", "chat"], "key": "ticket.\"the id\""},
    }));
    let stored = Settings::restore(full.clone()).expect("valid");
    let mut repeated = full.clone();
    repeated["events"] = json!(["insight.*", "*", "insight.*"]);
    repeated["labels"] = json!(["support", "night", "support"]);
    let (parsed, _) = Settings::parse(repeated, &AllowList::default()).expect("valid");
    for settings in [stored, parsed] {
        assert_eq!(Value::Object(settings.to_map()), full);
    }
}

#[test]
fn authentication_is_a_header() {
    let authorization = |value: &str| Some(("authorization".to_owned(), value.to_owned()));
    for (auth, header) in [
        (json!({"type": "none"}), None),
        (
            json!({"type": "basic", "username": "u", "password": "p"}),
            authorization("Basic dTpw"),
        ),
        (
            json!({"type": "bearer", "token": "0123456789abcdefghij"}),
            authorization("Bearer 0123456789abcdefghij"),
        ),
        (
            json!({"type": "api_key", "header": "x-key", "value": "0123456789abcdefghij"}),
            Some(("x-key".to_owned(), "0123456789abcdefghij".to_owned())),
        ),
    ] {
        let parsed = settings(&json!({"auth": auth})).expect("valid").auth;
        assert_eq!(parsed.to_value(), auth);
        let sent = parsed
            .header()
            .map(|(name, value)| (name.to_string(), value.expose_secret().to_owned()));
        assert_eq!(sent, header);
        let name = parsed.header_name().map(|name| name.to_string());
        assert_eq!(name, header.map(|(name, _)| name));
    }
}

#[test]
fn all_invalid_fields_are_reported() {
    let wrong = json!({
        "name": "", "url": "http://10.0.0.1/", "events": [], "conditions": {"field": "a"}, "enabled": "yes",
        "method": "TRACE", "format": "yaml", "headers": {"Host": "x", "X-A": "1", "x-a": "2"}, "auth": {"type": "basic"},
        "secrets": {"a b": "x"}, "secret": "short", "signing": {"type": "x"}, "retry": {"type": "none", "x": 1},
        "timeout_seconds": 31, "success": "all", "rate_limit_per_second": 0, "colour": "red",
    });
    let problems = Settings::parse(wrong, &AllowList::default())
        .expect_err("all invalid")
        .0;
    let mut pointers: Vec<&str> = problems
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    pointers.sort_unstable();
    pointers.dedup();
    assert_eq!(
        pointers,
        [
            "/auth/password",
            "/auth/username",
            "/colour",
            "/conditions/op",
            "/enabled",
            "/events",
            "/format",
            "/headers/Host",
            "/method",
            "/name",
            "/rate_limit_per_second",
            "/retry/x",
            "/secret",
            "/secrets/a b",
            "/signing/type",
            "/success",
            "/timeout_seconds",
            "/url",
        ]
    );
}

#[test]
fn secrets_in_templates_must_exist() {
    let mut naming = json!({
        "url": "https://example.com/{secret.a}", "body": "{\"k\": {secret.b}, \"d\": {secret_d}}",
        "headers": {"x-k": "{secret.c}", "x-e": "{secret.e}"}, "secrets": {"c": "x"},
    });
    let errors = |change: &Value| -> Vec<(String, String)> {
        let errors = settings(change).expect_err("missing secrets").0;
        let pairs = errors
            .into_iter()
            .map(|error| (error.pointer, error.detail));
        pairs.collect()
    };
    let undefined = |field: &str, name: &str| {
        let detail = format!("uses `{{secret.{name}}}`, which is not defined in `secrets`");
        (field.to_owned(), detail)
    };
    let [a, b, e] = [("/url", "a"), ("/body", "b"), ("/headers", "e")]
        .map(|(field, name)| undefined(field, name));
    assert_eq!(errors(&naming), [a, b.clone(), e.clone()]);
    naming["url"] = Value::Null;
    naming["service_id"] = json!("svc_01J0000000000000000000000S");
    naming["path"] = json!("/{secret.a}");
    assert_eq!(errors(&naming), [undefined("/path", "a"), b, e]);
}

#[test]
fn stored_settings_always_load() {
    let mut saved =
        settings(&json!({"secrets": {"a": "x"}, "headers": {"x-a": "{secret.a}"}})).expect("valid");
    saved.secrets = crate::webhook::named_secrets::Secrets::default();
    saved.auth = Auth::ApiKey {
        header: http::HeaderName::from_static("x-a"),
        value: "k".into(),
    };
    let document = Value::Object(saved.to_map());
    assert!(Settings::parse(document.clone(), &AllowList::default()).is_err());
    let read = Settings::restore(document.clone()).expect("readable");
    assert_eq!(Value::Object(read.to_map()), document);
}

#[test]
fn header_has_one_source() {
    let api_key = |header: &str| json!({"type": "api_key", "header": header, "value": "k"});
    let signing = |name: &str| json!({"type": "header", "name": name});
    for (change, pointers) in [
        (
            json!({"auth": api_key("X-A"), "signing": signing("x-b"), "headers": {"X-C": "1"}}),
            vec![],
        ),
        (
            json!({"auth": api_key("X-A"), "signing": signing("x-a")}),
            vec!["/signing/name"],
        ),
        (
            json!({"auth": api_key("x-a"), "headers": {"X-A": "1", "x-b": "2"}}),
            vec!["/headers/X-A"],
        ),
        (
            json!({"signing": signing("X-S"), "headers": {"x-s": "1"}}),
            vec!["/headers/x-s"],
        ),
        (
            json!({"auth": {"type": "basic", "username": "u", "password": "p"}, "headers": {"Authorization": "x"}}),
            vec!["/headers/Authorization"],
        ),
        (
            json!({"headers": {"Tieline-Hops": "0"}}),
            vec!["/headers/Tieline-Hops"],
        ),
        (json!({"auth": api_key("tieline-x")}), vec!["/auth/header"]),
    ] {
        assert_eq!(pointers_of(&change), pointers, "{change}");
    }
    let account = http::HeaderName::from_static("x-a");
    for (change, pointers) in [
        (
            json!({"signing": signing("x-b"), "headers": {"x-c": "1"}}),
            vec![],
        ),
        (json!({"signing": signing("x-a")}), vec!["/signing/name"]),
        (
            json!({"headers": {"X-A": "1", "x-b": "2"}}),
            vec!["/headers/x-a"],
        ),
    ] {
        let checked = settings(&change).expect("valid").check_account(&account);
        let found = checked.err().map_or_else(Vec::new, super::pointers);
        assert_eq!(found, pointers, "{change}");
    }
}

#[test]
fn credentials_have_limits() {
    let basic = |username: &str, password: &str| json!({"auth": {"type": "basic", "username": username, "password": password}});
    let api_key =
        |value: &str| json!({"auth": {"type": "api_key", "header": "x-key", "value": value}});
    let bearer = |token: &str| json!({"auth": {"type": "bearer", "token": token}});
    let secret = |name: &str, value: &str| json!({"secrets": {name: value}});
    let long = |length: usize| "é".repeat(length);
    let to_service = |auth: Value| json!({"url": null, "service_id": "svc_01J0000000000000000000000S", "path": "/", "auth": auth});
    let (name, overlong) = ("n".repeat(64), "n".repeat(65));
    for (change, pointers) in [
        (basic(&long(1000), &long(1000)), vec![]),
        (basic("u", ""), vec![]),
        (basic("", "p"), vec!["/auth/username"]),
        (
            basic(&long(1001), &long(1001)),
            vec!["/auth/username", "/auth/password"],
        ),
        (api_key(&"k".repeat(4096)), vec![]),
        (api_key(&"k".repeat(4097)), vec!["/auth/value"]),
        (api_key(""), vec!["/auth/value"]),
        (api_key("é"), vec!["/auth/value"]),
        (basic("u", "\n"), vec!["/auth/password"]),
        (bearer(&"t".repeat(4089)), vec![]),
        (bearer(&"t".repeat(4090)), vec!["/auth/token"]),
        (bearer("a b"), vec!["/auth/token"]),
        (bearer("a\tb"), vec!["/auth/token"]),
        (to_service(json!({"type": "none"})), vec![]),
        (
            to_service(json!({"type": "bearer", "token": "t"})),
            vec!["/auth"],
        ),
        (json!({"url": "https://example.com/•••"}), vec!["/url"]),
        (
            json!({"headers": {"x-token": "•••"}}),
            vec!["/headers/x-token"],
        ),
        (json!({"auth": {"type": "key"}}), vec!["/auth/type"]),
        (secret(&name, &"v".repeat(4096)), vec![]),
        (secret("a_B-9", "v"), vec![]),
        (
            secret(&overlong, "v"),
            vec![&format!("/secrets/{overlong}")],
        ),
        (secret("", "v"), vec!["/secrets/"]),
        (secret("a.b", "v"), vec!["/secrets/a.b"]),
        (secret("a", &"v".repeat(4097)), vec!["/secrets/a"]),
        (secret("a", ""), vec!["/secrets/a"]),
    ] {
        assert_eq!(pointers_of(&change), pointers);
    }
}

#[test]
fn oversized_settings_are_reported_at_largest_field() {
    // Each of these characters takes six in JSON.
    let secrets = |count: usize| -> Value {
        let names = (0..count).map(|index| format!("s{index}"));
        names
            .map(|name| (name, json!("\u{1}".repeat(4096))))
            .collect()
    };
    let padded = |length: usize| json!({"secrets": secrets(7), "body": format!("\"{}\"", "x".repeat(length))});
    let short = settings(&padded(0)).expect("valid").to_map();
    let length = 196_608
        - short
            .values()
            .map(|value| value.to_string().len())
            .sum::<usize>();
    let large = json!({"field": "a", "op": "eq", "value": "x".repeat(16 * 1024)});
    for (change, pointers) in [
        (padded(length), vec![]),
        (padded(length + 1), vec!["/secrets"]),
        (json!({"secrets": secrets(20)}), vec!["/secrets"]),
        (json!({"conditions": large}), vec!["/conditions"]),
    ] {
        assert_eq!(pointers_of(&change), pointers);
    }
}

#[test]
fn success_includes_redirects_unless_excluded() {
    for (success, accepted) in [
        ("2xx", vec![200, 299]),
        ("2xx-3xx", vec![200, 299, 300, 399]),
    ] {
        let settings = settings(&json!({"success": success})).expect("valid");
        let mut codes = vec![199, 200, 299, 300, 399, 400];
        codes.retain(|code| settings.success.accepts(*code));
        assert_eq!(codes, accepted, "{success}");
    }
}

#[test]
fn blank_secrets_are_rejected_but_stored_ones_load() {
    for (change, pointers) in [
        (
            json!({"auth": {"type": "api_key", "header": "x-key", "value": "   "}}),
            vec!["/auth/value"],
        ),
        (
            json!({"auth": {"type": "basic", "username": "u", "password": " \u{a0}"}}),
            vec!["/auth/password"],
        ),
        (
            json!({"secrets": {"a": "  "}, "headers": {"x-key": " "}}),
            vec!["/secrets/a", "/headers/x-key"],
        ),
    ] {
        assert_eq!(pointers_of(&change), pointers);
        assert!(Settings::restore(with(&change)).is_ok(), "{change}");
    }
    assert!(settings(&json!({"auth": {"type": "basic", "username": "u", "password": ""}})).is_ok());
}
