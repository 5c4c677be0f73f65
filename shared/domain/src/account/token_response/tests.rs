use secrecy::ExposeSecret as _;

use super::*;

const OK: StatusCode = StatusCode::OK;

fn read(status: StatusCode, body: &str) -> TokenResponse {
    read_as(TokenType::AccessToken, status, body)
}

fn read_as(token_type: TokenType, status: StatusCode, body: &str) -> TokenResponse {
    let mut secrets = Secrets::default();
    secrets.add("s3cret-of-the-client");
    TokenResponse::read(
        status,
        body.as_bytes(),
        token_type,
        secrets,
        "l",
        Timestamp::UNIX_EPOCH,
    )
}

#[test]
fn access_token_is_parsed_in_every_form() {
    for (body, life) in [
        (
            r#"{"access_token": "a", "token_type": "Bearer", "expires_in": 3600}"#,
            3540,
        ),
        (
            r#"{"access_token": "a", "token_type": "BearerToken", "expires_in": "600"}"#,
            540,
        ),
        (
            r#"{"access_token": "a", "token_type": "mac", "expires_in": 100}"#,
            90,
        ),
        (
            r#"{"access_token": "a", "token_type": 7, "error": null}"#,
            3540,
        ),
        (r#"{"access_token": "a", "error": "", "expires_in": -5}"#, 0),
        (
            r#"{"access_token": "a", "error": 0, "expires_in": 1e300}"#,
            31_535_940,
        ),
        (r#"{"access_token": "a", "expires_in": [1]}"#, 3540),
        (r#"{"access_token": "a", "expires_in": "NaN"}"#, 3540),
        (
            "\u{feff}{\"access_token\": \"a\", \"note\": \"\\ud83d\"}",
            3540,
        ),
        (r#"{"access_token": "a", "id": 1e400}"#, 3540),
        ("access_token=a&scope=repo%2Cgist&token_type=bearer", 3540),
        ("access_token=a&expires_in=600\n", 540),
    ] {
        let TokenResponse { token, refresh, .. } = read(OK, body);
        let token = token.expect(body);
        assert_eq!(
            (token.access.expose_secret(), &*token.lease),
            ("a", "l"),
            "{body}"
        );
        assert_eq!(token.good_until.as_second(), life, "{body}");
        assert!(refresh.is_none(), "{body}");
    }
}

#[test]
fn response_without_token_has_a_reason() {
    let bad = StatusCode::BAD_REQUEST;
    let header = "the token endpoint's response contains an access_token with characters that are not allowed in headers";
    for (status, body, reason) in [
        (
            OK,
            "{}",
            "the token endpoint's response contains no access_token",
        ),
        (
            OK,
            r#"{"access_token": ""}"#,
            "the token endpoint's response contains no access_token",
        ),
        (
            OK,
            "[]",
            "the token endpoint's response is neither a JSON object nor a form",
        ),
        (
            OK,
            "<html>",
            "the token endpoint's response is neither a JSON object nor a form",
        ),
        (
            OK,
            "",
            "the token endpoint's response is neither a JSON object nor a form",
        ),
        (OK, r#"{"access_token": "a b"}"#, header),
        (OK, r#"{"access_token": "a\r\nx-admin: 1"}"#, header),
        (OK, r#"{"access_token": "ä"}"#, header),
        (
            OK,
            r#"{"ok": false, "error": "invalid_code"}"#,
            "the token endpoint responded with 200: invalid_code",
        ),
        (
            OK,
            "error=bad_verification_code&error_description=x",
            "the token endpoint responded with 200: bad_verification_code",
        ),
        (
            bad,
            r#"{"error": "invalid_grant"}"#,
            "the token endpoint responded with 400: invalid_grant",
        ),
        (
            bad,
            r#"{"error": {"code": 190, "type": "OAuthException"}}"#,
            "the token endpoint responded with 400: 190",
        ),
        (
            bad,
            r#"{"error": {"message": "no"}}"#,
            "the token endpoint responded with 400: error",
        ),
        (
            OK,
            r#"{"error": true, "access_token": "a"}"#,
            "the token endpoint responded with 200: error",
        ),
        (
            OK,
            r#"{"error": false, "id_token": "a"}"#,
            "the token endpoint's response contains no access_token",
        ),
        (
            bad,
            "error=invalid_request",
            "the token endpoint responded with 400: invalid_request",
        ),
        (
            bad,
            r#"{"error": "no s3cret-of-the-client"}"#,
            "the token endpoint responded with 400: no",
        ),
        (
            bad,
            r#"{"error": "s3cret-of-the-client"}"#,
            "the token endpoint responded with 400: error",
        ),
        (bad, "", "the token endpoint responded with 400"),
        (
            bad,
            r#"{"access_token": "a"}"#,
            "the token endpoint responded with 400",
        ),
    ] {
        assert_eq!(read(status, body).token.expect_err(body), reason, "{body}");
    }
}

#[test]
fn new_refresh_token_is_kept_despite_other_errors() {
    for body in [
        r#"{"access_token": "a", "refresh_token": "new"}"#,
        r#"{"access_token": "a b", "refresh_token": "new"}"#,
        r#"{"refresh_token": "new"}"#,
        r#"{"error": "temporarily_unavailable", "refresh_token": "new"}"#,
        "\u{feff}{\"refresh_token\": \"new\", \"x\": \"\\udc00\"}",
        "refresh_token=new&access_token=a+b",
    ] {
        for status in [200, 203, 302, 400, 401, 429, 500, 503] {
            let status = StatusCode::from_u16(status).expect("a status");
            let refresh = read(status, body).refresh.expect(body);
            assert_eq!(refresh.expose_secret(), "new", "{status} {body}");
        }
    }
    for body in [
        r#"{"error": "invalid_grant"}"#,
        r#"{"refresh_token": ""}"#,
        r#"{"refresh_token": null}"#,
        r#"{"refresh_token": ["new"]}"#,
        "refresh_token=&error=x",
        "<html>refresh_token=new</html>",
    ] {
        for status in [OK, StatusCode::BAD_REQUEST] {
            assert!(read(status, body).refresh.is_none(), "{status} {body}");
        }
    }
}

#[test]
fn new_refresh_token_is_found_in_part_of_a_response() {
    for (part, refresh) in [
        (
            r#"{"refresh_token": "new", "access_token": "a"#,
            Some("new"),
        ),
        (r#"{"error": "x", "refresh_token": "new""#, Some("new")),
        (r#"{"error": "x", "refresh_token": "ne"#, None),
        ("refresh_token=new&access_token=a", Some("new")),
        ("access_token=a&refresh_token=ne", None),
        ("refresh_token=ne", None),
        ("<html>", None),
        ("", None),
    ] {
        let found = refresh_token_of_part(part.as_bytes());
        let found = found.as_ref().map(SecretString::expose_secret);
        assert_eq!(found, refresh, "{part}");
    }
}

#[test]
fn id_token_is_used_if_the_account_asks_for_it() {
    let use_of = |body| read_as(TokenType::IdToken, OK, body).token;
    for body in [
        r#"{"access_token": "a", "id_token": "i.d.t", "expires_in": 3600}"#,
        r#"{"id_token": "i.d.t"}"#,
        "id_token=i.d.t",
    ] {
        let token = use_of(body).expect(body);
        assert_eq!(token.access.expose_secret(), "i.d.t", "{body}");
        assert_eq!(token.good_until.as_second(), 3540, "{body}");
    }
    let none = "the token endpoint's response contains no id_token";
    for (body, reason) in [
        (r#"{"access_token": "a"}"#, none),
        (r#"{"access_token": "a", "id_token": 7}"#, none),
        (
            r#"{"id_token": "i d"}"#,
            "the token endpoint's response contains an id_token with characters that are not allowed in headers",
        ),
    ] {
        assert_eq!(use_of(body).expect_err(body), reason, "{body}");
    }
}

#[test]
fn report_repeats_the_words_of_the_endpoint() {
    let bad = StatusCode::BAD_REQUEST;
    let long = format!(r#"{{"error_description": "{}"}}"#, "x".repeat(600));
    let cut = "x".repeat(500);
    for (status, body, error, token_type, expires_in) in [
        (
            OK,
            r#"{"access_token": "abcd", "token_type": "BearerToken", "expires_in": "3600"}"#,
            None,
            Some("BearerToken"),
            Some(3600),
        ),
        (OK, r#"{"access_token": "abcd"}"#, None, None, None),
        (
            OK,
            r#"{"access_token": "abcd", "token_type": 7, "expires_in": -1.5, "error_description": "x"}"#,
            None,
            None,
            Some(0),
        ),
        (
            OK,
            "access_token=abcd&token_type=bot&expires_in=1e300",
            None,
            Some("bot"),
            Some(2_147_483_647),
        ),
        (
            bad,
            r#"{"error": "invalid_grant", "error_description": "Token\r\n expired. "}"#,
            Some("invalid_grant: Token expired."),
            None,
            None,
        ),
        (
            OK,
            "error=bad_code&error_description=The+code+passed+is+incorrect.",
            Some("bad_code: The code passed is incorrect."),
            None,
            None,
        ),
        (
            bad,
            r#"{"error": {"code": 190, "message": "Session expired"}, "expires_in": [1]}"#,
            Some("190: Session expired"),
            None,
            None,
        ),
        (bad, &long, Some(&*cut), None, None),
        (bad, "<html>", None, None, None),
        (OK, "{}", None, None, None),
    ] {
        let report = read(status, body).report;
        let expected = Report {
            error: error.map(str::to_owned),
            token_type: token_type.map(str::to_owned),
            expires_in,
        };
        assert_eq!(report, expected, "{body}");
    }
}

#[test]
fn report_contains_neither_secrets_nor_tokens() {
    for body in [
        r#"{"error": "s3cret-of-the-client", "error_description": "not s3cret-of-the-client"}"#,
        r#"{"access_token": "the-token", "token_type": "the-token", "error": "the-token"}"#,
        r#"{"refresh_token": "the-token", "error_description": "use the-token"}"#,
        r#"{"id_token": "the-token", "error": {"type": "the-token", "message": "the-token"}}"#,
        "access_token=the-token&error=x&error_description=the%2Dtoken",
    ] {
        let response = read(StatusCode::BAD_REQUEST, body);
        let shown = format!("{:?} {:?}", response.report, response.token);
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(
            !shown.contains("the-token") && !shown.contains("the%2Dtoken"),
            "{shown}"
        );
    }
}
