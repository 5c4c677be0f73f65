//! Validation of messages and calls.

use proptest::prelude::*;
use serde_json::json;

use crate::{message::NewMessage, validation::ValidationErrors};

fn pointers(problems: ValidationErrors) -> Vec<String> {
    problems
        .0
        .into_iter()
        .map(|invalid| invalid.pointer)
        .collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn valid_messages_are_accepted_and_invalid_ones_reported() {
    let long = "x".repeat(1_601);
    for (document, wrong) in [
        (
            json!({"channel": "sms", "to": "+15555550100", "text": "hi"}),
            "",
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": "a\nb", "from": "Shop"}),
            "",
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": "hi", "from": "55512"}),
            "",
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": "hi", "from": "5555550111"}),
            "/from",
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": "hi", "from": "+1555555"}),
            "",
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": "hi", "from": "+1"}),
            "/from",
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": long}),
            "/text",
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": "a\u{0}"}),
            "/text",
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": " \n"}),
            "/text",
        ),
        (json!({"channel": "sms", "to": "+15555550100"}), "/text"),
        (
            json!({"channel": "sms", "to": "15555550100", "text": "hi"}),
            "/to",
        ),
        (
            json!({"channel": "sms", "to": "+05555550100", "text": "hi"}),
            "/to",
        ),
        (
            json!({"channel": "sms", "to": "+1 5555550100", "text": "hi"}),
            "/to",
        ),
        (
            json!({"channel": "sms", "to": "+1234567890123456", "text": "hi"}),
            "/to",
        ),
        (
            json!({"channel": "sms", "to": "+123456", "text": "hi"}),
            "/to",
        ),
        (
            json!({"channel": "sms", "to": "+１２３４５６７８", "text": "hi"}),
            "/to",
        ),
        (json!({"channel": "chatbot", "to": "42", "text": "hi"}), ""),
        (json!({"channel": "chatbot", "to": "", "text": "hi"}), "/to"),
        (
            json!({"channel": "email", "to": "a.b+c@x-y.example.com", "subject": "s", "html": "<p>"}),
            "",
        ),
        (
            json!({"channel": "email", "to": "a@b@example.com", "subject": "s", "text": "t"}),
            "/to",
        ),
        (
            json!({"channel": "email", "to": "a@example", "subject": "s", "text": "t"}),
            "/to",
        ),
        (
            json!({"channel": "email", "to": "a b@example.com", "subject": "s", "text": "t"}),
            "/to",
        ),
        (
            json!({"channel": "email", "to": "a..b@example.com", "subject": "s", "text": "t"}),
            "/to",
        ),
        (
            json!({"channel": "email", "to": "a@-x.example.com", "subject": "s", "text": "t"}),
            "/to",
        ),
        (
            json!({"channel": "email", "to": format!("a@{}.com", "x".repeat(64)), "subject": "s", "text": "t"}),
            "/to",
        ),
        (
            json!({"channel": "email", "to": "Ana <a@example.com>", "subject": "s", "text": "t"}),
            "/to",
        ),
        (
            json!({"channel": "email", "to": "user@उदाहरण.परीक्षा", "from": "Support <s@example.com>", "text": "t"}),
            "",
        ),
        (
            json!({"channel": "email", "to": "a@example.com", "from": "Acme, Inc. <s@example.com>", "text": "t"}),
            "/from",
        ),
        (
            json!({"channel": "email", "to": "a@example.com", "from": "Acme <s@example.com>, b@c.de", "text": "t"}),
            "/from",
        ),
        (
            json!({"channel": "email", "to": "a@example.com", "subject": "a\r\nBcc: b", "text": "t"}),
            "/subject",
        ),
        (
            json!({"channel": "email", "to": "a@example.com", "text": "t"}),
            "",
        ),
        (
            json!({"channel": "email", "to": "a@example.com", "subject": "s"}),
            "/text",
        ),
        (
            json!({"channel": "call", "to": "+15555550100", "text": "hi"}),
            "/channel",
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": "hi", "metadata": []}),
            "/metadata",
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": "hi", "metadata": {"a": "x".repeat(16_384)}}),
            "/metadata",
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": "hi", "campaign_id": "camp_1"}),
            "/campaign_id",
        ),
        (
            json!({"channel": "sms", "to": "+15555550100", "text": "hi", "url": "https://a.example"}),
            "/url",
        ),
    ] {
        let found = NewMessage::parse(document.clone()).map_or_else(pointers, |_| Vec::new());
        assert_eq!(found.join(" "), wrong, "{document}");
    }
    let all = NewMessage::parse(json!({"to": 1, "from": "", "metadata": 1, "x": 1}))
        .expect_err("invalid");
    assert_eq!(
        pointers(all),
        ["/channel", "/to", "/from", "/metadata", "/x"]
    );
    for (document, wrong) in [
        (json!({"to": "+15555550100", "text": "hi"}), ""),
        (
            json!({"to": "+15555550100", "url": "https://a.example/twiml"}),
            "",
        ),
        (
            json!({"to": "+15555550100", "url": "javascript:alert(1)"}),
            "/url",
        ),
        (
            json!({"to": "+15555550100", "url": "https://a.example/ b"}),
            "/url",
        ),
        (json!({"to": "+15555550100"}), "/text"),
        (json!({"to": "x", "text": "hi", "html": "x"}), "/to /html"),
    ] {
        let found = NewMessage::parse_call(document.clone()).map_or_else(pointers, |_| Vec::new());
        assert_eq!(found.join(" "), wrong, "{document}");
    }
}

proptest! {
    #[test]
    fn parse_accepts_any_document(field in "(channel|to|from|subject|text|html|url|metadata|provider)", text in "\\PC{0,40}") {
        for channel in ["sms", "email", "chatbot"] {
            let mut document = json!({"channel": channel, "to": "+15555550100", "text": "hi", "subject": "s"});
            document[&field] = json!(text);
            let _ = NewMessage::parse(document.clone());
            let _ = NewMessage::parse_call(document);
        }
    }
}
