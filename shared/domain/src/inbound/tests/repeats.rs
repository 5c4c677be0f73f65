//! Deduplication keys of inbound requests.

use super::*;

const UNSIGNED: [(&str, &str); 5] = [
    ("webhook-id", "msg_1"),
    ("x-github-delivery", "72d3162e"),
    ("x-shopify-webhook-id", "b54557e4"),
    ("i-twilio-idempotency-token", "tok"),
    ("idempotency-key", "k-1"),
];

fn keys(
    verification: &Verification,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Vec<String> {
    verification.delivery_keys(&Call::new(headers, body).request())
}

#[test]
fn signed_id_is_the_only_key() {
    for (kind, headers, body, expected) in [
        (
            json!({"type": "standard_webhooks", "secret": WHSEC}),
            &UNSIGNED[..],
            "a=b",
            "webhook-id:msg_1",
        ),
        (
            json!({"type": "stripe", "secret": "x"}),
            &UNSIGNED[1..],
            r#"{"id": "evt_1"}"#,
            "stripe:evt_1",
        ),
        (
            json!({"type": "stripe", "secret": "x"}),
            &[],
            "\u{feff}{\"id\": \"evt_1\"}",
            "stripe:evt_1",
        ),
        (
            json!({"type": "slack", "secret": "x"}),
            &[],
            r#"{"event_id": "Ev1", "text": "\ud83d"}"#,
            "slack:Ev1",
        ),
    ] {
        assert_eq!(
            keys(&verification(kind), headers, body),
            [expected],
            "{body}"
        );
    }
}

#[test]
fn signed_data_is_a_second_key_without_a_signed_id() {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let plain = ("x-a", "1");
    let (slack, slack_later) = (
        ("x-slack-request-timestamp", "1"),
        ("x-slack-request-timestamp", "2"),
    );
    let (stripe, stripe_later) = (
        ("stripe-signature", "t=1,v1=aa"),
        ("stripe-signature", "t=2,v1=bb"),
    );
    for (kind, named, time, later) in [
        (
            json!({"type": "github", "secret": "x"}),
            "x-github-delivery:72d3162e",
            plain,
            None,
        ),
        (
            json!({"type": "shopify", "secret": "x"}),
            "x-shopify-webhook-id:b54557e4",
            plain,
            None,
        ),
        (
            json!({"type": "twilio", "secret": "x"}),
            "i-twilio-idempotency-token:tok",
            plain,
            None,
        ),
        (
            json!({"type": "hmac", "secret": "x", "header": "x-sig"}),
            "webhook-id:msg_1",
            plain,
            None,
        ),
        (
            json!({"type": "slack", "secret": "x"}),
            "idempotency-key:k-1",
            slack,
            Some(slack_later),
        ),
        (
            json!({"type": "stripe", "secret": "x"}),
            "idempotency-key:k-1",
            stripe,
            Some(stripe_later),
        ),
    ] {
        let verification = verification(kind.clone());
        let signed = keys(&verification, &[form, time], "a=b");
        assert!(
            signed.len() == 1 && signed[0].starts_with("signature:") && signed[0].len() < 60,
            "{signed:?}"
        );
        let all: Vec<_> = [form, time].into_iter().chain(UNSIGNED).collect();
        assert_eq!(
            keys(&verification, &all, "a=b"),
            [named, &signed[0]],
            "{kind}"
        );
        assert_ne!(keys(&verification, &[form, time], "a=c"), signed, "{kind}");
        if let Some(later) = later {
            assert_ne!(keys(&verification, &[form, later], "a=b"), signed, "{kind}");
        }
    }
    // Every valid spelling of a signature gives the same key.
    let stripe = with_secret("stripe", "x");
    let written = |text| keys(&stripe, &[("stripe-signature", text)], "a=b");
    assert_eq!(written("t=1,v1=aa"), written("v0=cc, v1=AA,t=1"));
    // Twilio signs the sorted pairs of a form, and the URL.
    let twilio = with_secret("twilio", "x");
    assert_eq!(
        keys(&twilio, &[form], "a=1&b=2"),
        keys(&twilio, &[form], "b=2&a=1&a=1")
    );
    let call = |url: &str| twilio.delivery_keys(&Call::new(&[form], "a=1").to(url).request());
    assert_ne!(
        call("https://h.example/in/key?a=1"),
        call("https://h.example/in/key?a=2")
    );
    // Invalid IDs.
    for body in [
        "{\"id\": 1}",
        "{\"id\": \"\"}",
        "{\"id\": \"a\\u0000\"}",
        "\"id\"",
        "\u{0}",
    ] {
        let keys = keys(&stripe, &[("stripe-signature", "t=1,v1=aa")], body);
        assert!(
            keys.len() == 1 && keys[0].starts_with("signature:"),
            "{body}"
        );
    }
}

#[test]
fn header_is_the_key_without_a_signature() {
    for kind in [
        json!({"type": "none"}),
        json!({"type": "header", "name": "a", "value": "b"}),
        json!({"type": "basic", "username": "a", "password": "b"}),
    ] {
        let verification = verification(kind);
        for (at, (name, id)) in UNSIGNED.iter().enumerate() {
            assert_eq!(
                keys(&verification, &UNSIGNED[at..], "a=b"),
                [format!("{name}:{id}")]
            );
        }
        let (longest, longer) = ("x".repeat(255), "x".repeat(256));
        assert_eq!(
            keys(&verification, &[("idempotency-key", &longest)], ""),
            [format!("idempotency-key:{longest}")]
        );
        for unfit in ["", " ", "é", longer.as_str()] {
            assert!(
                keys(&verification, &[("idempotency-key", unfit)], "").is_empty(),
                "{unfit}"
            );
        }
        assert!(keys(&verification, &[], "a=b").is_empty());
    }
}
