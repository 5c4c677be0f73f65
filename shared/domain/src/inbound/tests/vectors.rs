//! Signatures without a timestamp: published by providers, or made with Python's `hmac`.

use super::*;

/// From "Validating webhook deliveries" in GitHub's documentation.
#[test]
fn github_signatures_verify() {
    const NAME: &str = "x-hub-signature-256";
    const SECRET: &str = "It's a Secret to Everybody";
    const RIGHT: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let malformed = Err(VerifyError::Malformed(NAME));
    let mismatch = Err(VerifyError::Mismatch);
    for (secret, header, signature, body, expected) in [
        (SECRET, NAME, RIGHT, "Hello, World!", Ok(())),
        (SECRET, NAME, RIGHT, "Hello, World?", mismatch),
        (
            "It's a secret to Everybody",
            NAME,
            RIGHT,
            "Hello, World!",
            mismatch,
        ),
        (
            SECRET,
            "X-Hub-Signature",
            RIGHT,
            "",
            Err(VerifyError::Missing(NAME)),
        ),
        (SECRET, NAME, &RIGHT[7..], "", malformed),
        (SECRET, NAME, "sha256=", "", mismatch),
        (SECRET, NAME, "sha256=xyz", "", malformed),
        (SECRET, NAME, "sha256=xyza", "", malformed),
        (SECRET, NAME, &RIGHT[..70], "", malformed),
        (SECRET, NAME, "sha1=757107ea", "", malformed),
        (SECRET, NAME, "é", "", malformed),
    ] {
        let call = Call::new(&[(header, signature)], body);
        let verdict = call.verified(&with_secret("github", secret), 0);
        assert_eq!(verdict, expected, "{secret} {signature} {body}");
    }
}

#[test]
fn shopify_signatures_verify_with_non_utf8_bodies() {
    const NAME: &str = "x-shopify-hmac-sha256";
    const RIGHT: &str = "rBVgqYb9yW7js62p/ka8FJbcjz34qisjOtzH1EeyWkQ=";
    const BODY: &[u8] = b"{\"id\":1,\"name\":\"caf\xe9\"}";
    for (secret, header, signature, body, expected) in [
        ("hush", NAME, RIGHT, BODY, Ok(())),
        ("hush", NAME, RIGHT, b"{}", Err(VerifyError::Mismatch)),
        ("Hush", NAME, RIGHT, BODY, Err(VerifyError::Mismatch)),
        ("hush", NAME, "?", BODY, Err(VerifyError::Malformed(NAME))),
        (
            "hush",
            "x-other",
            RIGHT,
            BODY,
            Err(VerifyError::Missing(NAME)),
        ),
    ] {
        let call = Call::new(&[(header, signature)], body);
        let verdict = call.verified(&with_secret("shopify", secret), 0);
        assert_eq!(verdict, expected, "{secret} {header} {signature}");
    }
}

