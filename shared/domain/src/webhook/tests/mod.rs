mod preview;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{request, *};
use crate::{
    delivery::CancelledUntil,
    egress_policy::AllowList,
    event::Event,
    id::EventId,
    pattern::EventType,
    secrets::Reveal,
    template::{RenderError, UrlTemplate},
    validation::ValidationErrors,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time of this century")
}

fn minimal() -> Value {
    json!({"name": "CRM", "url": "https://example.com/hook", "events": ["message"]})
}

fn with(change: &Value) -> Value {
    let mut document = minimal();
    document
        .as_object_mut()
        .expect("object")
        .extend(change.as_object().expect("object").clone());
    document
}

fn settings(change: &Value) -> Result<Settings, ValidationErrors> {
    Settings::parse(with(change), &AllowList::default()).map(|(settings, _)| settings)
}

fn webhook(change: &Value) -> Webhook {
    let secret = SigningSecret::parse(SECRET).expect("a secret");
    Webhook::new(
        WebhookId::new(at(0), 1),
        settings(change).expect("valid settings"),
        secret,
        at(0),
    )
}

fn event(data: Value) -> Event {
    let kind = EventType::parse("message").expect("an event type");
    Event {
        id: EventId::new(at(0), 2),
        kind,
        timestamp: at(0),
        data,
        hops: 0,
    }
}

fn address(webhook: &Webhook) -> UrlTemplate {
    webhook
        .settings
        .destination
        .address(None)
        .expect("a URL")
        .into_owned()
}

fn built(
    webhook: &Webhook,
    event: &Event,
    now: Timestamp,
) -> Result<crate::outgoing::Request, RenderError> {
    request::build(webhook, &address(webhook), event, now)
}

#[test]
fn defaults_match_the_contract() {
    let shown = Value::Object(settings(&json!({})).expect("valid").to_map(Reveal::Hints));
    assert_eq!(
        shown,
        json!({
            "name": "CRM", "url": "https://example.com/hook", "service_id": null, "path": null, "events": ["message"],
            "conditions": null,
            "enabled": true, "method": "POST", "format": "json", "body": null, "headers": {},
            "auth": {"type": "none"}, "secrets_hint": {}, "signing": {"type": "standard"},
            "retry": {"type": "fixed", "interval_seconds": 1800, "duration_seconds": 86400},
            "timeout_seconds": 15, "success": "2xx-3xx", "rate_limit_per_second": null,
        })
    );
}

#[test]
fn settings_round_trip_without_showing_secrets() {
    let full = json!({
        "url": "https://api.example.com/bot123:AbCdEf/send?key={secret.k}", "method": "PUT", "format": "xml",
        "body": "<a>{x}</a>", "headers": {"x-api-token": "hush-hush", "x-tenant": "7"},
        "auth": {"type": "basic", "username": "u", "password": "password-of-length"},
        "secrets": {"k": "0123456789abcdefghij", "short": "short"}, "signing": {"type": "header", "name": "x-secret"},
        "retry": {"type": "custom", "delays_seconds": [1, 2]}, "timeout_seconds": 3, "success": "2xx",
        "rate_limit_per_second": 5, "enabled": false, "events": ["insight.*", "*"],
        "conditions": {"field": "a.b", "op": "eq", "value": 1},
    });
    let first = settings(&full).expect("valid");
    let written = Value::Object(first.to_map(Reveal::Full));
    let again = Settings::restore(written.clone()).expect("valid");
    assert_eq!(Value::Object(again.to_map(Reveal::Full)), written);
    let shown = Value::Object(first.to_map(Reveal::Hints));
    assert_eq!(
        shown["url"],
        "https://api.example.com/•••/send?key={secret.k}"
    );
    assert_eq!(
        shown["headers"],
        json!({"x-api-token": "•••", "x-tenant": "7"})
    );
    assert_eq!(
        shown["auth"],
        json!({"type": "basic", "username": "u", "password_hint": "ngth"})
    );
    assert_eq!(shown["secrets_hint"], json!({"k": "ghij", "short": null}));
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
    let naming = json!({
        "url": "https://example.com/{secret.a}", "body": "{\"k\": {secret.b}, \"d\": {secret_d}}",
        "headers": {"x-k": "{secret.c}"}, "secrets": {"c": "x"},
    });
    let problems = settings(&naming).expect_err("two are missing").0;
    let pointers: Vec<&str> = problems
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    assert_eq!(pointers, ["/url", "/body"]);
}

#[test]
fn stored_settings_always_load() {
    let mut saved =
        settings(&json!({"secrets": {"a": "x"}, "headers": {"x-a": "{secret.a}"}})).expect("valid");
    saved.secrets = settings::Secrets::default();
    saved.auth = Auth::ApiKey {
        header: http::HeaderName::from_static("x-a"),
        value: "k".into(),
    };
    let document = Value::Object(saved.to_map(Reveal::Full));
    assert!(Settings::parse(document.clone(), &AllowList::default()).is_err());
    let read = Settings::restore(document.clone()).expect("readable");
    assert_eq!(Value::Object(read.to_map(Reveal::Full)), document);
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
}

