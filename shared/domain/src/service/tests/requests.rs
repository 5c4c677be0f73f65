use secrecy::ExposeSecret as _;

use super::*;

#[test]
fn request_body_has_its_format() {
    let service = settings(&json!({}));
    let none = account(&json!({"type": "none"}));
    for (document, url, content_type, body) in [
        (json!({}), "", None, None),
        (
            json!({"path": "/a", "query": {"b": [1, "x"], "c": true}}),
            "a?b=1&b=x&c=true",
            None,
            None,
        ),
        (
            json!({"body": {"a": [1]}}),
            "",
            Some("application/json"),
            Some("{\"a\":[1]}"),
        ),
        (
            json!({"body": "x"}),
            "",
            Some("application/json"),
            Some("\"x\""),
        ),
        (
            json!({"format": "xml", "body": "<a/>"}),
            "",
            Some("application/xml"),
            Some("<a/>"),
        ),
        (
            json!({"format": "form", "body": {"a": "b c", "d": [1.5, false], "e": "&="}}),
            "",
            Some("application/x-www-form-urlencoded"),
            Some("a=b+c&d=1.5&d=false&e=%26%3D"),
        ),
        (
            json!({"body": 1, "headers": {"Content-Type": "application/vnd.api+json"}}),
            "",
            Some("application/vnd.api+json"),
            Some("1"),
        ),
    ] {
        let request = send::parse(document, &service, &none, 0).expect("valid");
        assert_eq!(request.method, "POST");
        assert_eq!(
            request.url.as_str(),
            format!("https://crm.example.com/api/{url}")
        );
        let sent = request
            .headers
            .get("content-type")
            .map(|value| value.to_str().expect("text"));
        assert_eq!((sent, request.body.as_deref()), (content_type, body));
        assert_eq!(request.headers["tieline-hops"], "1");
    }
}

#[test]
fn all_invalid_request_fields_are_reported() {
    let service = settings(&json!({}));
    let header = account(&json!({"type": "header", "name": "X-Api-Key", "value": "v"}));
    let refused =
        |document| pointers(send::parse(document, &service, &header, 0).expect_err("invalid"));
    assert_eq!(
        refused(json!({
            "method": "TRACE", "path": "../x", "query": {"a": {}, "b": null}, "headers": {"Host": "x", "x-api-key": "y",
            "tieline-hops": "0", "X-A": "a\nb", "X-B": 1}, "format": "yaml", "body": "", "url": "https://evil.example",
        })),
        [
            "/method",
            "/path",
            "/query/a",
            "/query/b",
            "/headers/Host",
            "/headers/X-A",
            "/headers/X-B",
            "/headers/tieline-hops",
            "/headers/x-api-key",
            "/format",
            "/url",
        ]
    );
    assert_eq!(refused(json!({"format": "xml", "body": {}})), ["/body"]);
    assert_eq!(
        refused(json!({"format": "form", "body": {"a": [[]]}})),
        ["/body/a"]
    );
    assert_eq!(
        refused(json!({"query": {"a": "x".repeat(9_000)}})),
        ["/query"]
    );
    assert_eq!(
        refused(json!({"headers": {"X-A": "1", "x-a": "2"}})),
        ["/headers/x-a"]
    );
    let oauth2 = account(&json!({
        "type": "oauth2", "grant_type": "client_credentials", "token_url": "https://a.example", "client_id": "a",
        "client_secret": "b",
    }));
    let own = json!({"headers": {"Authorization": "mine"}});
    assert!(send::parse(own.clone(), &service, &oauth2, 0).is_err());
    assert!(send::parse(own, &service, &header, 0).is_ok());
    assert_eq!(header.header().expect("a header").1.expose_secret(), "v");
}
