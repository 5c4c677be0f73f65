//! Hostile texts in fields, paths, queries and headers.

use super::{EVENT, admin};
use serde_json::{Value, json};

/// Texts that often break programs.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "\t",
        "\u{a0}",
        "\u{3000}",
        "\u{200b}",
        "\u{feff}",
        "\u{0}",
        "a\u{0}b",
        "a\nb",
        "a\r\nX-Evil: 1",
        "\u{7f}",
        "\u{85}",
        "\u{1b}[31m",
        "null",
        "undefined",
        "true",
        "NaN",
        "-1",
        "0",
        "1e400",
        "1/0",
        "__proto__",
        "constructor",
        ".",
        "..",
        "../../etc/passwd",
        "..%2f..%2f",
        "%2e%2e/",
        "/",
        "//",
        "\\",
        "a/b",
        "a?b=c",
        "a#b",
        "#",
        "?",
        "&",
        "=",
        "%",
        "%%",
        "%0",
        "%zz",
        "%00",
        "%c3%28",
        "%u0041",
        "+",
        "a+b",
        "a b",
        "'",
        "\"",
        "`",
        "''",
        "' OR 1=1 --",
        "\"; DROP TABLE x; --",
        "<script>alert(1)</script>",
        "<!--",
        "]]>",
        "&lt;",
        "&#0;",
        "${7*7}",
        "{{7*7}}",
        "{x}",
        "{",
        "$(id)",
        "`id`",
        "%s%n%p",
        "\\u0000",
        "\\",
        "\u{202e}abc",
        "\u{2066}a\u{2069}",
        "e\u{301}",
        "é",
        "Ω≈ç√∫",
        "🇩🇪👩‍👩‍👧‍👦",
        "\u{ffff}",
        "\u{fffe}",
        "\u{10ffff}",
        "ﬁ",
        "ı",
        "İ",
        "ẞ",
        "٠١٢",
        "部落格",
        "תנ״ך",
        "﷽",
        "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤",
        "a\u{2028}b",
        "usr_",
        "usr_01J0000000000000000000000A",
        "usr_01J0000000000000000000000a",
        "tl_live_",
        "Bearer x",
        "*",
        "a.*",
        "[]",
        "{}",
        "[1]",
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00+00:00",
        "1769860800",
    ]
    .map(str::to_owned)
    .into();
    texts.extend(["x", "é", "😀", "a ", "\u{301}"].map(|text| text.repeat(101)));
    texts.push("x".repeat(8_000));
    texts.sort();
    texts.dedup();
    texts
}

#[tokio::test]
async fn hostile_field_values_are_client_errors() {
    let api = admin().await;
    for text in texts() {
        let body = json!({"name": text});
        let made = api.call("POST", "/v1/users", body).await;
        if made.status == 409 {
            // The same name in another case.
            continue;
        }
        assert!(
            [201, 422].contains(&made.status),
            "{} {} for {text:?}",
            made.status,
            made.body
        );
        if made.status == 201 {
            assert_eq!(made.body["name"], text.trim(), "{text:?}");
            let id = made.body["id"].as_str().expect("an ID");
            assert_eq!(
                api.call("GET", &format!("/v1/users/{id}"), Value::Null)
                    .await
                    .body["name"],
                text.trim()
            );
        }
        for (path, body) in [
            (
                "/v1/webhooks",
                json!({"name": "x", "url": text, "events": ["message"]}),
            ),
            (
                "/v1/webhooks",
                json!({"name": "x", "url": format!("https://example.com/{text}?{text}"), "events": [text]}),
            ),
            (
                "/v1/webhooks",
                json!({"name": "x", "url": "https://example.com/", "events": ["message"], "headers": {"x-a": text, &text: "x"}}),
            ),
            (
                "/v1/webhooks",
                json!({"name": "x", "url": "https://example.com/", "events": ["message"], "conditions": {"field": text, "op": text, "value": text}}),
            ),
            (
                "/v1/webhooks",
                json!({"name": "x", "url": "https://example.com/", "events": ["message"], "conditions": {"field": "a", "op": "matches", "value": text}, "method": text, "secret": text}),
            ),
            (
                "/v1/event-types",
                json!({"name": text, "description": text, "example": {&text: text}}),
            ),
            (
                "/v1/events",
                json!({"type": text, "data": {&text: text}, "timestamp": text}),
            ),
            (
                "/v1/messages",
                json!({"channel": "email", "provider": text, "to": text, "from": text, "subject": text, "text": text}),
            ),
            (
                "/v1/credentials",
                json!({"description": text, "scopes": [text], "expires_at": text, "user_id": text}),
            ),
            (
                "/v1/services",
                json!({"name": text, "type": "custom_http", "server_url": text, "account_id": text}),
            ),
            (&format!("/v1/{text}"), json!({&text: text})),
        ] {
            let path = percent(path);
            let reply = api.call("POST", &path, body).await;
            assert!(
                reply.status < 500,
                "{} {} for {path} {text:?}",
                reply.status,
                reply.body
            );
        }
    }
}

/// The path, percent-encoded as a client would encode it.
fn percent(path: &str) -> String {
    path.split('/')
        .map(|part| url::form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>())
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn hostile_paths_queries_and_headers_are_client_errors() {
    let api = admin().await;
    let none: &[u8] = b"";
    for text in texts() {
        for path in [
            "/v1/users/",
            "/v1/webhooks/",
            "/v1/event-types/",
            "/v1/deliveries/",
            "/",
            "/v1",
        ] {
            for method in ["GET", "DELETE"] {
                let reply = api
                    .raw(method, &format!("{path}{text}"), "", &[], none)
                    .await;
                assert!(
                    [200, 400, 404, 405].contains(&reply.status),
                    "{} for {method} {path}{text:?}",
                    reply.status
                );
            }
        }
        for path in [
            "/v1/events",
            "/v1/deliveries",
            "/v1/webhooks",
            "/v1/audit",
            "/v1/messages",
            "/v1/credentials",
        ] {
            let query = format!(
                "type={text}&limit={text}&cursor={text}&since={text}&event={text}&status={text}&{text}={text}"
            );
            let reply = api.raw("GET", path, &query, &[], none).await;
            assert!(
                [400, 404, 422].contains(&reply.status),
                "{} for {path}?{query:?}",
                reply.status
            );
            let reply = api.raw("GET", path, &text, &[], none).await;
            assert!(
                [200, 400, 422].contains(&reply.status),
                "{} for {path}?{text:?}",
                reply.status
            );
        }
        for (name, statuses) in [
            ("idempotency-key", &[202, 400, 422][..]),
            ("tieline-hops", &[202, 400, 508]),
            ("authorization", &[400, 401]),
            ("if-match", &[202, 400]),
            ("accept", &[202, 400]),
            ("content-length", &[202, 400]),
            ("host", &[202, 400]),
            ("x-forwarded-proto", &[202, 400]),
            ("x-forwarded-for", &[202, 400]),
        ] {
            let headers = [("content-type", "application/json"), (name, text.as_str())];
            let reply = api
                .raw("POST", "/v1/events", "", &headers, EVENT.as_bytes())
                .await;
            assert!(
                statuses.contains(&reply.status),
                "{} {} for {name}: {text:?}",
                reply.status,
                reply.body
            );
        }
    }
}