#[test]
fn credentials_have_limits() {
    let basic = |username: &str, password: &str| json!({"auth": {"type": "basic", "username": username, "password": password}});
    let api_key =
        |value: &str| json!({"auth": {"type": "api_key", "header": "x-key", "value": value}});
    let long = |length: usize| "é".repeat(length);
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
    ] {
        assert_eq!(pointers_of(&change), pointers);
    }
}

#[test]
fn oversized_settings_are_reported_at_largest_field() {
    let secrets = |value: &str| -> Value {
        (0..20)
            .map(|index| (format!("s{index}"), json!(value.repeat(4096 / value.len()))))
            .collect()
    };
    assert_eq!(
        pointers_of(
            &json!({"secrets": secrets("x"), "body": format!("\"{}\"", "x".repeat(32_000))})
        ),
        [""; 0]
    );
    // Each of these characters takes six in JSON.
    assert_eq!(
        pointers_of(&json!({"secrets": secrets("\u{1}")})),
        ["/secrets"]
    );
    let large = json!({"field": "a", "op": "eq", "value": "x".repeat(16 * 1024)});
    assert_eq!(pointers_of(&json!({"conditions": large})), ["/conditions"]);
}

#[test]
fn numbers_are_sent_unchanged() {
    for (number, written) in [
        ("31.245270191439438", "31.245270191439438"),
        ("121.48791951161945", "121.48791951161945"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("5e-324", "5e-324"),
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1.0", "1.0"),
    ] {
        let data: Value = serde_json::from_str(&format!("{{\"n\": {number}}}")).expect("JSON");
        let sent = built(&webhook(&json!({})), &event(data), at(0))
            .expect("a request")
            .body
            .expect("a body");
        assert!(
            sent.contains(&format!("{{\"n\":{written}}}")),
            "{number}: {sent}"
        );
    }
}

fn pointers_of(change: &Value) -> Vec<String> {
    settings(change)
        .err()
        .into_iter()
        .flat_map(|problems| problems.0)
        .map(|problem| problem.pointer)
        .collect()
}

#[test]
fn masks_are_rejected() {
    for change in [
        json!({"url": "https://example.com/•••"}),
        json!({"headers": {"x-token": "•••"}}),
    ] {
        assert!(settings(&change).is_err(), "{change}");
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

#[test]
fn request_is_signed_and_verifiable() {
    let webhook = webhook(&json!({
        "auth": {"type": "api_key", "header": "x-key", "value": "k-1"}, "headers": {"x-id": "{event.id}"},
    }));
    let event = event(json!({"text": "hi"}));
    let now = Timestamp::from_second(
        i64::try_from(
            std::time::UNIX_EPOCH
                .elapsed()
                .expect("a clock after 1970")
                .as_secs(),
        )
        .expect("seconds"),
    )
    .expect("now");
    let request = built(&webhook, &event, now).expect("a request");
    let body = request.body.as_deref().expect("a body");
    assert_eq!(
        serde_json::from_str::<Value>(body).expect("JSON")["data"],
        json!({"text": "hi"})
    );
    assert_eq!(request.headers["x-key"], "k-1");
    assert_eq!(request.headers["x-id"], event.id.to_string());
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers[crate::outgoing::HOPS_HEADER], "1");
    let verifier = standardwebhooks::Webhook::new(SECRET).expect("a verifier");
    verifier
        .verify(body.as_bytes(), &request.headers)
        .expect("a valid signature");
}

#[test]
fn get_has_no_body_without_a_template() {
    let now = at(0);
    let bare =
        built(&webhook(&json!({"method": "GET"})), &event(json!({})), now).expect("a request");
    assert_eq!((bare.body, bare.headers.get("content-type")), (None, None));
    let written = webhook(&json!({"method": "GET", "body": "{\"a\": {b}}"}));
    let request = built(&written, &event(json!({"b": [1]})), now).expect("a request");
    assert_eq!(request.body.as_deref(), Some("{\"a\": [1]}"));
}

#[test]
fn old_secret_signs_until_its_overlap_ends() {
    let secrets = SigningSecrets::only(SigningSecret::parse(SECRET).expect("a secret"));
    let fresh = SigningSecret::generated([7; 32]);
    let rotated = secrets
        .clone()
        .rotated(fresh.clone(), SignedDuration::from_secs(60), at(0))
        .expect("rotated");
    assert_eq!(
        rotated
            .at(at(59))
            .iter()
            .map(|secret| secret.expose())
            .collect::<Vec<_>>(),
        [fresh.expose(), SECRET]
    );
    assert_eq!(rotated.at(at(60)).len(), 1);
    assert_eq!(
        secrets
            .rotated(fresh, SignedDuration::ZERO, at(0))
            .expect("rotated")
            .at(at(0))
            .len(),
        1
    );
}

#[test]
fn rotated_secrets_keep_their_own_overlaps() {
    let secret = |n: u8| SigningSecret::generated([n; 32]);
    let rotate = |secrets: SigningSecrets, n: u8, overlap: i64, now: i64| {
        secrets.rotated(secret(n), SignedDuration::from_secs(overlap), at(now))
    };
    let signing = |secrets: &SigningSecrets, now: i64| {
        let texts: Vec<String> = secrets
            .at(at(now))
            .iter()
            .map(|secret| secret.expose().to_owned())
            .collect();
        texts
    };
    let expected = |numbers: &[u8]| {
        numbers
            .iter()
            .map(|n| secret(*n).expose().to_owned())
            .collect::<Vec<_>>()
    };
    let first = SigningSecrets::only(secret(0));
    let second = rotate(first, 1, 100, 0).expect("a first rotation");
    let third = rotate(second, 2, 10, 1).expect("a second rotation");
    let fourth = rotate(third, 3, 50, 2).expect("a third rotation");
    assert_eq!(signing(&fourth, 2), expected(&[3, 2, 1, 0]));
    assert_eq!(signing(&fourth, 11), expected(&[3, 2, 0]));
    assert_eq!(signing(&fourth, 99), expected(&[3, 0]));
    assert_eq!(
        rotate(fourth.clone(), 4, 1, 3).map(|_| ()),
        Err(TooManyOverlaps(at(11)))
    );
    // Without an overlap, or after the first one ended, another rotation is possible.
    assert_eq!(
        signing(&rotate(fourth.clone(), 4, 0, 3).expect("rotated"), 3),
        expected(&[4])
    );
    assert_eq!(
        signing(&rotate(fourth, 4, 60, 11).expect("rotated"), 60),
        expected(&[4, 3, 0])
    );
}

#[test]
fn late_warning_is_listed_at_its_creation() {
    let webhook = webhook(&json!({}));
    let health = Health {
        failing_since: at(0),
        warned: false,
        hangs: false,
    };
    let hours = |hours: i64| at(hours * 3_600);
    for (noticed, listed) in [
        (hours(24), hours(24)),
        (hours(8 * 24), hours(24)),
        (hours(8 * 24 + 30), hours(208)),
    ] {
        let event = webhook.failing_event(&health, noticed);
        assert_eq!(
            (event.id.made_at(), event.timestamp),
            (listed, hours(24)),
            "{noticed}"
        );
        let hour_later = webhook.failing_event(&health, noticed + SignedDuration::from_hours(1));
        assert!(
            noticed == hours(8 * 24) || event.id == hour_later.id,
            "{noticed}"
        );
    }
}

#[test]
fn disabling_cancels_queued_deliveries_permanently() {
    let off = |webhook: &Webhook| Settings {
        enabled: false,
        ..webhook.settings.clone()
    };
    let on = |webhook: &Webhook| Settings {
        enabled: true,
        ..webhook.settings.clone()
    };
    let webhook = webhook(&json!({}));
    let stopped = webhook.clone().changed(off(&webhook), at(5));
    let takes = |webhook: &Webhook, queued_at| {
        !CancelledUntil::of(webhook.settings.enabled, webhook.state.stopped_at).includes(queued_at)
    };
    assert!(!takes(&stopped, at(9)));
    let again = stopped.clone().changed(on(&stopped), at(10));
    assert!(!takes(&again, at(5)) && takes(&again, at(6)));
    let gone = again.disabled(DisabledReason::Gone, at(20));
    assert_eq!(
        (gone.settings.enabled, gone.state.disabled_reason),
        (false, Some(DisabledReason::Gone))
    );
    let back = gone.clone().changed(on(&gone), at(30));
    assert_eq!(back.state.disabled_reason, None);
    assert_eq!(back.state.version, 5);
}

#[test]
fn values_cannot_leave_the_service_url() {
    let webhook = webhook(&json!({
        "url": null, "service_id": "svc_01J0000000000000000000000S", "path": "/users/{id}/{name}?by={name}",
    }));
    let server = "https://h.example/api".parse().expect("a URL");
    let address = webhook
        .settings
        .destination
        .address(Some(&server))
        .expect("an address");
    for (id, name, url) in [
        ("7", "../..", None),
        ("..", "a", None),
        ("a/../b", "a", None),
        ("%2e%2e/", "a", None),
        ("a", "..;x", None),
        ("", "a", None),
        (
            "a/b",
            "x..y\n",
            Some("https://h.example/api/users/a%2Fb/x..y%0A?by=x..y%0A"),
        ),
    ] {
        let event = event(json!({"id": id, "name": name}));
        let built = request::build(&webhook, &address, &event, at(0));
        assert_eq!(
            built.as_ref().ok().map(|request| request.url.as_str()),
            url,
            "{id} {name}"
        );
        assert_eq!(
            request::preview(&webhook, &address, &event).0.is_ok(),
            url.is_some(),
            "{id} {name}"
        );
    }
}
