mod credentials;
mod data;
mod repeats;
mod timed_vectors;
mod vectors;

use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::validation::ValidationErrors;

/// Owns the data that a [`Request`] borrows.
struct Call {
    url: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Call {
    fn new(headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let pair = |(name, value): &(&str, &str)| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            (
                name,
                HeaderValue::from_bytes(value.as_bytes()).expect("a header value"),
            )
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers.iter().map(pair) {
            map.append(name, value);
        }
        Self {
            url: "https://h.example/in/key".to_owned(),
            headers: map,
            body: body.as_ref().to_vec(),
        }
    }

    fn to(self, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..self
        }
    }

    fn request(&self) -> Request<'_> {
        Request {
            method: &Method::POST,
            url: &self.url,
            headers: &self.headers,
            body: &self.body,
        }
    }

    fn verified(&self, verification: &Verification, now: i64) -> Result<(), VerifyError> {
        verification.verify(&self.request(), at(now))
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a time")
}

/// Loaded as stored: third parties' own vectors have keys that are too short today.
fn verification(value: Value) -> Verification {
    Verification::restore(value).expect("a verification")
}

fn with_secret(kind: &str, secret: &str) -> Verification {
    verification(json!({"type": kind, "secret": secret}))
}

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// One of each kind.
fn each() -> Vec<Value> {
    let mut all: Vec<Value> = ["github", "stripe", "slack", "shopify", "twilio"]
        .map(|kind| json!({"type": kind, "secret": "0123456789abcdef"}))
        .into();
    all.extend([
        json!({"type": "none"}),
        json!({"type": "standard_webhooks", "secret": WHSEC}),
        json!({"type": "hmac", "secret": "0123456789abcdef", "header": "x-sig", "algorithm": "sha512", "encoding": "base64",
            "prefix": "v1="}),
        json!({"type": "basic", "username": "u", "password": "0123456789abcdef"}),
        json!({"type": "header", "name": "x-secret", "value": "0123456789abcdef"}),
    ]);
    all
}

#[test]
fn verifications_round_trip_without_showing_secrets() {
    for written in each() {
        let parsed = Verification::parse(written.clone()).expect("a verification");
        assert_eq!(verification(written.clone()).to_value(), written);
        assert_eq!(parsed.to_value(), written);
        let debug = format!("{parsed:?}");
        for secret in ["0123456789abcdef", WHSEC] {
            assert!(!debug.contains(secret), "{debug}");
        }
    }
    let defaults =
        verification(json!({"type": "hmac", "secret": "x", "header": "X-Sig"})).to_value();
    assert_eq!(
        defaults,
        json!({"type": "hmac", "secret": "x", "header": "x-sig", "algorithm": "sha256", "encoding": "hex", "prefix": ""})
    );
}

#[test]
fn all_invalid_fields_are_reported() {
    for (wrong, expected) in [
        (json!({}), vec!["/type"]),
        (json!({"type": "magic"}), vec!["/type"]),
        (json!({"type": "none", "secret": "x"}), vec!["/secret"]),
        (json!({"type": "github"}), vec!["/secret"]),
        (json!({"type": "github", "secret": ""}), vec!["/secret"]),
        (
            json!({"type": "github", "secret": "        "}),
            vec!["/secret"],
        ),
        (
            json!({"type": "shopify", "secret": "\u{a0}\u{2003}       "}),
            vec!["/secret"],
        ),
        (
            json!({"type": "slack", "secret": "1234567"}),
            vec!["/secret"],
        ),
        (
            json!({"type": "stripe", "secret": format!(" {WHSEC}")}),
            vec!["/secret"],
        ),
        (
            json!({"type": "standard_webhooks", "secret": format!("v1,{WHSEC}")}),
            vec!["/secret"],
        ),
        (
            json!({"type": "standard_webhooks", "secret": " ".repeat(24)}),
            vec!["/secret"],
        ),
        (
            json!({"type": "stripe", "secret": format!("{WHSEC} ")}),
            vec!["/secret"],
        ),
        (
            json!({"type": "github", "secret": "secret123 "}),
            vec!["/secret"],
        ),
        (
            json!({"type": "hmac", "secret": " ".repeat(8), "header": "x"}),
            vec!["/secret"],
        ),
        (
            json!({"type": "basic", "username": "u", "password": "   "}),
            vec!["/password"],
        ),
        (
            json!({"type": "header", "name": "x", "value": "   "}),
            vec!["/value"],
        ),
        (
            json!({"type": "header", "name": "x", "value": "secret "}),
            vec!["/value"],
        ),
        (
            json!({"type": "stripe", "secret": 1, "x": 1}),
            vec!["/secret", "/x"],
        ),
        (
            json!({"type": "standard_webhooks", "secret": "short"}),
            vec!["/secret"],
        ),
        (
            json!({"type": "hmac", "header": "a b", "algorithm": "md5", "encoding": "binary", "prefix": "\n"}),
            vec!["/secret", "/header", "/algorithm", "/encoding", "/prefix"],
        ),
        (
            json!({"type": "basic", "username": "a:b", "password": ""}),
            vec!["/username", "/password"],
        ),
        (
            json!({"type": "header", "name": "", "value": "é"}),
            vec!["/name", "/value"],
        ),
    ] {
        let ValidationErrors(problems) = Verification::parse(wrong.clone()).expect_err("invalid");
        let pointers: Vec<&str> = problems
            .iter()
            .map(|problem| problem.pointer.as_str())
            .collect();
        assert_eq!(pointers, expected, "{wrong}");
    }
}

