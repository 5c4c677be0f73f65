//! The presets of `docs/providers`: their requests match the APIs.

use super::{CALLBACK, *};

/// A preset with keys instead of its placeholders.
pub(super) fn preset(text: &str) -> Provider {
    let document = serde_json::from_str(&text.replace("YOUR_", "MY_")).expect("JSON");
    let settings = Settings::parse(document, &AllowList::default(), KeyPolicy::Required)
        .expect("a valid preset");
    Provider::new(ProviderId::new(at(0), 7), settings, at(0))
}

fn form(request: &Request) -> Vec<(String, String)> {
    assert_eq!(
        header(&request.headers, "content-type"),
        "application/x-www-form-urlencoded"
    );
    url::form_urlencoded::parse(request.body.as_deref().expect("a body").as_bytes())
        .into_owned()
        .collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn twilio_requests_match_the_api() {
    let one = preset(include_str!(
        "../../../../../docs/providers/twilio-sms.json"
    ));
    let request = request::build(&one, &sms("a&b=é"), Some(CALLBACK), at(0)).expect("a request");
    let account = "https://api.twilio.com/2010-04-01/Accounts/MY_ACCOUNT_SID";
    assert_eq!(
        (request.method.as_str(), request.url.to_string()),
        ("POST", format!("{account}/Messages.json"))
    );
    let basic = format!(
        "Basic {}",
        BASE64_STANDARD.encode("MY_ACCOUNT_SID:MY_AUTH_TOKEN")
    );
    assert_eq!(header(&request.headers, "authorization"), basic);
    assert_eq!(
        form(&request),
        pairs(&[
            ("To", "+15555550100"),
            ("From", "+15555550111"),
            ("Body", "a&b=é"),
            ("StatusCallback", CALLBACK)
        ])
    );

    let one = preset(include_str!(
        "../../../../../docs/providers/twilio-voice.json"
    ));
    for (call, twiml) in [
        (
            json!({"text": "<Dial>1 & 2</Dial>"}),
            "<Response><Say>&lt;Dial&gt;1 &amp; 2&lt;/Dial&gt;</Say></Response>",
        ),
        (
            json!({"url": "https://a.example/x?a=1&b=2"}),
            "<Response><Redirect>https://a.example/x?a=1&amp;b=2</Redirect></Response>",
        ),
    ] {
        let mut document = json!({"to": "+15555550100", "from": "+15555550111"});
        document
            .as_object_mut()
            .expect("object")
            .extend(call.as_object().expect("object").clone());
        let request = request::build(
            &one,
            &message(document, Channel::Call),
            Some(CALLBACK),
            at(0),
        )
        .expect("a request");
        assert_eq!(request.url.to_string(), format!("{account}/Calls.json"));
        let mut expected = vec![
            ("To", "+15555550100"),
            ("From", "+15555550111"),
            ("Twiml", twiml),
            ("StatusCallback", CALLBACK),
        ];
        expected.extend(
            ["initiated", "ringing", "answered", "completed"]
                .map(|event| ("StatusCallbackEvent", event)),
        );
        expected.push(("RecordingStatusCallback", CALLBACK));
        assert_eq!(form(&request), pairs(&expected));
    }
}

#[test]
fn vonage_requests_have_numbers_without_a_plus() {
    let one = preset(include_str!(
        "../../../../../docs/providers/vonage-sms.json"
    ));
    for (from, sent) in [("+15555550111", "15555550111"), ("Desk+1", "Desk+1")] {
        let document = json!({"channel": "sms", "to": "+15555550100", "from": from, "text": "Hi"});
        let message = message(document, Channel::Sms);
        let request = request::build(&one, &message, Some(CALLBACK), at(0)).expect("a request");
        assert_eq!(
            form(&request),
            pairs(&[
                ("to", "15555550100"),
                ("from", sent),
                ("text", "Hi"),
                ("type", "unicode"),
                ("client-ref", &message.id.to_string()),
            ])
        );
    }
}

#[test]
fn presets_recognize_refused_messages() {
    let infobip = include_str!("../../../../../docs/providers/infobip-sms.json");
    let vonage = include_str!("../../../../../docs/providers/vonage-sms.json");
    let group = |name: &str| json!({"messages": [{"status": {"groupName": name}}]});
    let parts = |statuses: &[&str]| {
        let parts = statuses.iter().map(|status| json!({"status": status}));
        json!({"messages": parts.collect::<Vec<_>>()})
    };
    for (preset_text, body, is_success) in [
        (infobip, group("ACCEPTED"), true),
        (infobip, group("PENDING"), true),
        (infobip, group("REJECTED"), false),
        (vonage, parts(&["0", "0"]), true),
        (vonage, parts(&["4"]), false),
        // A repeated request would send the first part again.
        (vonage, parts(&["0", "9"]), true),
        (vonage, json!({"messages": []}), false),
    ] {
        let preset = preset(preset_text);
        let secrets = Redactor::new(preset.secrets());
        let when = preset.settings.response.success_when;
        let when = when.expect("a condition");
        let met = when.is_met(
            200,
            &HeaderMap::new(),
            body.to_string().as_bytes(),
            &secrets,
        );
        assert_eq!(met, is_success, "{body}");
    }
}

#[test]
fn sendgrid_requests_match_the_api() {
    let one = preset(include_str!("../../../../../docs/providers/sendgrid.json"));
    for (bodies, content) in [
        (
            json!({"text": "a \"b\""}),
            json!([{"type": "text/plain", "value": "a \"b\""}]),
        ),
        (
            json!({"html": "<p>", "text": "t"}),
            json!([{"type": "text/plain", "value": "t"}, {"type": "text/html", "value": "<p>"}]),
        ),
    ] {
        let mut document = json!({"channel": "email", "to": "ana@example.com", "from": "desk@example.com", "subject": "Your \"order\""});
        document
            .as_object_mut()
            .expect("object")
            .extend(bodies.as_object().expect("object").clone());
        let message = message(document, Channel::Email);
        let request = request::build(&one, &message, Some(CALLBACK), at(0)).expect("a request");
        assert_eq!(
            (request.method.as_str(), request.url.as_str()),
            ("POST", "https://api.sendgrid.com/v3/mail/send")
        );
        assert_eq!(
            header(&request.headers, "authorization"),
            "Bearer MY_API_KEY"
        );
        assert_eq!(header(&request.headers, "content-type"), "application/json");
        assert_eq!(
            serde_json::from_str::<Value>(&request.body.expect("a body")).expect("JSON"),
            json!({
                "personalizations": [{"to": [{"email": "ana@example.com"}], "custom_args": {"tieline_id": message.id}}],
                "from": {"email": "desk@example.com"}, "subject": "Your \"order\"", "content": content,
            })
        );
    }
}

#[test]
fn sender_name_is_a_separate_field() {
    let one = preset(include_str!("../../../../../docs/providers/sendgrid.json"));
    let document = json!({"channel": "email", "to": "ana@example.com", "from": "\"Acme, Inc.\" <desk@example.com>",
        "subject": "s", "text": "t"});
    let request =
        request::build(&one, &message(document, Channel::Email), None, at(0)).expect("a request");
    let body: Value = serde_json::from_str(&request.body.expect("a body")).expect("JSON");
    assert_eq!(
        body["from"],
        json!({"email": "desk@example.com", "name": "Acme, Inc."})
    );
}

#[test]
fn telegram_requests_match_the_api_and_hide_the_token() {
    let one = preset(include_str!("../../../../../docs/providers/telegram.json"));
    let message = message(
        json!({"channel": "chatbot", "to": "42", "text": "a \"b\"\n{secret.api_key}"}),
        Channel::Chatbot,
    );
    let request = request::build(&one, &message, None, at(0)).expect("a request");
    assert_eq!(
        request.url.as_str(),
        "https://api.telegram.org/botMY_BOT_TOKEN/sendMessage"
    );
    assert_eq!(
        request.shown_url,
        "https://api.telegram.org/bot•••/sendMessage"
    );
    let body: Value = serde_json::from_str(&request.body.expect("a body")).expect("JSON");
    assert_eq!(
        body,
        json!({"chat_id": "42", "text": "a \"b\"\n{secret.api_key}"})
    );
    assert!(
        !request
            .headers
            .values()
            .any(|value| value.as_bytes().ends_with(b"MY_BOT_TOKEN")),
        "the token is sent once"
    );
    assert_eq!(
        one.settings
            .response
            .id(
                &http::HeaderMap::new(),
                br#"{"ok":true,"result":{"message_id":7}}"#
            )
            .as_deref(),
        Some("7")
    );
}

proptest! {
    #[test]
    fn any_text_is_sent_unchanged(text in "[^\\p{Cc}]{1,40}") {
        prop_assume!(!text.trim().is_empty());
        let one = preset(include_str!("../../../../../docs/providers/twilio-sms.json"));
        let request = request::build(&one, &sms(&text), Some(CALLBACK), at(0)).expect("a request");
        prop_assert_eq!(&form(&request)[2].1, &text);
    }
}

#[test]
fn unedited_presets_are_rejected() {
    let at = |text: &str| {
        let document = serde_json::from_str(text).expect("JSON");
        pointers(
            Settings::parse(document, &AllowList::default(), KeyPolicy::Required)
                .expect_err("placeholders"),
        )
    };
    let twilio = include_str!("../../../../../docs/providers/twilio-sms.json");
    assert_eq!(at(twilio), ["/provider_id", "/api_key", "/secret_key"]);
    assert_eq!(
        at(include_str!("../../../../../docs/providers/sendgrid.json")),
        ["/api_key"]
    );
    assert_eq!(
        at(include_str!("../../../../../docs/providers/telegram.json")),
        ["/api_key"]
    );
    let document: Value = serde_json::from_str(twilio).expect("JSON");
    assert!(
        Settings::restore(document).is_ok(),
        "what was saved is read"
    );
    // Text that no request contains is not checked.
    assert!(settings(&json!({"provider_id": "YOUR_ID"})).is_ok());
    for (change, pointer) in [
        (
            json!({"send_url": "https://x.example/YOUR_ID"}),
            "/send_url",
        ),
        (json!({"from": "YOUR_NUMBER"}), "/from"),
        (
            json!({"request": {"headers": {"X-App": "id YOUR_APP_ID"}}}),
            "/request/headers/x-app",
        ),
        (
            json!({"request": {"body": "[\"YOUR_SENDER\", {message.to}]"}}),
            "/request/body",
        ),
    ] {
        assert_eq!(
            pointers(settings(&change).expect_err("a placeholder")),
            [pointer],
            "{change}"
        );
        assert!(
            Settings::restore(super::document(&change)).is_ok(),
            "{change} was saved"
        );
    }
}
