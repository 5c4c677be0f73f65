//! Validation of messages and calls.

use proptest::prelude::*;

use super::*;

/// A valid document of this kind with other fields; null is a missing one.
fn document(kind: &str, fields: &Value) -> Value {
    let mut document = match kind {
        "email" => json!({"channel": kind, "to": "a@example.com", "text": "t"}),
        "call" => json!({"to": "+15555550100", "text": "hi"}),
        _ => json!({"channel": kind, "to": "+15555550100", "text": "hi"}),
    };
    for (name, value) in fields.as_object().expect("an object") {
        document[name] = value.clone();
    }
    document
}

fn parse(kind: &str, fields: &Value) -> crate::validation::Validated<NewMessage> {
    let parse = match kind {
        "call" => NewMessage::parse_call,
        _ => NewMessage::parse,
    };
    parse(document(kind, fields))
}

#[test]
fn every_invalid_field_is_reported() {
    for (kind, fields, wrong) in [
        ("sms", json!({}), ""),
        ("sms", json!({"text": "a\nb", "from": "Shop"}), ""),
        ("sms", json!({"from": "55512"}), ""),
        ("sms", json!({"from": "12345678"}), ""),
        ("sms", json!({"from": "123456789"}), "/from"),
        ("sms", json!({"from": "5555550111"}), "/from"),
        ("sms", json!({"from": "(555) 555-0111"}), "/from"),
        ("sms", json!({"from": "Shop 5555550111"}), ""),
        ("sms", json!({"from": "+1555555"}), ""),
        ("sms", json!({"from": "+1"}), "/from"),
        ("sms", json!({"text": "a\u{0}"}), "/text"),
        ("sms", json!({"text": " \n"}), "/text"),
        ("sms", json!({"text": null}), "/text"),
        ("sms", json!({"to": "15555550100"}), "/to"),
        ("sms", json!({"to": "+05555550100"}), "/to"),
        ("sms", json!({"to": "+1 5555550100"}), "/to"),
        ("sms", json!({"to": "+123456"}), "/to"),
        ("sms", json!({"to": "+1234567"}), ""),
        ("sms", json!({"to": "+１２３４５６７８"}), "/to"),
        ("sms", json!({"metadata": []}), "/metadata"),
        ("sms", json!({"campaign_id": "camp_1"}), "/campaign_id"),
        ("sms", json!({"url": "https://a.example"}), "/url"),
        ("sms", json!({"channel": "call"}), "/channel"),
        ("chatbot", json!({"to": "42"}), ""),
        ("chatbot", json!({"to": ""}), "/to"),
        ("chatbot", json!({"text": null}), "/text"),
        ("chatbot", json!({"text": null, "template": "t"}), ""),
        ("sms", json!({"text": null, "template": "t"}), ""),
        ("sms", json!({"text": null, "fields": {"a": 1}}), "/text"),
        ("sms", json!({"template": ""}), "/template"),
        ("sms", json!({"template": 1}), "/template"),
        (
            "sms",
            json!({"fields": {"a": "x", "b c": 1.5, "d": true}}),
            "",
        ),
        ("sms", json!({"fields": []}), "/fields"),
        (
            "sms",
            json!({"fields": {"a": null, "b": {}, "c": [], "": 1}}),
            "/fields/ /fields/a /fields/b /fields/c",
        ),
        ("email", json!({"text": null, "template": "t"}), ""),
        (
            "call",
            json!({"text": null, "template": "t", "fields": {"a": 1}}),
            "",
        ),
        ("call", json!({"fields": {"a": []}}), "/fields/a"),
        (
            "email",
            json!({"to": "a.b+c@x-y.example.com", "text": null, "html": "<p>"}),
            "",
        ),
        (
            "email",
            json!({"to": "user@उदाहरण.परीक्षा", "from": "Support <s@example.com>"}),
            "",
        ),
        ("email", json!({"to": "a@b@example.com"}), "/to"),
        ("email", json!({"to": "Ana <a@example.com>"}), "/to"),
        (
            "email",
            json!({"from": "Acme, Inc. <s@example.com>"}),
            "/from",
        ),
        (
            "email",
            json!({"from": "Acme <s@example.com>, b@c.de"}),
            "/from",
        ),
        ("email", json!({"subject": "a\r\nBcc: b"}), "/subject"),
        ("email", json!({"text": null, "subject": "s"}), "/text"),
        ("call", json!({}), ""),
        (
            "call",
            json!({"text": null, "url": "http://a.example/twiml"}),
            "",
        ),
        ("call", json!({"url": "javascript:alert(1)"}), "/url"),
        ("call", json!({"url": "ftp://a.example/"}), "/url"),
        ("call", json!({"url": "https://"}), "/url"),
        ("call", json!({"url": "https://a.example/ b"}), "/url"),
        ("call", json!({"url": "https://a.example/\u{7f}"}), "/url"),
        ("call", json!({"text": null}), "/text"),
        (
            "call",
            json!({"to": "x", "from": "+1", "html": "x"}),
            "/to /from /html",
        ),
        (
            "?",
            json!({"to": 1, "from": "", "metadata": 1, "x": 1}),
            "/channel /to /from /metadata /x",
        ),
    ] {
        let found = parse(kind, &fields).map_or_else(|errors| errors.0, |_| Vec::new());
        let pointers: Vec<&str> = found.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers.join(" "), wrong, "{kind} {fields}");
    }
}

