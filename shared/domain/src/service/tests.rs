use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::{
    address::{AddressError, service_url},
    *,
};
use crate::{account::Authorization, validation::ValidationErrors};

const NEW_ACCOUNT: &str = "acct_01J0000000000000000000000F";
const ACCOUNT: &str = "acct_01J0000000000000000000000A";
const USER: &str = "usr_01J0000000000000000000000A";

fn with(change: &Value) -> Value {
    let mut document =
        json!({"name": "CRM", "account_id": ACCOUNT, "server_url": "https://crm.example.com/api/"});
    document
        .as_object_mut()
        .expect("object")
        .extend(change.as_object().expect("object").clone());
    document
}

fn parse(change: &Value) -> Validated<(Settings, Option<account::Settings>)> {
    Settings::parse(
        with(change),
        &AllowList::default(),
        NEW_ACCOUNT.parse().expect("an id"),
    )
}

fn settings(change: &Value) -> Settings {
    parse(change).expect("valid").0
}

fn pointers(problems: ValidationErrors) -> Vec<String> {
    problems
        .0
        .into_iter()
        .map(|invalid| invalid.pointer)
        .collect()
}

#[test]
fn defaults_match_the_contract() {
    assert_eq!(
        Value::Object(settings(&json!({})).to_map(Reveal::Hints)),
        json!({
            "name": "CRM", "type": "custom_http", "account_id": ACCOUNT, "server_url": "https://crm.example.com/api/",
            "timeout_seconds": 10, "timeout_message": TIMEOUT_MESSAGE, "user_id": null, "verification": {"type": "none"},
        })
    );
}

#[test]
fn settings_round_trip_without_showing_secrets() {
    let full = json!({
        "type": "custom_http", "server_url": "https://crm.example.com/key:AbC/v1", "timeout_seconds": 25,
        "timeout_message": "Try again\nlater. ", "user_id": USER,
        "verification": {"type": "github", "secret": "0123456789abcdef"},
    });
    let first = settings(&full);
    let written = Value::Object(first.to_map(Reveal::Full));
    let again = Settings::restore(written.clone()).expect("valid");
    assert_eq!(Value::Object(again.to_map(Reveal::Full)), written);
    let shown = first.to_map(Reveal::Hints);
    assert_eq!(shown["server_url"], "https://crm.example.com/•••/v1");
    assert_eq!(shown["timeout_message"], "Try again\nlater.");
    assert_eq!(
        shown["verification"],
        json!({"type": "github", "secret_hint": "cdef"})
    );
}

#[test]
fn account_is_given_by_id_or_inline() {
    let account = json!({"name": "CRM account", "authorization": {"type": "none"}});
    let (service, account) =
        parse(&json!({"account_id": null, "account": account})).expect("valid");
    assert_eq!(service.account_id.to_string(), NEW_ACCOUNT);
    assert_eq!(account.expect("an account").name, "CRM account");
    assert!(parse(&json!({})).expect("valid").1.is_none());
    let neither = parse(&json!({"account_id": null})).expect_err("no account");
    assert_eq!(pointers(neither), ["/account_id"]);
    let both = parse(&json!({"account": {"name": "x"}})).expect_err("two accounts");
    assert_eq!(pointers(both), ["/account_id", "/account/authorization"]);
}

#[test]
fn all_invalid_fields_are_reported() {
    let wrong = json!({
        "name": "", "type": "telepathy", "account_id": "usr_1", "server_url": "ftp://x", "timeout_seconds": 26,
        "timeout_message": "x".repeat(1001), "user_id": "acct_1", "verification": {"type": "hmac"}, "colour": "red",
    });
    assert_eq!(
        pointers(parse(&wrong).expect_err("all invalid")),
        [
            "/name",
            "/type",
            "/account_id",
            "/server_url",
            "/timeout_seconds",
            "/timeout_message",
            "/user_id",
            "/verification/secret",
            "/verification/header",
            "/colour",
        ]
    );
    for url in [
        "https://crm.example.com/?a=1",
        "https://crm.example.com/#a",
        "https://u@crm.example.com/",
        "https://:p@crm.example.com/",
        "http://crm.example.com/",
        "https://10.0.0.1/",
        "https://localhost/",
        "https://crm.example.com:22/",
        "https://crm.example.com\\@x/",
        "https://crm.example.com/a b",
        "https://crm.example.com/•••",
        "https://crm.example.com/a//b",
        "https://crm.example.com/a%2",
        "https://crm.example.com/a/..%2Fb",
        "crm.example.com",
        "",
    ] {
        assert_eq!(
            pointers(parse(&json!({"server_url": url})).expect_err(url)),
            ["/server_url"],
            "{url}"
        );
    }
}

#[test]
fn patch_replaces_account_and_verification() {
    let first = settings(&json!({"verification": {"type": "github", "secret": "12345678"}}));
    let full = Value::Object(first.to_map(Reveal::Full));
    assert_eq!(
        first.base(&json!({"name": "x", "verification": {"type": "github"}})),
        full
    );
    assert_eq!(
        first.base(&json!({"account": {"name": "x"}}))["account_id"],
        Value::Null
    );
    assert_eq!(
        first.base(&json!({"verification": {"type": "slack"}}))["verification"],
        Value::Null
    );
}

