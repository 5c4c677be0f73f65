//! Credentials in headers, and the scheme that a response without them asks for.

use super::*;

/// The first pair is from RFC 7617.
#[test]
fn basic_and_header_secrets_verify() {
    let aladdin = json!({"type": "basic", "username": "Aladdin", "password": "open sesame"});
    let umlaut = json!({"type": "basic", "username": "ü", "password": "é:x"});
    let token = json!({"type": "header", "name": "X-Token", "value": "s3cret"});
    let none = json!({"type": "none"});
    let mismatch = Err(VerifyError::Mismatch);
    let malformed = Err(VerifyError::Malformed("authorization"));
    for (kind, name, value, expected) in [
        (
            &aladdin,
            "authorization",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            Ok(()),
        ),
        (
            &aladdin,
            "authorization",
            "basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            Ok(()),
        ),
        (
            &aladdin,
            "authorization",
            "Basic QWxhZGRpbjpPcGVuIHNlc2FtZQ==",
            mismatch,
        ),
        (&aladdin, "authorization", "Basic QWxhZGRpbg==", mismatch),
        (&aladdin, "authorization", "Basic", malformed),
        (&aladdin, "authorization", "Basic ?", malformed),
        (
            &aladdin,
            "authorization",
            "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            malformed,
        ),
        (&aladdin, "authorization", "", malformed),
        (
            &aladdin,
            "x",
            "",
            Err(VerifyError::Missing("authorization")),
        ),
        (&umlaut, "authorization", "Basic w7w6w6k6eA==", Ok(())),
        (&token, "x-token", "s3cret", Ok(())),
        (&token, "x-token", "s3creT", mismatch),
        (&token, "x-token", "", mismatch),
        (&token, "x-token", "é", mismatch),
        (&token, "x", "", Err(VerifyError::Unauthenticated)),
        (&none, "x", "", Ok(())),
    ] {
        let call = Call::new(&[(name, value)], "");
        assert_eq!(
            call.verified(&verification(kind.clone()), 0),
            expected,
            "{kind} {value}"
        );
    }
}

#[test]
fn only_basic_authentication_is_a_registered_scheme() {
    for kind in each() {
        let expected = match kind["type"].as_str() {
            Some("basic") => r#"Basic realm="inbound", charset="UTF-8""#,
            _ => "Signature",
        };
        assert_eq!(verification(kind).challenge_scheme(), expected);
    }
}
