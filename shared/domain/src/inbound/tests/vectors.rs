//! Published signatures of providers, and signatures made with Python's `hmac`.

use super::*;

const SLACK_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const SLACK_SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
const SLACK_BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&\
    channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
    response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&\
    trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
const TWILIO_URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const TWILIO_HASHED: &str = "https://mycompany.com/myapp.php?foo=1&bar=2&\
    bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
const FORM: &str = "application/x-www-form-urlencoded";

/// Checks 300 seconds before and after `signed`, and one second more.
fn windows(call: &Call, verification: &Verification, signed: i64) {
    for (now, expected) in [
        (signed, Ok(())),
        (signed + 300, Ok(())),
        (signed - 300, Ok(())),
        (signed + 301, Err(VerifyError::Stale)),
        (signed - 301, Err(VerifyError::Stale)),
        (Timestamp::MIN.as_second(), Err(VerifyError::Stale)),
        (Timestamp::MAX.as_second(), Err(VerifyError::Stale)),
    ] {
        assert_eq!(
            call.verified(verification, now),
            expected,
            "{now} of {signed}"
        );
    }
}

/// Invalid texts in place of a time.
const ABSURD: [&str; 10] = [
    "",
    "x",
    "-9223372036854775808",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999999",
    "-1",
    "1e9",
    "1614265330.5",
    "0x60",
];

/// Example from the reference libraries of the specification.
#[test]
fn standard_webhooks_signatures_verify() {
    const BODY: &str = r#"{"test": 2432232314}"#;
    const RIGHT: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const WRONG: &str = "v1,ceIfvGZjXgQIXzUlTFXVCkPtqLiyKWMqfkOHbMhYCKk=";
    let verification = with_secret("standard_webhooks", WHSEC);
    let call = |time: &str, signature: &str, body: &str| {
        let id = ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
        Call::new(
            &[
                id,
                ("webhook-timestamp", time),
                ("webhook-signature", signature),
            ],
            body,
        )
    };
    let now = 1_614_265_330;
    windows(&call("1614265330", RIGHT, BODY), &verification, now);
    for signatures in [
        format!("{WRONG} {RIGHT}"),
        format!("{RIGHT} {WRONG}"),
        format!("v1a,xyz {RIGHT}"),
    ] {
        assert_eq!(
            call("1614265330", &signatures, BODY).verified(&verification, now),
            Ok(())
        );
    }
    for signatures in [
        WRONG,
        "",
        "v1,",
        "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        &RIGHT[3..],
    ] {
        assert_eq!(
            call("1614265330", signatures, BODY).verified(&verification, now),
            Err(VerifyError::Mismatch)
        );
    }
    assert_eq!(
        call("1614265331", RIGHT, BODY).verified(&verification, now),
        Err(VerifyError::Mismatch)
    );
    assert_eq!(
        call("1614265330", RIGHT, "{}").verified(&verification, now),
        Err(VerifyError::Mismatch)
    );
    for time in ABSURD {
        let verdict = call(time, RIGHT, BODY).verified(&verification, now);
        assert!(
            matches!(
                verdict,
                Err(VerifyError::Stale | VerifyError::Malformed("webhook-timestamp"))
            ),
            "{time}: {verdict:?}"
        );
    }
    for missing in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut call = call("1614265330", RIGHT, BODY);
        call.headers.remove(missing);
        assert_eq!(
            call.verified(&verification, now),
            Err(VerifyError::Missing(missing))
        );
    }
    let other = with_secret("standard_webhooks", "a plain secret of 24 ch.");
    assert_eq!(
        call("1614265330", RIGHT, BODY).verified(&other, now),
        Err(VerifyError::Mismatch)
    );
}

/// From "Validating webhook deliveries" in GitHub's documentation.
#[test]
fn github_signatures_verify() {
    const RIGHT: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let verification = with_secret("github", "It's a Secret to Everybody");
    let verdict =
        |headers: &[(&str, &str)], body: &str| Call::new(headers, body).verified(&verification, 0);
    assert_eq!(
        verdict(&[("X-Hub-Signature-256", RIGHT)], "Hello, World!"),
        Ok(())
    );
    assert_eq!(
        verdict(&[("X-Hub-Signature-256", RIGHT)], "Hello, World?"),
        Err(VerifyError::Mismatch)
    );
    assert_eq!(
        verdict(&[("X-Hub-Signature", RIGHT)], "Hello, World!"),
        Err(VerifyError::Missing("x-hub-signature-256"))
    );
    for malformed in [
        &RIGHT[7..],
        "sha256=",
        "sha256=xyz",
        &RIGHT[..70],
        "sha1=757107ea",
        "é",
    ] {
        let verdict = verdict(&[("X-Hub-Signature-256", malformed)], "Hello, World!");
        assert!(
            matches!(
                verdict,
                Err(VerifyError::Malformed(_) | VerifyError::Mismatch)
            ),
            "{malformed}: {verdict:?}"
        );
    }
    let other = with_secret("github", "It's a secret to everybody");
    let call = Call::new(&[("X-Hub-Signature-256", RIGHT)], "Hello, World!");
    assert_eq!(call.verified(&other, 0), Err(VerifyError::Mismatch));
}

