//! Malformed bodies and hostile texts in gateway events: each is a client error, never an internal
//! one.

mod texts;

use platform::clock;
use tests::{fake::Fake, fixture::Api};

const EVENT: &str = r#"{"type": "message", "data": {}}"#;

async fn admin() -> Api {
    Api::of_admin(&Fake::default(), clock::now()).await.0
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

#[tokio::test]
async fn malformed_json_bodies_are_client_errors() {
    let api = admin().await;
    let utf16: Vec<u8> = EVENT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let data =
        |inner: &str| format!(r#"{{"type": "message", "data": {{"x": {inner}}}}}"#).into_bytes();
    let bom = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let wrong: Vec<(Vec<u8>, &[u16])> = vec![
        (EVENT.into(), &[202]),
        (format!("\r\n\t {EVENT} \n").into(), &[202]),
        (Vec::new(), &[400]),
        (b" \n".to_vec(), &[400]),
        (b"{".to_vec(), &[400]),
        (b"}".to_vec(), &[400]),
        (format!("{EVENT}x").into(), &[400]),
        (format!("{EVENT}{EVENT}").into(), &[400]),
        (format!("{EVENT},").into(), &[400]),
        (bom(EVENT), &[202, 400]),
        (bom(""), &[400]),
        (utf16, &[400]),
        (b"\0".to_vec(), &[400]),
        (b"\xff\xfe".to_vec(), &[400]),
        (b"null".to_vec(), &[400, 422]),
        (b"[]".to_vec(), &[422]),
        (b"{}".to_vec(), &[422]),
        (b"1".to_vec(), &[422]),
        (b"\"x\"".to_vec(), &[422]),
        (b"NaN".to_vec(), &[400]),
        (b"type=message&data={}".to_vec(), &[400]),
        (b"<event/>".to_vec(), &[400]),
        (b"{'type': 'message', 'data': {}}".to_vec(), &[400]),
        (b"{type: \"message\"}".to_vec(), &[400]),
        (b"// x\n{}".to_vec(), &[400]),
        (b"{\"type\": \"message\", \"data\": {},}".to_vec(), &[400]),
        (
            b"{\"type\": \"message\", \"data\": {}, \"type\": \"chat\"}".to_vec(),
            &[202, 400, 422],
        ),
        (
            b"{\"type\": \"message\", \"data\": {}, \"\\u0000\": 1}".to_vec(),
            &[422],
        ),
        (
            b"{\"type\": \"message\", \"data\": {}, \"__proto__\": {}}".to_vec(),
            &[422],
        ),
        (
            b"{\"type\": \"message\\u0000\", \"data\": {}}".to_vec(),
            &[422],
        ),
        (b"{\"type\": [\"message\"], \"data\": []}".to_vec(), &[422]),
        (data("\"a\nb\""), &[400]),
        (data("\"\\x\""), &[400]),
        (data("\"\\u12\""), &[400]),
        (data("\"\\u0000\\u001f\\uffff\""), &[202]),
        (data("\"\\ud83d\\ude00\""), &[202]),
        (data("\"\\ud83d\""), &[202, 400, 422]),
        (data("\"\\ude00\\ud83d\""), &[202, 400, 422]),
        ([&data("\"")[..], b"\xed\xa0\x80\"}}"].concat(), &[400]),
        (
            b"{\"type\": \"message\", \"data\": {\"x\": \"Jos\xe9\"}}".to_vec(),
            &[400],
        ),
        (data("01"), &[400]),
        (data("+1"), &[400]),
        (data(".5"), &[400]),
        (data("1."), &[400]),
        (data("0x1"), &[400]),
        (data("Infinity"), &[400]),
        (data("1e5,"), &[400]),
        (data("-0"), &[202]),
        (data("1.7976931348623157e308"), &[202]),
        (data("1e400"), &[202, 400, 422]),
        (data("1e-400"), &[202]),
        (data(&"9".repeat(10_000)), &[202, 400, 422]),
        (data("18446744073709551616"), &[202]),
        (
            data(&format!("{}1{}", "[".repeat(62), "]".repeat(62))),
            &[202],
        ),
        (
            data(&format!("{}1{}", "[".repeat(63), "]".repeat(63))),
            &[422],
        ),
        (
            data(&format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000))),
            &[422],
        ),
        ("[".repeat(200_000).into(), &[422]),
        ("{\"a\":".repeat(50_000).into(), &[422]),
        (data(&format!("\"{}\"", "x".repeat(256 * 1024))), &[413]),
    ];
    for (body, statuses) in wrong {
        let reply = api.raw("POST", "/v1/events", "", &JSON, &body).await;
        let shown = String::from_utf8_lossy(&body)
            .chars()
            .take(60)
            .collect::<String>();
        assert!(
            statuses.contains(&reply.status),
            "{} {} for {shown}",
            reply.status,
            reply.body
        );
        for (method, path) in [
            ("POST", "/v1/events/batch"),
            ("POST", "/v1/webhooks"),
            ("PATCH", "/v1/users/usr_x"),
        ] {
            let reply = api.raw(method, path, "", &JSON, &body).await;
            assert!(
                (400..500).contains(&reply.status),
                "{} {} for {method} {path} {shown}",
                reply.status,
                reply.body
            );
        }
    }
}

#[tokio::test]
async fn unsupported_content_types_are_client_errors() {
    let api = admin().await;
    for (content_type, status) in [
        ("application/json", 202),
        ("Application/JSON; charset=utf-8", 202),
        ("application/json;", 202),
        ("application/merge-patch+json", 202),
        ("", 415),
        ("text/plain", 415),
        ("application/jsonx", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/json, text/plain", 415),
        ("é", 415),
    ] {
        let reply = api
            .raw(
                "POST",
                "/v1/events",
                "",
                &[("content-type", content_type)],
                EVENT.as_bytes(),
            )
            .await;
        assert_eq!(reply.status, status, "{content_type}");
    }
}
