use super::*;
use crate::service::address::{AddressError, service_url};

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
}