#[test]
fn stripe_signatures_verify() {
    const BODY: &str = r#"{"id":"evt_1","object":"event"}"#;
    const RIGHT: &str = "v1=654b43d3508ecadb3f8cefc4bc7d3d2bdc5ba9e03bf2c89b2d0657a8e24e4543";
    let wrong = format!("v1={}", "0".repeat(64));
    let verification = with_secret("stripe", "whsec_test_secret");
    let call = |header: &str| Call::new(&[("Stripe-Signature", header)], BODY);
    let now = 1_492_774_577;
    windows(&call(&format!("t=1492774577,{RIGHT}")), &verification, now);
    for right in [
        format!("t=1492774577,{wrong},{RIGHT}"),
        format!("t=1492774577,{RIGHT},{wrong}"),
        format!("{RIGHT}, t=1492774577"),
        format!(
            "t=1492774577,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39,{RIGHT}"
        ),
        format!("t=1492774577,v1=zz,{RIGHT},junk"),
    ] {
        assert_eq!(call(&right).verified(&verification, now), Ok(()), "{right}");
    }
    for (header, refused) in [
        (format!("t=1492774577,{wrong}"), VerifyError::Mismatch),
        (format!("t=1492774578,{RIGHT}"), VerifyError::Mismatch),
        (
            format!("t=1492774578,t=1492774577,{RIGHT}"),
            VerifyError::Mismatch,
        ),
        (
            format!("t=1492774577,{}", RIGHT.replace("v1", "v0")),
            VerifyError::Mismatch,
        ),
        ("t=1492774577".to_owned(), VerifyError::Mismatch),
        (RIGHT.to_owned(), VerifyError::Malformed("stripe-signature")),
        (String::new(), VerifyError::Malformed("stripe-signature")),
    ] {
        assert_eq!(
            call(&header).verified(&verification, now),
            Err(refused),
            "{header}"
        );
    }
    for time in ABSURD {
        let verdict = call(&format!("t={time},{RIGHT}")).verified(&verification, now);
        assert!(
            matches!(verdict, Err(VerifyError::Stale | VerifyError::Malformed(_))),
            "{time}: {verdict:?}"
        );
    }
    assert_eq!(
        Call::new(&[], BODY).verified(&verification, now),
        Err(VerifyError::Missing("stripe-signature"))
    );
    let other = with_secret("stripe", "whsec_other");
    assert_eq!(
        call(&format!("t=1492774577,{RIGHT}")).verified(&other, now),
        Err(VerifyError::Mismatch)
    );
}

/// From "Verifying requests from Slack".
#[test]
fn slack_signatures_verify() {
    let verification = with_secret("slack", SLACK_SECRET);
    let call = |time: &str, signature: &str| {
        Call::new(
            &[
                ("X-Slack-Request-Timestamp", time),
                ("X-Slack-Signature", signature),
            ],
            SLACK_BODY,
        )
    };
    let now = 1_531_420_618;
    windows(&call("1531420618", SLACK_SIGNATURE), &verification, now);
    assert_eq!(
        call("1531420619", SLACK_SIGNATURE).verified(&verification, now),
        Err(VerifyError::Mismatch)
    );
    let v1 = SLACK_SIGNATURE.replace("v0", "v1");
    assert_eq!(
        call("1531420618", &v1).verified(&verification, now),
        Err(VerifyError::Malformed("x-slack-signature"))
    );
    for time in ABSURD {
        let verdict = call(time, SLACK_SIGNATURE).verified(&verification, now);
        assert!(
            matches!(verdict, Err(VerifyError::Stale | VerifyError::Malformed(_))),
            "{time}: {verdict:?}"
        );
    }
    for missing in ["x-slack-signature", "x-slack-request-timestamp"] {
        let mut call = call("1531420618", SLACK_SIGNATURE);
        call.headers.remove(missing);
        assert_eq!(
            call.verified(&verification, now),
            Err(VerifyError::Missing(missing))
        );
    }
    let other = with_secret("slack", "another");
    assert_eq!(
        call("1531420618", SLACK_SIGNATURE).verified(&other, now),
        Err(VerifyError::Mismatch)
    );
}

