//! Signatures that cover a timestamp: published by providers, or made with Python's `hmac`.

use super::*;

/// Checks the window of 300 seconds, times that were not signed, another key, and missing headers.
/// `call` makes a request with this time and the signature for `signed`; the time is in the first
/// of the `headers`.
fn check_scheme(
    call: impl Fn(&str) -> Call,
    signed: i64,
    [right, other]: [&Verification; 2],
    headers: &[&'static str],
) {
    let verdict = |time: &str, now| call(time).verified(right, now);
    for (now, expected) in [
        (signed, Ok(())),
        (signed + 300, Ok(())),
        (signed - 300, Ok(())),
        (signed + 301, Err(VerifyError::Stale)),
        (signed - 301, Err(VerifyError::Stale)),
        (Timestamp::MIN.as_second(), Err(VerifyError::Stale)),
        (Timestamp::MAX.as_second(), Err(VerifyError::Stale)),
    ] {
        assert_eq!(verdict(&signed.to_string(), now), expected, "{now}");
    }
    let later = (signed + 1).to_string();
    assert_eq!(verdict(&later, signed), Err(VerifyError::Mismatch));
    for time in ["-9223372036854775808", "9223372036854775807", "-1"] {
        assert_eq!(verdict(time, signed), Err(VerifyError::Stale), "{time}");
    }
    let malformed = Err(VerifyError::Malformed(headers[0]));
    for time in [
        "",
        "x",
        "9223372036854775808",
        "1e9",
        "1614265330.5",
        "0x60",
    ] {
        assert_eq!(verdict(time, signed), malformed, "{time}");
    }
    let mut call = call(&signed.to_string());
    assert_eq!(call.verified(other, signed), Err(VerifyError::Mismatch));
    for name in headers {
        let value = call.headers.remove(*name).expect("a header");
        assert_eq!(
            call.verified(right, signed),
            Err(VerifyError::Missing(name))
        );
        call.headers.insert(*name, value);
    }
}

/// Example from the reference libraries of the specification.
#[test]
fn standard_webhooks_signatures_verify() {
    const BODY: &str = r#"{"test": 2432232314}"#;
    const RIGHT: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const WRONG: &str = "v1,ceIfvGZjXgQIXzUlTFXVCkPtqLiyKWMqfkOHbMhYCKk=";
    let call = |time: &str, signatures: &str, body: &str| {
        let headers = [
            ("webhook-timestamp", time),
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-signature", signatures),
        ];
        Call::new(&headers, body)
    };
    let verification = with_secret("standard_webhooks", WHSEC);
    check_scheme(
        |time| call(time, RIGHT, BODY),
        1_614_265_330,
        [
            &verification,
            &with_secret("standard_webhooks", "a plain secret of 24 ch."),
        ],
        &["webhook-timestamp", "webhook-id", "webhook-signature"],
    );
    let mismatch = Err(VerifyError::Mismatch);
    for (signatures, body, expected) in [
        (&*format!("{WRONG} {RIGHT}"), BODY, Ok(())),
        (&format!("{RIGHT} {WRONG}"), BODY, Ok(())),
        (&format!("v1a,xyz {RIGHT}"), BODY, Ok(())),
        (RIGHT, "{}", mismatch),
        (WRONG, BODY, mismatch),
        ("", BODY, mismatch),
        ("v1,", BODY, mismatch),
        (&RIGHT.replace("v1", "v2"), BODY, mismatch),
        (&RIGHT[3..], BODY, mismatch),
    ] {
        let verdict = call("1614265330", signatures, body).verified(&verification, 1_614_265_330);
        assert_eq!(verdict, expected, "{signatures}");
    }
}

#[test]
fn stripe_signatures_verify() {
    const BODY: &str = r#"{"id":"evt_1","object":"event"}"#;
    const RIGHT: &str = "v1=654b43d3508ecadb3f8cefc4bc7d3d2bdc5ba9e03bf2c89b2d0657a8e24e4543";
    const OTHER: &str = "v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39";
    let wrong = format!("v1={}", "0".repeat(64));
    let verification = with_secret("stripe", "whsec_test_secret");
    let call = |header: &str| Call::new(&[("Stripe-Signature", header)], BODY);
    let now = 1_492_774_577;
    check_scheme(
        |time| call(&format!("t={time},{RIGHT}")),
        now,
        [&verification, &with_secret("stripe", "whsec_other")],
        &["stripe-signature"],
    );
    let repeated = |times| vec![wrong.as_str(); times].join(",");
    let malformed = Err(VerifyError::Malformed("stripe-signature"));
    for (header, expected) in [
        (format!("t=1492774577,{wrong},{RIGHT}"), Ok(())),
        (format!("t=1492774577,{RIGHT},{wrong}"), Ok(())),
        (format!("{RIGHT}, t=1492774577"), Ok(())),
        (format!("t=1492774577,{OTHER},{RIGHT}"), Ok(())),
        (format!("t=1492774577,v1=zz,{RIGHT},junk"), Ok(())),
        (format!("t=1492774577,{},{RIGHT}", repeated(7)), Ok(())),
        (
            format!("t=1492774577,{},{RIGHT}", repeated(8)),
            Err(VerifyError::Mismatch),
        ),
        (format!("t=1492774577,{wrong}"), Err(VerifyError::Mismatch)),
        (
            format!("t=1492774578,t=1492774577,{RIGHT}"),
            Err(VerifyError::Mismatch),
        ),
        (
            format!("t=1492774577,{}", RIGHT.replace("v1", "v0")),
            Err(VerifyError::Mismatch),
        ),
        ("t=1492774577".to_owned(), Err(VerifyError::Mismatch)),
        (RIGHT.to_owned(), malformed),
        (String::new(), malformed),
    ] {
        assert_eq!(
            call(&header).verified(&verification, now),
            expected,
            "{header}"
        );
    }
}

/// From "Verifying requests from Slack".
#[test]
fn slack_signatures_verify() {
    const RIGHT: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&\
        channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&\
        command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands\
        %2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&\
        trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let verification = with_secret("slack", "8f742231b10e8888abcd99yyyzzz85a5");
    let call = |time: &str, signature: &str| {
        let time = ("X-Slack-Request-Timestamp", time);
        Call::new(&[time, ("X-Slack-Signature", signature)], BODY)
    };
    check_scheme(
        |time| call(time, RIGHT),
        1_531_420_618,
        [&verification, &with_secret("slack", "another")],
        &["x-slack-request-timestamp", "x-slack-signature"],
    );
    let v1 = call("1531420618", &RIGHT.replace("v0", "v1"));
    assert_eq!(
        v1.verified(&verification, 1_531_420_618),
        Err(VerifyError::Malformed("x-slack-signature"))
    );
}
