//! Secrets of a webhook, for masking in text from third parties.

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use secrecy::ExposeSecret;

use super::{Auth, Webhook};
use crate::{
    secrets::{mask, redact::Secrets},
    signature::SigningSecret,
    template::filtered_secrets,
};

/// The secrets in order of precedence: signing, authentication and named secrets, then secret
/// headers, then secret parts of the URL, then parts of header values.
pub(super) fn secrets(webhook: &Webhook) -> Secrets {
    let mut found = Secrets::default();
    let settings = &webhook.settings;
    let signing = webhook
        .secrets
        .previous
        .iter()
        .map(|(secret, _)| secret)
        .chain([&webhook.secrets.current]);
    for secret in signing.map(SigningSecret::expose) {
        found.add(secret);
        found.add(secret.trim_start_matches("whsec_"));
    }
    match &settings.auth {
        Auth::None => {}
        Auth::Basic { username, password } => {
            found.add(password.expose_secret());
            found.add(
                &BASE64_STANDARD_NO_PAD.encode(format!("{username}:{}", password.expose_secret())),
            );
        }
        Auth::Bearer(token) => found.add(token.expose_secret()),
        Auth::ApiKey { value, .. } => found.add_header(value.expose_secret()),
    }
    settings
        .secrets
        .values()
        .for_each(|secret| found.add(secret.expose_secret()));
    for text in filtered_secrets(settings.tags(), &settings.secrets) {
        found.add(&text);
    }
    let headers = settings.headers.iter();
    let hidden: Vec<String> = headers
        .flat_map(|(name, value)| mask::header_secrets(name.as_str(), value.as_str()))
        .collect();
    for part in &hidden {
        found.add_header(part);
    }
    found.add_url(settings.destination.as_str());
    if let Auth::ApiKey { value, .. } = &settings.auth {
        found.add_header_parts(value.expose_secret());
    }
    for part in &hidden {
        found.add_header_parts(part);
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        egress_policy::AllowList, id::WebhookId, secrets::redact::Redactor, webhook::Settings,
    };

    fn webhook(change: &Value) -> Webhook {
        let mut document =
            json!({"name": "CRM", "url": "https://example.com/hook", "events": ["*"]});
        document
            .as_object_mut()
            .expect("object")
            .extend(change.as_object().expect("object").clone());
        let (settings, _) =
            Settings::parse(document, &AllowList::default()).expect("valid settings");
        let now = jiff::Timestamp::UNIX_EPOCH;
        Webhook::new(
            WebhookId::new(now, 1),
            settings,
            SigningSecret::generated([7; 32]),
            now,
        )
    }

    fn redact(webhook: &Webhook, text: &str) -> String {
        Redactor::new(webhook.secrets()).whole(text)
    }

    #[test]
    fn filtered_secrets_are_masked() {
        let webhook = webhook(&json!({
            "secrets": {"pair": "user:pass-word"}, "headers": {"x-login": "{secret.pair | base64}"},
            "body": "{\"a\": \"{secret.pair | upper | default: 'none'}\"}",
        }));
        for (text, masked) in [
            ("got dXNlcjpwYXNzLXdvcmQ=", "got •••"),
            ("got USER:PASS-WORD", "got •••"),
            ("got user:pass-word", "got •••"),
            ("got User:Pass-Word", "got User:Pass-Word"),
        ] {
            assert_eq!(redact(&webhook, text), masked);
        }
    }

    fn code(text: &str, code: usize) -> String {
        let quoted = |text: &str| {
            let quoted = Value::from(text).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        };
        match code {
            0 => text.to_owned(),
            1 => percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string(),
            2 => text
                .bytes()
                .map(|byte| format!("%{byte:02x}"))
                .collect::<Vec<_>>()
                .concat(),
            3 => url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
            4 => quoted(text),
            5 => text
                .encode_utf16()
                .map(|unit| format!("\\u{unit:04X}"))
                .collect::<Vec<_>>()
                .concat(),
            6 => text
                .chars()
                .map(|c| format!("&#{};", u32::from(c)))
                .collect::<Vec<_>>()
                .concat(),
            _ => text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;"),
        }
    }

    #[test]
    fn every_secret_is_masked() {
        let webhook = webhook(&json!({
            "url": "https://example.com/bot12:AbC%2BdEf/{x}?key=query-secret",
            "auth": {"type": "basic", "username": "ada", "password": "pass word"},
            "secrets": {"pin": "12", "a": "alpha-and", "b": "alpha-and-omega"},
            "headers": {
                "X-Token": "Bearer literal-token", "x-auth-key": "Key {secret.b}", "cookie": "sid=cookie-value; a=b",
                "x-note": "no secret",
            },
        }));
        let signing = webhook.secrets.current.expose().to_owned();
        for (text, redacted) in [
            ("a alpha-and b", "a ••• b"),
            ("alpha-and-omega", "•••"),
            ("pass%20word pass+word", "••• •••"),
            ("Basic YWRhOnBhc3Mgd29yZA==", "Basic •••=="),
            (
                "/bot12:AbC%2BdEf/ /bot12:AbC+dEf AbC%2bdEf",
                "/•••/ /••• •••",
            ),
            (r#"{"key":"query-secret"}"#, r#"{"key":"•••"}"#),
            ("Bearer literal-token, literal-token", "•••, •••"),
            (r#"{"sid":"cookie-value"}"#, r#"{"sid":"•••"}"#),
            ("Key 12, no secret, Bearer", "Key 12, no secret, Bearer"),
            (&signing, "•••"),
            (&format!("whsec {}", &signing[6..]), "whsec •••"),
            ("a guess: alpha-and-om", "a guess: •••-om"),
            ("a guess: literal-toke", "a guess: literal-toke"),
            ("", ""),
        ] {
            assert_eq!(redact(&webhook, text), redacted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn secret_is_masked_in_any_encoding(secret in "[ -~é😀]{8,20}", inner in 0..8_usize, outer in 0..8_usize) {
            let webhook = webhook(&json!({"secrets": {"a": secret}}));
            let text = format!("[{}]", code(&code(&secret, inner), outer));
            prop_assert_eq!(redact(&webhook, &text), "[•••]", "{}", text);
        }

        #[test]
        fn redact_accepts_any_text(text in "(\\PC|%[0-9a-f]{2}|\\\\u[0-9a-f]{4}|&#[0-9]{1,6};|&amp;|alpha){0,40}") {
            let redacted = redact(&webhook(&json!({"secrets": {"a": "alpha"}})), &text);
            prop_assert!(!redacted.contains("alpha"));
        }
    }
}