#[test]
fn passwords_and_header_values_may_be_short() {
    for right in [
        json!({"type": "github", "secret": "12345678"}),
        json!({"type": "hmac", "secret": "chosen by its user ", "header": "x"}),
        json!({"type": "basic", "username": "u", "password": "x "}),
        json!({"type": "header", "name": "x-secret", "value": "x"}),
    ] {
        assert!(Verification::parse(right.clone()).is_ok(), "{right}");
    }
    for saved in [
        json!({"type": "github", "secret": "12345678 "}),
        json!({"type": "basic", "username": "u", "password": " "}),
        json!({"type": "header", "name": "x-secret", "value": " "}),
    ] {
        assert!(Verification::restore(saved.clone()).is_ok(), "{saved}");
    }
}

#[test]
fn hops_are_counted_up_to_three() {
    let hops = |values: &[&str]| {
        hops(
            &Call::new(
                &values
                    .iter()
                    .map(|value| ("tieline-hops", *value))
                    .collect::<Vec<_>>(),
                "",
            )
            .headers,
        )
    };
    for (values, expected) in [
        (&[][..], Ok(0)),
        (&["0"], Ok(0)),
        (&["1"], Ok(1)),
        (&["2"], Ok(2)),
        (&["1", "2"], Ok(2)),
        (&["2", "1"], Ok(2)),
        (&["3"], Err(Loop)),
        (&["1", "3"], Err(Loop)),
        (&["255"], Err(Loop)),
        (&["256"], Err(Loop)),
        (&["99999999999999999999"], Err(Loop)),
        (&["-1"], Err(Loop)),
        (&["1, 2"], Err(Loop)),
        (&[""], Err(Loop)),
        (&["x"], Err(Loop)),
        (&["é"], Err(Loop)),
    ] {
        assert_eq!(hops(values), expected, "{values:?}");
    }
}

#[test]
fn only_slack_challenges_get_a_response() {
    let body = |kind: &str, challenge: Value| {
        json!({"token": "t", "type": kind, "challenge": challenge}).to_string()
    };
    let longest = "x".repeat(1024);
    let asks = body("url_verification", json!(longest));
    let slack = with_secret("slack", "x");
    assert_eq!(slack.challenge(asks.as_bytes()), Some(longest));
    assert_eq!(with_secret("github", "x").challenge(asks.as_bytes()), None);
    for other in [
        body("event_callback", json!("x")),
        body("url_verification", json!(1)),
        body("url_verification", json!("a\nb")),
        body("url_verification", json!("x".repeat(1025))),
        String::new(),
        "payload=x".to_owned(),
    ] {
        assert_eq!(slack.challenge(other.as_bytes()), None, "{other}");
    }
}

proptest! {
    #[test]
    fn no_request_panics(
        names in proptest::collection::vec(prop_oneof![
            Just("stripe-signature"), Just("webhook-id"), Just("webhook-timestamp"), Just("webhook-signature"),
            Just("x-slack-signature"), Just("x-slack-request-timestamp"), Just("x-hub-signature-256"), Just("x-sig"),
            Just("x-shopify-hmac-sha256"), Just("x-twilio-signature"), Just("authorization"), Just("x-secret"),
            Just("content-type"), Just("tieline-hops"), Just("idempotency-key"),
        ], 0..6),
        values in proptest::collection::vec(prop_oneof![
            "[ -~]{0,40}", "-?[0-9]{0,25}", "v1,[A-Za-z0-9+/=]{0,50}", "t=-?[0-9]{0,22},v1=[0-9a-f]{0,70}",
            "(v0|sha256)=[0-9a-f]{0,70}", "Basic [A-Za-z0-9+/=]{0,20}", "application/(json|x-www-form-urlencoded)",
            "[^\\x00-\\x1f\\x7f]{0,10}",
        ], 6),
        url in prop_oneof!["https://h.example(:[0-9]{0,3})?/\\?bodySHA256=[0-9a-f]{0,64}", ".{0,40}"],
        body in prop_oneof![proptest::collection::vec(any::<u8>(), 0..60), "[\\[\\]{}\":,a-z0-9]{0,60}".prop_map(String::into_bytes)],
        now in Timestamp::MIN.as_second()..Timestamp::MAX.as_second(),
    ) {
        let pairs: Vec<(&str, &str)> = names.iter().copied().zip(values.iter().map(String::as_str)).collect();
        let call = Call::new(&pairs, body).to(&url);
        let receiver = data::receiver(&json!({"type": "none"}));
        for kind in each() {
            let verification = verification(kind);
            let verdict = call.verified(&verification, now);
            prop_assert!(matches!(verification, Verification::None) || verdict.is_err());
            let _ = verification.delivery_keys(&call.request());
            let _ = verification.challenge(&call.body);
        }
        let _ = hops(&call.headers);
        let data = received(&receiver, &call.request());
        let text = Value::Object(data.clone()).to_string();
        prop_assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), Value::Object(data));
    }
}
