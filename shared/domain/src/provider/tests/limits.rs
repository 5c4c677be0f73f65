//! The presets of `docs/providers` against the documented rules of their providers: every accepted
//! message renders to a valid API request.

use super::{CALLBACK, presets::preset, *};

const SENDGRID: &str = include_str!("../../../../../docs/providers/sendgrid.json");
const TELEGRAM: &str = include_str!("../../../../../docs/providers/telegram.json");
const TWILIO_SMS: &str = include_str!("../../../../../docs/providers/twilio-sms.json");
const TWILIO_VOICE: &str = include_str!("../../../../../docs/providers/twilio-voice.json");

/// Returns the accepted message, or the pointers of the invalid fields.
fn accept(provider: &Provider, document: Value) -> Result<Message, Vec<String>> {
    let channel = provider.settings.channel;
    let new = if channel == Channel::Call {
        NewMessage::parse_call(document)
    } else {
        NewMessage::parse(document)
    };
    let new = new.and_then(|new| provider.check_message(&new.content).map(|()| new));
    let new = new.map_err(|problems| {
        problems
            .0
            .into_iter()
            .map(|problem| problem.pointer)
            .collect::<Vec<_>>()
    })?;
    let id = MessageRef::new(channel, at(0), 1);
    Ok(Message::accept(
        new,
        id,
        (provider.id, "P".to_owned()),
        at(0),
        "token".to_owned(),
    )
    .0)
}

#[test]
fn messages_beyond_provider_limits_are_rejected() {
    for (text, document, pointers) in [
        (
            SENDGRID,
            json!({"channel": "email", "to": "a@example.com", "text": "t"}),
            vec!["/from", "/subject"],
        ),
        (
            SENDGRID,
            json!({"channel": "email", "to": "a@example.com", "from": "b@example.com", "html": "h"}),
            vec!["/subject"],
        ),
        (
            TWILIO_SMS,
            json!({"channel": "sms", "to": "+15555550100", "text": "t"}),
            vec!["/from"],
        ),
        (
            TWILIO_SMS,
            json!({"channel": "sms", "to": "+15555550100", "from": "Desk", "text": "é".repeat(1_600)}),
            vec![],
        ),
        (
            TWILIO_SMS,
            json!({"channel": "sms", "to": "+15555550100", "from": "Desk", "text": "😀".repeat(801)}),
            vec!["/text"],
        ),
        (
            TWILIO_VOICE,
            json!({"to": "+15555550100", "from": "+15555550101", "text": "&".repeat(800)}),
            vec!["/text"],
        ),
        (
            TWILIO_VOICE,
            json!({"to": "+15555550100", "url": "https://a.example"}),
            vec!["/from"],
        ),
        (
            TELEGRAM,
            json!({"channel": "chatbot", "to": "42", "text": "a".repeat(4_096)}),
            vec![],
        ),
        (
            TELEGRAM,
            json!({"channel": "chatbot", "to": "42", "text": "a".repeat(4_097)}),
            vec!["/text"],
        ),
    ] {
        let found = accept(&preset(text), document.clone())
            .err()
            .unwrap_or_default();
        assert_eq!(found, pointers, "{document}");
    }
}

#[test]
fn limits_round_trip_and_invalid_ones_are_reported() {
    let limited = |limits: &Value| settings(&json!({"request": {"limits": limits}}));
    let saved =
        limited(&json!({"text": {"max_length": 5}, "from": {"required": true}})).expect("settings");
    let limits = saved.to_map()["request"]["limits"].clone();
    assert_eq!(
        limits,
        json!({"text": {"required": false, "max_length": 5}, "from": {"required": true, "max_length": null}})
    );
    for (limits, pointer) in [
        (json!({"size": {}}), "/request/limits/size"),
        (json!({"text": {"max": 1}}), "/request/limits/text/max"),
        (
            json!({"text": {"max_length": 0}}),
            "/request/limits/text/max_length",
        ),
        (json!([]), "/request/limits"),
    ] {
        assert_eq!(
            pointers(limited(&limits).expect_err("wrong limits")),
            [pointer]
        );
    }
}

