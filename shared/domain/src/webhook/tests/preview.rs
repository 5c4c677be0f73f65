//! Previews and records reveal nothing about secrets.

use proptest::prelude::*;

use super::*;
use crate::{
    condition::subject::Subject,
    secrets::{mask::MASK, redact::Redactor},
    webhook::request::Preview,
};

fn preview(webhook: &Webhook, data: Value) -> Preview {
    request::preview(webhook, &address(webhook), &event(data))
        .0
        .expect("a preview")
}

#[test]
fn previews_and_echoes_contain_no_secret() {
    let secrets = json!({"k": "0123456789abcdefghij"});
    let webhook = webhook(&json!({
        "url": "https://example.com/{secret.k}/x", "body": "{\"k\": \"{secret.k}\"}", "headers": {"x-k": "{secret.k}"},
        "secrets": secrets, "auth": {"type": "basic", "username": "user", "password": "pass-word"},
    }));
    let preview = preview(&webhook, json!({}));
    let shown = json!(preview).to_string();
    let request = built(&webhook, &event(json!({})), at(0)).expect("a request");
    let basic = request.headers["authorization"]
        .to_str()
        .expect("text")
        .to_owned();
    let echo = Redactor::new(webhook.secrets()).whole(&format!(
        "you sent 0123456789abcdefghij, {SECRET}, pass-word and {basic}"
    ));
    for secret in ["0123456789abcdefghij", SECRET, "pass-word", basic.as_str()] {
        assert!(
            !shown.contains(secret) && !echo.contains(secret),
            "{secret} in {shown} or {echo}"
        );
        assert!(!request.shown_url.contains(secret));
    }
}

#[test]
fn secrets_are_masked_in_place() {
    let webhook = webhook(&json!({
        "url": "https://example.com/bot1:AbC/{q}/{secret.k}?token={q}&q={q}&sig=abc",
        "body": "{\"q\": \"{q}\", \"k\": {secret.k}}",
        "headers": {"x-up": "Bearer {q}", "x-q": "{q} 0123456789abcdef01234567", "x-token": "{q}", "x-k": "k {secret.k}"},
        "secrets": {"k": "Zoë"}, "auth": {"type": "api_key", "header": "x-auth", "value": "the-key"},
    }));
    let shown = preview(&webhook, json!({"q": "the-key"}));
    assert_eq!(
        shown.url,
        "https://example.com/•••/the-key/•••?token=•••&q=the-key&sig=•••"
    );
    assert_eq!(
        shown.body.as_deref(),
        Some("{\"q\": \"the-key\", \"k\": \"•••\"}")
    );
    let headers = [
        "x-up",
        "x-q",
        "x-token",
        "x-k",
        "x-auth",
        "webhook-signature",
        "content-type",
    ];
    let headers = headers.map(|name| shown.headers[name].as_str());
    assert_eq!(
        headers,
        [
            "Bearer •••",
            "the-key •••",
            MASK,
            "k •••",
            MASK,
            MASK,
            "application/json"
        ]
    );
    let request = built(&webhook, &event(json!({"q": "the-key"})), at(0)).expect("a request");
    assert_eq!(request.shown_url, shown.url);
    assert_eq!(request.headers["x-k"].as_bytes(), "k Zoë".as_bytes());
}

#[test]
fn blocked_preview_has_reason_and_missing_tags() {
    let webhook = webhook(&json!({
        "url": "https://example.com/{ticket.id}", "headers": {"x-a": "{a}"}, "body": "{\"b\": {b}, \"id\": {id}}",
    }));
    let (shown, missing) = request::preview(&webhook, &address(&webhook), &event(json!({"id": 7})));
    assert_eq!(
        shown.expect_err("blocked").to_string(),
        "`{ticket.id}` has no value but is part of the URL path"
    );
    assert_eq!(Vec::from(missing), ["a", "b", "ticket.id"]);
}

#[test]
fn long_texts_are_marked_as_truncated() {
    let webhook = webhook(&json!({"conditions": {"field": "text", "op": "exists", "value": true}}));
    let long = json!({"text": "x".repeat(200_000)});
    let shown = json!(preview(&webhook, long.clone()));
    assert_eq!(
        (shown["body"].as_str().map(str::len), &shown["truncated"]),
        (Some(16 * 1024), &json!(true))
    );
    assert!(
        json!(preview(&webhook, json!({})))
            .get("truncated")
            .is_none()
    );
    let event = event(long);
    let subject = Subject::of_event(&event, webhook.id, None);
    let verdict = json!(
        webhook
            .settings
            .conditions
            .as_ref()
            .expect("conditions")
            .explain(&subject)
    );
    let comparison = &verdict["comparisons"][0];
    assert_eq!(
        (
            comparison["actual"].as_str().map(str::len),
            &comparison["truncated"]
        ),
        (Some(16 * 1024), &json!(true))
    );
}

/// A webhook with the secret in every possible place, next to a tag that the client fills in.
fn guessed(secret: &str) -> Webhook {
    webhook(&json!({
        "url": format!("https://example.com/{{q}}/bot1:{{secret.k}}/{{secret.k}}{{q}}?q={{q}}&token={secret}&k={{secret.k}}{{q}}"),
        "body": "{\"{q}\": \"{secret.k}{q}\", \"{secret.k}\": {q}, \"a\": {secret.k}}",
        "headers": {"x-q": "{q}", "x-k": "{secret.k}{q}", "x-token": format!("{secret}{{q}}"), "x-up": format!("Bearer {secret}")},
        "secrets": {"k": secret}, "auth": {"type": "basic", "username": "u", "password": secret},
        "secret": secret, "signing": {"type": "header", "name": "x-secret"},
        "conditions": {"field": "q", "op": "eq", "value": "x"},
    }))
}

/// The preview of [`guessed`], as text.
fn shown(secret: &str, guess: &str) -> String {
    let webhook = guessed(secret);
    let (shown, missing) =
        request::preview(&webhook, &address(&webhook), &event(json!({"q": guess})));
    let blocked = shown.as_ref().err().map(RenderError::to_string);
    json!({"shown": shown.ok(), "blocked": blocked, "missing": Vec::from(missing)}).to_string()
}

proptest! {
    /// With the start of a secret and with another text of the same length, a preview differs only
    /// in that text.
    #[test]
    fn preview_does_not_confirm_a_guess(secret in "[a-zA-Z0-9]{24,60}", length in 6..59_usize, other in "[a-zA-Z0-9]{60}") {
        let length = length.min(secret.len() - 1);
        let (prefix, other) = (&secret[..length], &other[..length]);
        prop_assert_eq!(shown(&secret, prefix).replace(prefix, "Q"), shown(&secret, other).replace(other, "Q"));
    }

    /// For any data, including sizes near the limits, a preview is the same for every secret.
    #[test]
    fn preview_does_not_depend_on_secrets(
        one in "[a-zA-Z0-9]{24,60}", two in "[a-zA-Z0-9]{24,60}", start in 0..24_usize, fill in prop_oneof![0..60_usize, 1900..2100_usize, 4000..4100_usize],
    ) {
        let guess = format!("{}{}", &one[..start], "x".repeat(fill));
        prop_assert_eq!(shown(&one, &guess), shown(&two, &guess));
    }
}