#[test]
fn texts_have_a_maximum_length() {
    let url = format!("https://a.example/{}", "x".repeat(1_982));
    let no_url = "must be an absolute http or https URL of at most 2000 bytes";
    let no_phone = "must be a phone number in E.164 format, such as +15555550100";
    for (kind, field, longest, detail) in [
        (
            "sms",
            "text",
            "é".repeat(1_600),
            "must have at most 1600 characters",
        ),
        (
            "email",
            "text",
            "x".repeat(32_768),
            "must have at most 32768 bytes",
        ),
        (
            "email",
            "html",
            "x".repeat(131_072),
            "must have at most 131072 bytes",
        ),
        (
            "email",
            "subject",
            "é".repeat(998),
            "must have 1 to 998 characters",
        ),
        (
            "sms",
            "template",
            "é".repeat(100),
            "must have 1 to 100 characters",
        ),
        (
            "chatbot",
            "to",
            "é".repeat(255),
            "must have 1 to 255 characters",
        ),
        (
            "sms",
            "from",
            "é".repeat(255),
            "must have 1 to 255 characters",
        ),
        (
            "sms",
            "provider",
            "é".repeat(100),
            "must have 1 to 100 characters",
        ),
        ("sms", "to", "+123456789012345".to_owned(), no_phone),
        (
            "call",
            "text",
            "x".repeat(32_768),
            "must have at most 32768 bytes",
        ),
        ("call", "url", url, no_url),
    ] {
        assert!(
            parse(kind, &json!({field: longest})).is_ok(),
            "{kind} {field}"
        );
        let errors = parse(kind, &json!({field: longest + "1"})).expect_err("too long");
        let (pointer, found) = (errors.0[0].pointer.as_str(), errors.0[0].detail.as_str());
        assert_eq!(
            (pointer, found),
            (format!("/{field}").as_str(), detail),
            "{kind}"
        );
    }
    let metadata = |bytes| json!({"metadata": {"a": "x".repeat(bytes - r#"{"a":""}"#.len())}});
    assert!(parse("sms", &metadata(16_384)).is_ok() && parse("sms", &metadata(16_385)).is_err());
    let fields = |count: usize, bytes: usize| {
        let names = (0..count).map(|n| format!("f{n:02}"));
        let fields: Map<String, Value> =
            names.map(|name| (name, json!("x".repeat(bytes)))).collect();
        parse("sms", &json!({ "fields": fields })).is_ok()
    };
    // Each field takes nine bytes besides its value.
    assert!(fields(50, 318) && !fields(51, 1) && !fields(50, 319));
    let named = |length| parse("sms", &json!({"fields": {"é".repeat(length): 1}})).is_ok();
    assert!(named(100) && !named(101));
}

#[test]
fn every_field_is_read() {
    let mut document = document(
        "email",
        &json!({
            "html": "<p>", "subject": "s", "template": "order_shipped", "fields": {"order": 20_817},
            "metadata": {"a": 1},
        }),
    );
    document["from"] = json!("Support <s@example.com>");
    document["provider"] = json!(" GW ");
    document["campaign_id"] = json!("camp_01K3S0M3ZC0000000000000000");
    let content = Content {
        to: "a@example.com".to_owned(),
        from: Some("Support <s@example.com>".to_owned()),
        subject: Some("s".to_owned()),
        text: Some("t".to_owned()),
        html: Some("<p>".to_owned()),
        url: None,
        template: Some("order_shipped".to_owned()),
        fields: Map::from_iter([("order".to_owned(), json!(20_817))]),
        metadata: Map::from_iter([("a".to_owned(), json!(1))]),
    };
    let email = NewMessage {
        channel: Channel::Email,
        provider: Some("GW".to_owned()),
        content,
        campaign_id: "camp_01K3S0M3ZC0000000000000000".parse().ok(),
        campaign: None,
        fallback_provider_id: None,
        default_sender: false,
        hops: 0,
    };
    assert_eq!(NewMessage::parse(document), Ok(email));
    let call = parse(
        "call",
        &json!({"url": "https://a.example", "provider": "GW"}),
    )
    .expect("a call");
    assert_eq!(
        (call.channel, call.provider.as_deref()),
        (Channel::Call, Some("GW"))
    );
    assert_eq!(
        json!(call.content),
        json!({
            "to": "+15555550100", "from": null, "subject": null, "text": "hi", "html": null,
            "url": "https://a.example", "metadata": {},
        })
    );
}

proptest! {
    #[test]
    fn parse_accepts_any_document(field in "(channel|to|from|subject|text|html|url|metadata|provider)", text in "\\PC{0,40}") {
        for kind in ["sms", "email", "chatbot", "call"] {
            let _ = parse(kind, &json!({&field: text}));
        }
    }
}
