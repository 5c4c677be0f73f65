use proptest::prelude::*;

use super::*;

#[test]
fn secret_like_values_are_masked() {
    for (name, value, masked) in [
        ("X-Upstream", "Bearer abc", "Bearer •••"),
        ("X-Upstream", "bearer  abc.def ", "bearer  •••"),
        (
            "X-Upstream",
            "Bearer {secret.token}",
            "Bearer {secret.token}",
        ),
        (
            "X-Upstream",
            "Bearer abc{secret.token}",
            "Bearer •••{secret.token}",
        ),
        ("X-Upstream", "Basic YTpi", "Basic •••"),
        ("X-Upstream", "Basic plan", "Basic plan"),
        ("X-Upstream", "GenieKey 12-34", "GenieKey •••"),
        (
            "X-Upstream",
            "Zoho-oauthtoken 1000.ab",
            "Zoho-oauthtoken •••",
        ),
        (
            "X-Upstream",
            "Digest username=\"a\", response=\"b\"",
            "Digest •••",
        ),
        ("X-Note", "no secret", "no secret"),
        (
            "X-Note",
            "Authored by the help desk",
            "Authored by the help desk",
        ),
        ("X-Session", "0123456789abcdef01234567", "•••"),
        (
            "X-Session",
            "id 0123456789abcdef01234567; v=2",
            "id •••; v=2",
        ),
        ("X-Session", "aB3/aB3+aB3/aB3+aB3/aB3+aB3=", "•••"),
        ("X-Session", "aB3-aB3_aB3-aB3_aB3-aB3_{n}", "•••{n}"),
        (
            "X-Params",
            "v=2,key=abc;signature=\"x y",
            "v=2,key=•••;signature=\"••• y",
        ),
        ("X-Params", "token:abc", "token:•••"),
        (
            "X-Params",
            "user=7&token=s3cr3t&x=1",
            "user=7&token=•••&x=1",
        ),
        ("X-Params", "password=a&b&x=1", "password=•••&•••&x=1"),
        ("X-Params", "a:b:token='s3cr3t'", "a:b:token='•••'"),
        (
            "X-Params",
            "token=a&u=https://h.example/b&key=c",
            "token=•••&u=https://h.example/b&key=•••",
        ),
        (
            "X-Params",
            "u=https://h.example/?a=b&key=c",
            "u=https://h.example/?a=b&key=•••",
        ),
        (
            "X-Upstream",
            "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=",
            "AWS AKIAIOSFODNN7EXAMPLE:•••",
        ),
        (
            "X-Upstream",
            "id:frJIUN8DYpKDtOLCwo//yllqDzg=:7",
            "id:•••=:7",
        ),
        ("X-Upstream", "\"frJIUN8DYpKDtOLCwo//yllqDzg=\"", "\"•••\""),
        ("X-Upstream", "id%20=frJIUN8DYpKDtOLCwo//yllqDzg=", "•••"),
        ("X-Time", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        (
            "Referer",
            "https://a:b@h.example/?token=abc&x=1",
            "https://•••@h.example/?token=•••&x=1",
        ),
        (
            "X-Id",
            "550e8400-e29b-41d4-a716-446655440000",
            "550e8400-e29b-41d4-a716-446655440000",
        ),
        (
            "X-Upstream",
            "Splunk 12345678-1234-1234-1234-123456789abc",
            "Splunk •••",
        ),
        ("X-Upstream", "Basic dXNlcjpwYXNzMQ", "Basic •••"),
        ("X-Upstream", "Basic Pj4_Ojw_Pj8", "Basic •••"),
        ("X-Upstream", "Bearer: abc", "Bearer: •••"),
        ("X-Upstream", "bearer:abc", "bearer:•••"),
        ("X-Upstream", "Token: abc", "Token: •••"),
        ("X-Session", "/aB3aB3aB3aB3/aB3aB3aB3aB3", "•••"),
        ("X-Session", "/aB3+aB3/aB3aB3/aB3aB3aB3aB=", "•••"),
        (
            "Accept",
            "application/vnd.github.v3+json; q=0.9",
            "application/vnd.github.v3+json; q=0.9",
        ),
        (
            "Date",
            "Tue, 15 Nov 1994 08:12:31 GMT",
            "Tue, 15 Nov 1994 08:12:31 GMT",
        ),
        (
            "User-Agent",
            "Mozilla/5.0 (X11; Linux x86_64)",
            "Mozilla/5.0 (X11; Linux x86_64)",
        ),
        (
            "X-Path",
            "/api/V2/tickets/and/comments",
            "/api/V2/tickets/and/comments",
        ),
        (
            "X-Tag",
            "{ticket.id} of {event.type}",
            "{ticket.id} of {event.type}",
        ),
        (
            "Authorization",
            "Key {secret.api_key}",
            "Key {secret.api_key}",
        ),
        ("Authorization", "a-token-of-20-letters{secret.a}", "•••"),
        ("X-Api-Key", "abc", "•••"),
        ("X-Api-Key", "{ticket.id}", "•••"),
        ("Cookie", "a=b", "•••"),
        ("X-Note", "", ""),
    ] {
        assert_eq!(header(name, value), masked, "{name}: {value}");
        assert_eq!(header(name, masked), masked, "{name}: {masked}");
    }
}

#[test]
fn template_is_masked_before_rendering() {
    for (name, value, masked) in [
        ("X-Upstream", "Bearer {token}", "Bearer •••"),
        (
            "X-Tag",
            "{ticket.id} 0123456789abcdef01234567",
            "{ticket.id} •••",
        ),
        ("X-Api-Key", "{secret.a}", "•••"),
        ("X-Tag", "{a | default: 'x y'}", "{a | default: 'x y'}"),
        (
            "X-Tag",
            "{a | default: '0123456789abcdef01234567'}",
            "{a}•••",
        ),
    ] {
        assert_eq!(header_template(name, value), masked, "{name}: {value}");
    }
}

#[test]
fn identifiers_of_third_parties_stay_readable() {
    let id = "0123456789abcdef0123456789abcdef";
    for (name, shown) in [
        ("ETag", true),
        ("Location", true),
        ("Idempotency-Key", true),
        ("X-RateLimit-Tokens", true),
        ("X-Rate-Limit-Token-Count", true),
        ("X-Request-Id", true),
        ("X-Session", false),
        ("X-Session-Id", false),
        ("X-Api-Key-Id", false),
        ("X-Upstream", false),
    ] {
        assert_eq!(received_header(name, id) == id, shown, "{name}");
    }
    assert_eq!(received_header("X-Upstream", "Bearer abc"), "Bearer •••");
    assert_eq!(received_header("X-Note", "no secret"), "no secret");
}

proptest! {
    #[test]
    fn header_accepts_any_value(name in "[A-Za-z-]{0,12}", value in "\\PC{0,40}", scheme in "(Bearer |Basic |)") {
        let once = header(&name, &format!("{scheme}{value}"));
        prop_assert_eq!(header(&name, &once), once);
        header_template(&name, &value);
    }

    #[test]
    fn long_token_is_always_masked(token in "[A-Za-z0-9]{24,80}", place in 0..4_usize) {
        let value = ["{}", "a {}", "x={}", "Bearer {}"][place].replace("{}", &token);
        prop_assert!(!header("X-Any", &value).contains(&token));
        prop_assert!(header_secrets("X-Any", &value).iter().any(|hidden| hidden.contains(&token)));
    }

    #[test]
    fn base64_is_always_masked(
        token in "aB3[+/][A-Za-z0-9+/]{20,60}={0,2}",
        before in "([a-z]{1,9}[=:&]){0,3}(\"|'|)",
        after in "(\"|'|)(&[a-z]{1,9}=[a-z]{0,9}){0,3}",
    ) {
        let value = format!("a {before}{token}{after} b");
        let bare = token.trim_end_matches('=');
        prop_assert!(!header("X-Any", &value).contains(bare), "{}", value);
        prop_assert!(header_secrets("X-Any", &value).iter().any(|hidden| hidden.contains(bare)));
    }

    #[test]
    fn named_secret_is_always_masked(
        before in "([a-z]{1,9}=[a-z0-9]{0,9}&){0,3}",
        after in "(&[a-z]{1,9}=[a-z0-9]{0,9}){0,3}",
        separator in "[=:]",
    ) {
        let value = format!("{before}token{separator}S3CR3T{after}");
        prop_assert!(!header("X-Any", &value).contains("S3CR3T"), "{}", value);
    }
}

#[test]
fn secret_headers_are_recognized_by_name() {
    for name in [
        "Authorization",
        "Cookie",
        "X-API-Key",
        "X-Auth",
        "my_secret",
        "X-Signature-256",
        "Password",
        "X-Credential",
    ] {
        assert!(is_secret_header(name), "{name}");
    }
    for name in ["Accept", "Content-Type", "X-Request-Id", ""] {
        assert!(!is_secret_header(name), "{name}");
    }
}