/// From Twilio's documentation and its libraries' tests; the token is `12345`.
#[test]
fn twilio_signatures_verify() {
    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const HASHED: &str = "https://mycompany.com/myapp.php?foo=1&bar=2&\
        bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    const FORM: &str = "application/x-www-form-urlencoded";
    const NEW: &str = "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&\
        From=%2B12349013030&To=%2B18005551212";
    const OLD: &str = "To=%2B18005551212&From=%2B14158675309&Digits=1234&Caller=%2B14158675309&\
        CallSid=CA1234567890ABCDE";
    const BODY: &str = r#"{"property": "value", "boolean": true}"#;
    const OF_OLD: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    const OF_BODY: &str = "a9nBmqA0ju/hNViExpshrM61xv4=";
    let json = "application/json";
    let spelled = "Application/X-WWW-Form-URLencoded; charset=UTF-8";
    let ported = URL.replace(".com", ".com:1234");
    let plain = URL.replace("https", "http");
    let hash_only = HASHED.replace("foo=1&bar=2&", "");
    let reasons = format!("{OLD}&ReasonConferenceEnded=test&Reason=Participant");
    let twice = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234";
    let twilio = with_secret("twilio", "12345");
    let mismatch = Err(VerifyError::Mismatch);
    for (signature, url, content_type, body, expected) in [
        ("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", URL, FORM, NEW, Ok(())),
        (OF_OLD, URL, FORM, OLD, Ok(())),
        (OF_OLD, URL, spelled, OLD, Ok(())),
        (OF_OLD, &ported, FORM, OLD, Ok(())),
        ("kvajT1Ptam85bY51eRf/AJRuM3w=", URL, FORM, OLD, Ok(())),
        ("0ZXoZLH/DfblKGATFgpif+LLRf4=", &plain, FORM, OLD, Ok(())),
        ("vOEb5UThFn24KEfnOFLQY2AE5FY=", URL, FORM, &reasons, Ok(())),
        (
            "95+Bu0JVPi0r/SsESZCVf0dWAjw=",
            URL,
            FORM,
            &reasons,
            mismatch,
        ),
        ("IK+Dwps556ElfBT0I3Rgjkr1wJU=", URL, FORM, twice, Ok(())),
        (
            "NBdBDr/T/lgjI+tlgpXjKZQZs/k=",
            URL,
            FORM,
            "property=value&boolean=true",
            Ok(()),
        ),
        (OF_BODY, HASHED, json, BODY, Ok(())),
        (
            "y77kIzt2vzLz71DgmJGsen2scGs=",
            &hash_only,
            json,
            BODY,
            Ok(()),
        ),
        // The URL is signed, but the body is another one, missing, or an empty form.
        (OF_BODY, HASHED, json, "{}", mismatch),
        (OF_BODY, HASHED, json, "", mismatch),
        (OF_BODY, HASHED, FORM, "", mismatch),
        (OF_OLD, URL, json, BODY, mismatch),
        (OF_OLD, URL, FORM, NEW, mismatch),
        (
            OF_OLD,
            "https://mycompany.com/myapp.php",
            FORM,
            OLD,
            mismatch,
        ),
        (
            OF_OLD,
            "https://h.example/?bodySHA256=x",
            json,
            "x",
            Err(VerifyError::Malformed("bodySHA256")),
        ),
    ] {
        let headers = [
            ("X-Twilio-Signature", signature),
            ("Content-Type", content_type),
        ];
        let call = Call::new(&headers, body).to(url);
        assert_eq!(
            call.verified(&twilio, 0),
            expected,
            "{signature} {url} {body}"
        );
        assert!(call.verified(&with_secret("twilio", "12346"), 0).is_err());
    }
    assert_eq!(
        Call::new(&[], "").verified(&twilio, 0),
        Err(VerifyError::Missing("x-twilio-signature"))
    );
}

/// Test case 2 of RFC 2202 and RFC 4231.
#[test]
fn hmacs_of_each_kind_verify() {
    const BODY: &str = "what do ya want for nothing?";
    let malformed = Err(VerifyError::Malformed("the signature"));
    for (algorithm, encoding, prefix, signature) in [
        (
            "sha1",
            "hex",
            "",
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        ),
        (
            "sha1",
            "hex",
            "sha1=",
            "sha1=EFFCDF6AE5EB2FA2D27416D5F184DF9C259A7C79",
        ),
        ("sha1", "base64", "", "7/zfauXrL6LSdBbV8YTfnCWafHk="),
        ("sha1", "base64", "", "7/zfauXrL6LSdBbV8YTfnCWafHk"),
        (
            "sha256",
            "hex",
            "",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            "sha256",
            "base64",
            "HMAC ",
            "HMAC W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
        ),
        (
            "sha512",
            "hex",
            "",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d\
             034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
        (
            "sha512",
            "base64",
            "",
            "Fkt6e/z4GeLjlfvnO1bgo4e9ZCIugx/WECcM1+olBVSXWL91wFqZSm0DT2X48Ob9yuqxo01Ka0tjbgcKOLzn\
             Nw==",
        ),
    ] {
        let with_key = |key: &str| {
            verification(json!({
                "type": "hmac", "secret": key, "header": "X-Sig", "algorithm": algorithm,
                "encoding": encoding, "prefix": prefix,
            }))
        };
        let verdict = |key: &str, signature: &str, body: &str| {
            Call::new(&[("x-sig", signature)], body).verified(&with_key(key), 0)
        };
        assert_eq!(
            verdict("Jefe", signature, BODY),
            Ok(()),
            "{algorithm} {encoding}"
        );
        assert_eq!(
            verdict("Jefe", signature, "what?"),
            Err(VerifyError::Mismatch)
        );
        assert_eq!(verdict("jefe", signature, BODY), Err(VerifyError::Mismatch));
        assert!(verdict("Jefe", &signature[..signature.len() - 4], BODY).is_err());
        assert_eq!(verdict("Jefe", "é", BODY), malformed);
        let unprefixed = verdict("Jefe", &signature[prefix.len()..], BODY);
        assert_eq!(
            unprefixed,
            if prefix.is_empty() { Ok(()) } else { malformed }
        );
        assert_eq!(
            Call::new(&[], BODY).verified(&with_key("Jefe"), 0),
            Err(VerifyError::Unauthenticated)
        );
    }
}
