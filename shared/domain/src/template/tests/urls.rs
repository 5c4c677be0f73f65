//! URLs.

use super::*;

#[test]
fn urls_are_rendered() {
    let data = json!({"id": 7, "s": "a/../b?c#d&e=f%2e é", "e": "", "dot": ".", "dots": "..", "enc": "%2e%2E", "long": "x".repeat(9000), "nl": "\t\n", "segment": "a:b@c!$&'()*+,;=-._~"});
    let zendesk = "https://x.example.com/api/v2/tickets/{id}/comments/";
    for (template, expected) in [
        (
            zendesk,
            Ok("https://x.example.com/api/v2/tickets/7/comments/"),
        ),
        (
            "https://h.example/{s}/x",
            Ok("https://h.example/a%2F..%2Fb%3Fc%23d%26e%3Df%252e%20%C3%A9/x"),
        ),
        (
            "https://h.example/?{s}={s}&x={e}&{gone}&{dots}",
            Ok(
                "https://h.example/?a%2F..%2Fb%3Fc%23d%26e%3Df%252e%20%C3%A9=a%2F..%2Fb%3Fc%23d%26e%3Df%252e%20%C3%A9&x=&&..",
            ),
        ),
        (
            "https://h.example/{segment}?{segment}",
            Ok(
                "https://h.example/a:b@c%21%24%26%27%28%29%2A%2B%2C%3B%3D-._~?a%3Ab%40c%21%24%26%27%28%29%2A%2B%2C%3B%3D-._~",
            ),
        ),
        ("https://h.example?{id}", Ok("https://h.example/?7")),
        ("HTTPS://H.example:443", Ok("https://h.example/")),
        ("http://[::1]:8080/{nl}", Ok("http://[::1]:8080/%09%0A")),
        (
            "https://h.example/v{id}.{id}//é{{}",
            Ok("https://h.example/v7.7//%C3%A9%7B%7B%7D"),
        ),
        (
            "https://h.example/{e}",
            Err(unfit("e", Reason::EmptySegment)),
        ),
        (
            "https://h.example/{gone}/x",
            Err(unfit("gone", Reason::EmptySegment)),
        ),
        (
            "https://h.example/x{gone}",
            Err(unfit("gone", Reason::EmptySegment)),
        ),
        (
            "https://h.example/{dot}",
            Err(unfit("dot", Reason::DotSegment)),
        ),
        (
            "https://h.example/a/{dots}/x",
            Err(unfit("dots", Reason::DotSegment)),
        ),
        (
            "https://h.example/a/{enc}/x",
            Err(unfit("enc", Reason::DotSegment)),
        ),
        (
            "https://h.example/.{dot}",
            Err(unfit("dot", Reason::DotSegment)),
        ),
        (
            "https://h.example/%2e{dot}",
            Err(unfit("dot", Reason::DotSegment)),
        ),
        (
            "https://h.example/{dot}{dot}",
            Err(unfit("dot", Reason::DotSegment)),
        ),
        (
            "https://h.example/?{long}",
            Err(unfit("long", Reason::TooLong)),
        ),
    ] {
        assert_eq!(
            url(template, &data),
            expected.map(str::to_owned),
            "{template}"
        );
    }
    assert_eq!(
        UrlTemplate::parse(zendesk)
            .expect("url")
            .origin_url()
            .as_str(),
        "https://x.example.com/"
    );
}

#[test]
fn invalid_urls_are_rejected() {
    use TemplateError as E;
    for (template, error) in [
        ("", E::NotAbsolute),
        ("/x", E::NotAbsolute),
        ("https:/h.example", E::NotAbsolute),
        ("ftp://h.example", E::NotAbsolute),
        ("{x}://h.example", E::TagInAuthority),
        ("https://{x}/", E::TagInAuthority),
        ("https://a.{x}.example/", E::TagInAuthority),
        ("https://h.example:{x}/", E::TagInAuthority),
        ("https://{x}@h.example/", E::TagInAuthority),
        ("https://a:b@h.example/", E::UserInfo),
        ("https://@h.example/", E::UserInfo),
        ("https://", E::Host),
        ("https:///x", E::Host),
        ("https://h.example:99999/", E::Host),
        ("https://h.example/#{x}", E::Fragment),
        ("https://h.example\\{x}", E::UrlCharacter),
        ("https://h.example/a b", E::UrlCharacter),
        ("https://h.example/a\nb", E::UrlCharacter),
        ("https://h.example/a/../{x}", E::DotSegment),
        ("https://h.example/%2E./{x}", E::DotSegment),
        ("https://h.example/%2{x}", E::Percent),
        ("https://h.example/?a=%", E::Percent),
    ] {
        assert_eq!(UrlTemplate::parse(template), Err(error), "{template}");
    }
}

#[test]
fn other_structures_are_rejected() {
    let template = UrlTemplate::parse("https://h.example/{a}?b").expect("url");
    for text in [
        "https://i.example/a?b",
        "https://h.example/a/c?b",
        "https://h.example/a?b=",
        "https://h.example/a",
        "/a?b",
    ] {
        let unfit = unfit("a", Reason::Structure);
        assert_eq!(template.checked(text), Err(unfit), "{text}");
    }
    assert!(template.checked("https://h.example/a?b").is_ok());
}