#[test]
fn shopify_signatures_verify_with_non_utf8_bodies() {
    const RIGHT: &str = "rBVgqYb9yW7js62p/ka8FJbcjz34qisjOtzH1EeyWkQ=";
    let body = b"{\"id\":1,\"name\":\"caf\xe9\"}";
    let verdict = |secret: &str, name: &str, signature: &str, body: &[u8]| {
        Call::new(&[(name, signature)], body).verified(&with_secret("shopify", secret), 0)
    };
    assert_eq!(
        verdict("hush", "X-Shopify-Hmac-SHA256", RIGHT, body),
        Ok(())
    );
    assert_eq!(
        verdict("hush", "X-Shopify-Hmac-SHA256", RIGHT, b"{}"),
        Err(VerifyError::Mismatch)
    );
    assert_eq!(
        verdict("Hush", "X-Shopify-Hmac-SHA256", RIGHT, body),
        Err(VerifyError::Mismatch)
    );
    let malformed = verdict("hush", "X-Shopify-Hmac-SHA256", "?", body);
    assert_eq!(
        malformed,
        Err(VerifyError::Malformed("x-shopify-hmac-sha256"))
    );
    assert_eq!(
        verdict("hush", "X-Other", RIGHT, body),
        Err(VerifyError::Missing("x-shopify-hmac-sha256"))
    );
}

/// From Twilio's documentation and its libraries' tests; the token is `12345`.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of vectors")]
fn twilio_signatures_verify() {
    const NEW: &str = "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&From=%2B12349013030&To=%2B18005551212";
    const OLD: &str = "To=%2B18005551212&From=%2B14158675309&Digits=1234&Caller=%2B14158675309&CallSid=CA1234567890ABCDE";
    const JSON: &str = r#"{"property": "value", "boolean": true}"#;
    let ported = TWILIO_URL.replace(".com", ".com:1234");
    let hash_only = TWILIO_HASHED.replace("foo=1&bar=2&", "");
    let reasons = format!("{OLD}&ReasonConferenceEnded=test&Reason=Participant");
    let twice = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234";
    for (signature, url, content_type, body, right) in [
        ("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", TWILIO_URL, FORM, NEW, true),
        ("RSOYDt4T1cUTdK1PDd93/VVr8B8=", TWILIO_URL, FORM, OLD, true),
        (
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            TWILIO_URL,
            "Application/X-WWW-Form-URLencoded; charset=UTF-8",
            OLD,
            true,
        ),
        ("RSOYDt4T1cUTdK1PDd93/VVr8B8=", &ported, FORM, OLD, true),
        ("kvajT1Ptam85bY51eRf/AJRuM3w=", TWILIO_URL, FORM, OLD, true),
        (
            "0ZXoZLH/DfblKGATFgpif+LLRf4=",
            &TWILIO_URL.replace("https", "http"),
            FORM,
            OLD,
            true,
        ),
        (
            "vOEb5UThFn24KEfnOFLQY2AE5FY=",
            TWILIO_URL,
            FORM,
            &reasons,
            true,
        ),
        (
            "95+Bu0JVPi0r/SsESZCVf0dWAjw=",
            TWILIO_URL,
            FORM,
            &reasons,
            false,
        ),
        (
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
            TWILIO_URL,
            FORM,
            twice,
            true,
        ),
        (
            "NBdBDr/T/lgjI+tlgpXjKZQZs/k=",
            TWILIO_URL,
            FORM,
            "property=value&boolean=true",
            true,
        ),
        (
            "a9nBmqA0ju/hNViExpshrM61xv4=",
            TWILIO_HASHED,
            "application/json",
            JSON,
            true,
        ),
        (
            "y77kIzt2vzLz71DgmJGsen2scGs=",
            &hash_only,
            "application/json",
            JSON,
            true,
        ),
        // The URL is signed, but the body is another one, missing, or an empty form.
        (
            "a9nBmqA0ju/hNViExpshrM61xv4=",
            TWILIO_HASHED,
            "application/json",
            "{}",
            false,
        ),
        (
            "a9nBmqA0ju/hNViExpshrM61xv4=",
            TWILIO_HASHED,
            "application/json",
            "",
            false,
        ),
        (
            "a9nBmqA0ju/hNViExpshrM61xv4=",
            TWILIO_HASHED,
            FORM,
            "",
            false,
        ),
        (
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            TWILIO_URL,
            "application/json",
            JSON,
            false,
        ),
        ("RSOYDt4T1cUTdK1PDd93/VVr8B8=", TWILIO_URL, FORM, NEW, false),
        (
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            "https://mycompany.com/myapp.php",
            FORM,
            OLD,
            false,
        ),
    ] {
        let call = Call::new(
            &[
                ("X-Twilio-Signature", signature),
                ("Content-Type", content_type),
            ],
            body,
        )
        .to(url);
        let expected = if right {
            Ok(())
        } else {
            Err(VerifyError::Mismatch)
        };
        assert_eq!(
            call.verified(&with_secret("twilio", "12345"), 0),
            expected,
            "{signature} {url} {body}"
        );
        assert_eq!(
            call.verified(&with_secret("twilio", "12346"), 0),
            Err(VerifyError::Mismatch)
        );
    }
    let twilio = with_secret("twilio", "12345");
    assert_eq!(
        Call::new(&[], "").verified(&twilio, 0),
        Err(VerifyError::Missing("x-twilio-signature"))
    );
    let call = Call::new(
        &[("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")],
        "x",
    );
    assert_eq!(
        call.to("https://h.example/?bodySHA256=x")
            .verified(&twilio, 0),
        Err(VerifyError::Malformed("bodySHA256"))
    );
}