#[test]
fn paths_are_joined_to_the_server_url() {
    for (server, path, joined) in [
        ("https://h.example", "", "https://h.example/"),
        ("https://h.example/api", "", "https://h.example/api"),
        ("https://h.example/api/", "", "https://h.example/api/"),
        ("https://h.example/api", "/", "https://h.example/api/"),
        (
            "https://h.example/api",
            "users/7",
            "https://h.example/api/users/7",
        ),
        (
            "https://h.example/api/",
            "/users/7/",
            "https://h.example/api/users/7/",
        ),
        (
            "https://h.example:8443",
            "a:b@c",
            "https://h.example:8443/a:b@c",
        ),
        (
            "https://h.example/api",
            "é x/%2F/..a/.../%20",
            "https://h.example/api/%C3%A9%20x/%2F/..a/.../%20",
        ),
        (
            "https://h.example/api",
            "https:%2F%2Fevil.example",
            "https://h.example/api/https:%2F%2Fevil.example",
        ),
    ] {
        let url = service_url(&server.parse().expect(server), path, &[]).expect(path);
        assert_eq!(url.as_str(), joined);
    }
    for (path, joined) in [
        ("users?by=name", "https://h.example/x/users?by=name&page=2"),
        ("?by=a%20b", "https://h.example/x?by=a%20b&page=2"),
    ] {
        let query = [("page".to_owned(), "2".to_owned())];
        let url =
            service_url(&"https://h.example/x".parse().expect("URL"), path, &query).expect(path);
        assert_eq!(url.as_str(), joined);
    }
    let query = [
        ("a b".to_owned(), "1&c=2#".to_owned()),
        ("a b".to_owned(), "é".to_owned()),
    ];
    let url =
        service_url(&"https://h.example/x".parse().expect("URL"), "y", &query).expect("valid");
    assert_eq!(
        url.as_str(),
        "https://h.example/x/y?a+b=1%26c%3D2%23&a+b=%C3%A9"
    );
}

#[test]
fn paths_outside_the_server_url_are_rejected() {
    use AddressError::{Character, DotSegment, EmptySegment, Fragment, Percent, TooLong};
    for (path, why) in [
        ("..", DotSegment),
        ("/..", DotSegment),
        ("a/../../b", DotSegment),
        ("a/.", DotSegment),
        ("%2e%2E/b", DotSegment),
        (".%2e", DotSegment),
        ("%252e%252e/b", DotSegment),
        ("a%2f..%2fb", DotSegment),
        ("..%2fb", DotSegment),
        ("..%5cb", DotSegment),
        ("..;x=1/b", DotSegment),
        ("..%3bx/b", DotSegment),
        ("..%00", Character),
        ("a%0d%0ab", Character),
        ("a%2500", Character),
        ("//evil.example/", EmptySegment),
        ("///evil.example/", EmptySegment),
        ("https://evil.example/", EmptySegment),
        ("a//b", EmptySegment),
        ("\\\\evil.example", Character),
        ("..\\b", Character),
        (".\t./b", Character),
        ("a\r\nHost: b", Character),
        ("a#b", Fragment),
        ("a?b#c", Fragment),
        ("a?b=%zz", Percent),
        ("a?b=\r\nHost: c", Character),
        ("../b?c", DotSegment),
        ("a%", Percent),
        ("a%2", Percent),
        ("%zz", Percent),
        (&"a".repeat(8_001), TooLong),
        (&"é".repeat(2_000), TooLong),
    ] {
        let server = "https://h.example/api".parse().expect("URL");
        assert_eq!(service_url(&server, path, &[]), Err(why), "{path}");
    }
}

fn account(authorization: &Value) -> Authorization {
    let document = json!({"name": "a", "authorization": authorization});
    account::Settings::parse(document, &AllowList::default())
        .expect("valid")
        .authorization
}

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

fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("..".to_owned()),
        Just(".".to_owned()),
        Just("/".to_owned()),
        Just("\\".to_owned()),
        Just("%2e".to_owned()),
        Just("%2E%2e".to_owned()),
        Just("%2f".to_owned()),
        Just("%5C".to_owned()),
        Just("%25".to_owned()),
        Just("@".to_owned()),
        Just(":".to_owned()),
        Just("?".to_owned()),
        Just("#".to_owned()),
        Just(";".to_owned()),
        Just("\t".to_owned()),
        Just("https://evil.example".to_owned()),
        "[a-z]{1,3}",
        "\\PC{0,4}",
        ".{0,3}",
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_path_leaves_the_server_url(
        path in hostile(),
        base in prop_oneof![Just(""), Just("/api"), Just("/api/"), Just("/a/b.c//"), Just("/a%20b")],
        query in proptest::collection::vec((".{0,4}", ".{0,4}"), 0..3),
    ) {
        let server: Url = format!("https://h.example:8443{base}").parse().expect("URL");
        if let Ok(url) = service_url(&server, &path, &query) {
            let prefix = server.path().trim_end_matches('/');
            prop_assert_eq!(url.origin(), server.origin());
            prop_assert!(url.path() == server.path() || url.path().starts_with(&format!("{prefix}/")), "{}", url);
            prop_assert_eq!((url.username(), url.password(), url.fragment()), ("", None, None));
            // As seen by a server that decodes first and then resolves.
            let decoded = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy().into_owned();
            let mut resolved = server.clone();
            resolved.set_path(&decoded);
            let below = resolved.path().starts_with(prefix);
            prop_assert!(below, "{}", resolved);
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            prop_assert!(pairs.ends_with(&query), "{}", url);
            let own = path.split_once('?').map(|(_, own)| url::form_urlencoded::parse(own.as_bytes()).into_owned().collect());
            prop_assert_eq!(pairs.len() - query.len(), own.map_or(0, |own: Vec<(String, String)>| own.len()));
        }
    }

    #[test]
    fn parse_accepts_any_document(path in hostile(), name in ".{0,8}", value in ".{0,8}") {
        let service = settings(&json!({}));
        let none = account(&json!({"type": "none"}));
        let document = json!({"path": path, "headers": {name.clone(): value}, "query": {name: value}, "body": value});
        let _ = send::parse(document, &service, &none, 0);
        let _ = parse(&json!({"server_url": path}));
    }
}