/// The presets whose requests contain no template, with a message for each.
#[test]
fn presets_that_send_no_template_require_a_text() {
    let preset_of = |name: &str| {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/providers");
        preset(&std::fs::read_to_string(format!("{directory}/{name}.json")).expect(name))
    };
    let (sms, email) = (
        json!({"channel": "sms", "to": "+15555550100", "from": "Desk"}),
        json!({"channel": "email", "to": "a@example.com", "from": "b@example.com", "subject": "s"}),
    );
    let chatbot = json!({"channel": "chatbot", "to": "42"});
    let call = json!({"to": "+15555550100", "from": "+15555550101"});
    for (name, document, others) in [
        ("twilio-sms", &sms, &[][..]),
        ("vonage-sms", &sms, &[]),
        ("infobip-sms", &sms, &[]),
        ("messagebird-sms", &sms, &[]),
        ("generic-json", &sms, &[]),
        ("telegram", &chatbot, &[]),
        ("sendgrid", &email, &["html"]),
        ("mailgun", &email, &["html"]),
        ("twilio-voice", &call, &["url"]),
    ] {
        let provider = preset_of(name);
        let with = |field: &str, value: &str| {
            let mut document = document.clone();
            document[field] = json!(value);
            accept(&provider, document).map(|_| ())
        };
        assert_eq!(
            with("template", "spring"),
            Err(vec!["/text".to_owned()]),
            "{name}"
        );
        assert_eq!(with("text", "Hi"), Ok(()), "{name}");
        for field in others {
            assert_eq!(with(field, "https://a.example"), Ok(()), "{name}: {field}");
        }
    }
    let mut document = sms;
    document["template"] = json!("spring");
    assert!(accept(&preset_of("campaign-server"), document).is_ok());
}

#[test]
fn content_is_text_and_html_together() {
    let limits = json!({"content": {"required": true, "max_length": 5}});
    let one = provider(&json!({"channel": "email", "request": {"limits": limits}}));
    for (bodies, is_accepted) in [
        (json!({"text": "abcde"}), true),
        (json!({"text": "ab", "html": "cde"}), true),
        (json!({"text": "abc", "html": "def"}), false),
        (json!({"template": "spring"}), false),
    ] {
        let mut document = bodies;
        document["channel"] = json!("email");
        document["to"] = json!("a@example.com");
        let found = accept(&one, document.clone()).map(|_| ());
        let expected = if is_accepted {
            Ok(())
        } else {
            Err(vec!["/text".to_owned()])
        };
        assert_eq!(found, expected, "{document}");
    }
}

proptest! {
    #[test]
    fn sendgrid_request_is_valid_for_every_accepted_message(
        subject in proptest::option::of("\\PC{0,40}"), text in proptest::option::of("\\PC{0,40}"),
        html in proptest::option::of("\\PC{0,40}"), from in proptest::option::of(Just("desk@example.com")),
    ) {
        let provider = preset(SENDGRID);
        let document = json!({"channel": "email", "to": "a@example.com", "subject": subject, "text": text, "html": html, "from": from});
        let Ok(message) = accept(&provider, document) else { return Ok(()) };
        let request = request::build(&provider, &message, Some(CALLBACK), at(0)).expect("a request");
        let body: Value = serde_json::from_str(&request.body.expect("a body")).expect("JSON");
        let filled = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        prop_assert!(filled(&body["subject"]) && filled(&body["from"]["email"]), "{body}");
        prop_assert!(filled(&body["personalizations"][0]["to"][0]["email"]));
        let content = body["content"].as_array().expect("parts");
        prop_assert!(!content.is_empty() && content.iter().all(|part| filled(&part["type"]) && filled(&part["value"])));
    }

    #[test]
    fn twilio_request_is_valid_for_every_accepted_call(text in "[&<>'a-z ]{0,4100}", from in proptest::option::of(Just("+15555550101"))) {
        let provider = preset(TWILIO_VOICE);
        let Ok(message) = accept(&provider, json!({"to": "+15555550100", "from": from, "text": text})) else { return Ok(()) };
        let request = request::build(&provider, &message, Some(CALLBACK), at(0)).expect("a request");
        let body = request.body.expect("a body");
        let fields: std::collections::HashMap<_, _> = url::form_urlencoded::parse(body.as_bytes()).collect();
        prop_assert!(fields["Twiml"].len() <= 4_000 && !fields["From"].is_empty());
    }
}
