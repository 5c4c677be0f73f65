//! The event of an inbound request.

use super::*;
use crate::id::ServiceId;

pub(super) fn id() -> ServiceId {
    "svc_01J0000000000000000000000S".parse().expect("an id")
}

pub(super) fn receiver(verification: &Value) -> Receiver {
    Receiver {
        service: id(),
        name: "CRM".to_owned(),
        user: "usr_01J0000000000000000000000A".parse().expect("an id"),
        verification: Verification::restore(verification.clone()).expect("valid"),
    }
}

fn data(call: &Call) -> Value {
    received(&receiver(&json!({"type": "none"})), &call.request()).into()
}

#[test]
fn event_contains_method_query_headers_and_body() {
    let headers = [
        ("Content-Type", "application/json"),
        ("X-Event", "a"),
        ("x-event", "b"),
        ("Authorization", "Bearer x"),
    ];
    let call =
        Call::new(&headers, r#"{"a": [1, null]}"#).to("https://h.example/in/key?b=1&a=x%20y&b=2&c");
    assert_eq!(
        data(&call),
        json!({
            "service_id": id(), "service": "CRM", "user_id": "usr_01J0000000000000000000000A", "method": "POST",
            "query": {"a": "x y", "b": ["1", "2"], "c": ""},
            "headers": {"content-type": "application/json", "x-event": "a, b"},
            "content_type": "application/json", "body": {"a": [1, null]},
        })
    );
}

#[test]
fn bodies_are_parsed_by_content_type() {
    let form = "application/x-www-form-urlencoded";
    let form_1252 = "application/x-www-form-urlencoded; Charset=\"Windows-1252\"";
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let object = |levels: usize| format!("{}0{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    let nested: Value = serde_json::from_str(&deep(64)).expect("JSON");
    for (content_type, body, expected) in [
        (Some("application/json"), "", Value::Null),
        (Some("application/json"), "12", json!(12)),
        (Some("Application/JSON; charset=utf-8"), "\"x\"", json!("x")),
        (Some("application/vnd.api+json"), "null", Value::Null),
        (Some("application/json"), "{\"a\":", json!("{\"a\":")),
        (None, "{\"a\": 1}", json!({"a": 1})),
        (None, "12", json!(12)),
        (None, "a=b", json!("a=b")),
        (Some(""), "12", json!(12)),
        (Some("text/plain"), "12", json!("12")),
        (Some("text/plain"), " {\"a\": 1}", json!({"a": 1})),
        (Some("text/xml"), "<a>é</a>", json!("<a>é</a>")),
        (
            Some(form),
            "a=1&b=x+y&a=%C3%A9&a=3&c",
            json!({"a": ["1", "é", "3"], "b": "x y", "c": ""}),
        ),
        (Some(form), "{\"a\": 1}", json!({"{\"a\": 1}": ""})),
        (Some(form), "payload=%7B%22a%22%3A+1%7D", json!({"a": 1})),
        (
            Some(form),
            "payload=%5B%22%5Cud83d%22%5D",
            json!(["\u{fffd}"]),
        ),
        (Some(form), "payload=text", json!({"payload": "text"})),
        (Some(form), "payload=12", json!({"payload": "12"})),
        (
            Some(form),
            "payload=%7B%7D&a=1",
            json!({"payload": "{}", "a": "1"}),
        ),
        (
            Some(form),
            "payload=%7B%7D&payload=%7B%7D",
            json!({"payload": ["{}", "{}"]}),
        ),
        (Some(form_1252), "name=Jos%E9", json!({"name": "José"})),
        (
            Some(form),
            "name=Jos%E9&_charset_=windows-1252",
            json!({"name": "José", "_charset_": "windows-1252"}),
        ),
        (
            Some("application/json"),
            "\u{feff}{\"a\": \"\\ud83d\"}",
            json!({"a": "\u{fffd}"}),
        ),
        (
            Some("application/json"),
            "{\"id\": 12345678901234567890123, \"n\": 1e400}",
            json!({"id": "12345678901234567890123", "n": "1e400"}),
        ),
        (Some("text/plain"), "\u{feff} [1]", json!([1])),
        (None, &deep(64), nested),
        (None, &deep(65), json!(deep(65))),
        (None, &deep(100_000), json!(deep(100_000))),
        (
            None,
            &object(64),
            serde_json::from_str(&object(64)).expect("JSON"),
        ),
        (None, &object(65), json!(object(65))),
        (
            Some(form),
            &format!("payload={}", deep(65)),
            json!({"payload": deep(65)}),
        ),
    ] {
        let headers: Vec<(&str, &str)> = content_type
            .map(|text| ("content-type", text))
            .into_iter()
            .collect();
        let data = data(&Call::new(&headers, body));
        assert_eq!(data["body"], expected, "{content_type:?}");
        assert_eq!(
            (&data["content_type"], data.get("body_encoding")),
            (&json!(content_type), None)
        );
    }
    for (content_type, body, expected) in [
        ("application/json", &b"\xff\xfe{}x"[..], "//57fXg="),
        (form, b"name=Jos%E9", "bmFtZT1Kb3MlRTk="),
        (
            "application/x-www-form-urlencoded; charset=utf-8",
            b"a=%FF",
            "YT0lRkY=",
        ),
        ("text/plain; charset=utf-8", b"Jos\xe9", "Sm9z6Q=="),
    ] {
        let data = data(&Call::new(&[("content-type", content_type)], body));
        assert_eq!(
            (&data["body"], &data["body_encoding"]),
            (&json!(expected), &json!("base64"))
        );
    }
    for (content_type, body, expected) in [
        (
            "text/plain; charset=iso-8859-1",
            &b"Jos\xe9"[..],
            json!("José"),
        ),
        (
            "application/json; charset=iso-8859-1",
            b"{\"a\": \"Jos\xe9\"}",
            json!({"a": "José"}),
        ),
        (
            "application/json; charset=iso-8859-1",
            "{\"a\": \"José\"}".as_bytes(),
            json!({"a": "José"}),
        ),
        ("application/json", b"\xff\xfe{\0}\0", json!({})),
        ("application/json", b"\xff\xfe{}", json!("\u{7d7b}")),
        ("text/plain", b"\xff\xfe{\0}\0", json!({})),
        ("text/plain", b"\xfe\xff\0a", json!("a")),
        ("text/plain; charset=utf-16", b"\xfe\xff\0a", json!("a")),
        ("text/plain; charset=iso-8859-1", b"\xff\xfea\0", json!("a")),
        ("text/plain", "\u{feff}é".as_bytes(), json!("é")),
    ] {
        let data = data(&Call::new(&[("content-type", content_type)], body));
        assert_eq!(
            (&data["body"], data.get("body_encoding")),
            (&expected, None),
            "{content_type}"
        );
    }
}

#[test]
fn events_contain_no_credentials() {
    let kept = [
        "content-type",
        "x-github-event",
        "x-github-delivery",
        "webhook-id",
        "webhook-timestamp",
        "idempotency-key",
        "i-twilio-idempotency-token",
        "user-agent",
    ];
    let dropped = [
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-api-key",
        "x-gitlab-token",
        "x-hub-signature-256",
        "stripe-signature",
        "webhook-signature",
        "x-caller",
    ];
    let pairs: Vec<(&str, &str)> = kept
        .iter()
        .chain(&dropped)
        .map(|name| (*name, "value"))
        .collect();
    for verification in [
        json!({"type": "header", "name": "X-Caller", "value": "value"}),
        json!({"type": "hmac", "header": "x-caller", "secret": "x"}),
    ] {
        let call = Call::new(&pairs, "");
        let data = received(&receiver(&verification), &call.request());
        let shown: Vec<&str> = data["headers"]
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        let mut expected = kept;
        expected.sort_unstable();
        assert_eq!(shown, expected);
    }
    let call = Call::new(
        &[("x-shopify-hmac-sha256", "a"), ("x-shopify-topic", "b")],
        "",
    );
    let data = received(
        &receiver(&json!({"type": "shopify", "secret": "x"})),
        &call.request(),
    );
    assert_eq!(data["headers"], json!({"x-shopify-topic": "b"}));
}
