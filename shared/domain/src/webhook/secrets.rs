//! What of a webhook must not show in texts that come back from third parties.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use secrecy::ExposeSecret;

use super::{Auth, Webhook};
use crate::{
    header, mask,
    redact::{header_secrets, url_secrets},
    signature::SigningSecret,
};

/// Everything that must not show.
pub(super) fn secrets(webhook: &Webhook) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let settings = &webhook.settings;
    let signing = webhook.secrets.previous.iter().map(|(secret, _)| secret).chain([&webhook.secrets.current]);
    for secret in signing.map(SigningSecret::expose) {
        found.insert(secret.trim_start_matches("whsec_").to_owned());
        found.insert(secret.to_owned());
    }
    found.extend(settings.secrets.values().map(|secret| secret.expose_secret().to_owned()));
    match &settings.auth {
        Auth::None => {}
        Auth::Basic { username, password } => {
            found.insert(password.expose_secret().to_owned());
            found.insert(BASE64_STANDARD_NO_PAD.encode(format!("{username}:{}", password.expose_secret())));
        }
        Auth::ApiKey { value, .. } => header_secrets(value.expose_secret(), &mut found),
    }
    for (_, value) in settings.headers.iter().filter(|(name, _)| header::is_sensitive(name.as_str())) {
        mask::literals(value.as_str()).for_each(|literal| header_secrets(literal, &mut found));
    }
    url_secrets(settings.destination.as_str(), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{id::WebhookId, target::Allow, webhook::Settings};

    fn webhook(change: &Value) -> Webhook {
        let mut document = json!({"name": "CRM", "url": "https://example.com/hook", "events": ["*"]});
        document.as_object_mut().expect("object").extend(change.as_object().expect("object").clone());
        let (settings, _) = Settings::parse(document, &Allow::default()).expect("valid settings");
        let now = jiff::Timestamp::UNIX_EPOCH;
        Webhook::new(WebhookId::new(now, 1), settings, SigningSecret::generated([7; 32]), now)
    }

    fn code(text: &str, code: usize) -> String {
        let quoted = |text: &str| {
            let quoted = Value::from(text).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        };
        match code {
            0 => text.to_owned(),
            1 => percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string(),
            2 => text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat(),
            3 => url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
            4 => quoted(text),
            5 => text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect::<Vec<_>>().concat(),
            6 => text.chars().map(|c| format!("&#{};", u32::from(c))).collect::<Vec<_>>().concat(),
            _ => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
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
            ("/bot12:AbC%2BdEf/ /bot12:AbC+dEf AbC%2bdEf", "/•••/ /••• •••"),
            (r#"{"key":"query-secret"}"#, r#"{"key":"•••"}"#),
            ("Bearer literal-token, literal-token", "•••, •••"),
            (r#"{"sid":"cookie-value"}"#, r#"{"sid":"•••"}"#),
            ("Key 12, no secret, Bearer", "Key 12, no secret, Bearer"),
            (&signing, "•••"),
            (&format!("whsec {}", &signing[6..]), "whsec •••"),
            ("cut within alpha-and-om", "cut within •••"),
            ("cut too early: litera", "cut too early: litera"),
            ("", ""),
        ] {
            assert_eq!(webhook.redact(text), redacted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn in_whatever_code_it_comes(secret in "[ -~é😀]{8,20}", inner in 0..8_usize, outer in 0..8_usize) {
            let webhook = webhook(&json!({"secrets": {"a": secret}}));
            let text = format!("[{}]", code(&code(&secret, inner), outer));
            prop_assert_eq!(webhook.redact(&text), "[•••]", "{}", text);
        }

        #[test]
        fn any_text_is_taken(text in "(\\PC|%[0-9a-f]{2}|\\\\u[0-9a-f]{4}|&#[0-9]{1,6};|&amp;|alpha){0,40}") {
            let redacted = webhook(&json!({"secrets": {"a": "alpha"}})).redact(&text);
            prop_assert!(!redacted.contains("alpha"));
        }
    }
}