/// Test case 2 of RFC 2202 and RFC 4231.
#[test]
fn hmacs_of_each_kind_verify() {
    const BODY: &str = "what do ya want for nothing?";
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
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a\
             6b4b636e070a38bce737",
        ),
        (
            "sha512",
            "base64",
            "",
            "Fkt6e/z4GeLjlfvnO1bgo4e9ZCIugx/WECcM1+olBVSXWL91wFqZSm0DT2X48Ob9yuqxo01Ka0tjbgcKOLznNw==",
        ),
    ] {
        let kind = |secret: &str| {
            verification(json!({
                "type": "hmac", "secret": secret, "header": "X-Sig", "algorithm": algorithm, "encoding": encoding,
                "prefix": prefix,
            }))
        };
        let verdict = |signature: &str, body: &str| {
            Call::new(&[("x-sig", signature)], body).verified(&kind("Jefe"), 0)
        };
        assert_eq!(verdict(signature, BODY), Ok(()), "{algorithm} {encoding}");
        assert_eq!(verdict(signature, "what?"), Err(VerifyError::Mismatch));
        assert!(verdict(&signature[..signature.len() - 4], BODY).is_err());
        assert_eq!(
            verdict("é", BODY),
            Err(VerifyError::Malformed("the signature"))
        );
        assert_eq!(
            Call::new(&[], BODY).verified(&kind("Jefe"), 0),
            Err(VerifyError::Unauthenticated)
        );
        assert_eq!(
            Call::new(&[("x-sig", signature)], BODY).verified(&kind("jefe"), 0),
            Err(VerifyError::Mismatch)
        );
        if !prefix.is_empty() {
            assert_eq!(
                verdict(&signature[prefix.len()..], BODY),
                Err(VerifyError::Malformed("the signature"))
            );
        }
    }
}

/// The first pair is from RFC 7617.
#[test]
fn basic_and_header_secrets_verify() {
    let aladdin =
        verification(json!({"type": "basic", "username": "Aladdin", "password": "open sesame"}));
    for (authorization, expected) in [
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Ok(())),
        ("basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Ok(())),
        (
            "Basic QWxhZGRpbjpPcGVuIHNlc2FtZQ==",
            Err(VerifyError::Mismatch),
        ),
        ("Basic QWxhZGRpbg==", Err(VerifyError::Mismatch)),
        ("Basic", Err(VerifyError::Malformed("authorization"))),
        ("Basic ?", Err(VerifyError::Malformed("authorization"))),
        (
            "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            Err(VerifyError::Malformed("authorization")),
        ),
        ("", Err(VerifyError::Malformed("authorization"))),
    ] {
        assert_eq!(
            Call::new(&[("Authorization", authorization)], "").verified(&aladdin, 0),
            expected,
            "{authorization}"
        );
    }
    assert_eq!(
        Call::new(&[], "").verified(&aladdin, 0),
        Err(VerifyError::Missing("authorization"))
    );
    let umlaut = verification(json!({"type": "basic", "username": "ü", "password": "é:x"}));
    assert_eq!(
        Call::new(&[("Authorization", "Basic w7w6w6k6eA==")], "").verified(&umlaut, 0),
        Ok(())
    );

    let header = verification(json!({"type": "header", "name": "X-Token", "value": "s3cret"}));
    for (value, expected) in [
        ("s3cret", Ok(())),
        ("s3creT", Err(VerifyError::Mismatch)),
        ("", Err(VerifyError::Mismatch)),
        ("é", Err(VerifyError::Mismatch)),
    ] {
        assert_eq!(
            Call::new(&[("x-token", value)], "").verified(&header, 0),
            expected,
            "{value}"
        );
    }
    assert_eq!(
        Call::new(&[], "").verified(&header, 0),
        Err(VerifyError::Unauthenticated)
    );
    assert_eq!(Call::new(&[], "").verified(&Verification::None, 0), Ok(()));
}
