//! Takes a webhook's secrets out of texts that come back from third parties and are kept or shown.
//!
//! Receivers echo what they were sent, and seldom as it was: in JSON, in a URL, in XML, one within another. So a secret
//! is looked for in the text and in what the text decodes to, up to [`LAYERS`] codes deep, and whatever stood for it is
//! masked. A text that was cut may end within a secret: the start of one at the end is masked, too.

use std::{collections::BTreeSet, ops::Range};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret;

use super::{Auth, Webhook};
use crate::{
    header,
    mask::{self, MASK},
    signature::SigningSecret,
};

/// Codes within each other, such as a form in a JSON string.
const LAYERS: usize = 2;
/// The shortest secret that is masked, in bytes: a shorter one stands in any text by chance.
const SHORTEST: usize = 4;
/// The shortest start of a secret that is masked at the end of a text, in bytes.
const SHORTEST_START: usize = 8;

/// `text` with every secret of the webhook masked.
pub(super) fn redact(webhook: &Webhook, text: &str) -> String {
    let secrets = secrets(webhook);
    let mut hidden: Vec<Range<usize>> = Vec::new();
    let mut layer = vec![Decoded::plain(text)];
    for depth in 0..=LAYERS {
        hidden
            .extend(layer.iter().flat_map(|decoded| secrets.iter().flat_map(|secret| decoded.find(secret.as_bytes()))));
        if depth < LAYERS {
            layer = layer.iter().flat_map(|decoded| CODES.iter().filter_map(|code| decoded.decode(*code))).collect();
        }
    }
    hidden.sort_by_key(|range| range.start);
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for range in hidden {
        if range.start > done || done == 0 {
            out.push_str(&text[done..range.start]);
            out.push_str(MASK);
        }
        done = done.max(range.end);
    }
    out.push_str(&text[done..]);
    out
}

/// Everything that must not show.
fn secrets(webhook: &Webhook) -> BTreeSet<String> {
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
    for part in mask::url_secrets(settings.url.as_str()) {
        let plain = percent_decode_str(&part).decode_utf8_lossy().into_owned();
        found.extend(plain.split_once(':').map(|(_, secret)| secret.to_owned()));
        found.extend([part, plain]);
    }
    found.retain(|secret| secret.len() >= SHORTEST);
    found
}

/// The value of a header, and those of its parts that may be echoed by themselves: `Bearer <token>` without the scheme,
/// `name=<value>` of a cookie.
fn header_secrets(value: &str, found: &mut BTreeSet<String>) {
    let scheme = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let (_, rest) = value.split_once(' ').filter(|(word, _)| scheme(word)).unwrap_or(("", value));
    if rest.trim().is_empty() {
        return;
    }
    found.insert(value.trim().to_owned());
    for word in rest.split([' ', '\t', ';', ',']) {
        let word = word.trim_end_matches('=');
        let (_, value) = word.split_once('=').unwrap_or(("", word));
        found.insert(value.trim_matches('"').to_owned());
    }
}

/// What a text decodes to, each byte with the part of the text that it comes from.
struct Decoded {
    bytes: Vec<u8>,
    origins: Vec<Range<usize>>,
}

/// What the text begins with stands for, and how many bytes it takes; nothing where it stands for itself.
type Code = fn(&[u8]) -> Option<(usize, Plain)>;

enum Plain {
    Byte(u8),
    Char(char),
}

const CODES: [Code; 4] = [percent, form, json, xml];

impl Decoded {
    fn plain(text: &str) -> Self {
        let mut decoded = Self { bytes: text.as_bytes().to_vec(), origins: Vec::with_capacity(text.len()) };
        for (at, c) in text.char_indices() {
            decoded.origins.extend(std::iter::repeat_n(at..at + c.len_utf8(), c.len_utf8()));
        }
        decoded
    }

    /// `None` when there is nothing to decode.
    fn decode(&self, code: Code) -> Option<Self> {
        let mut out = Self { bytes: Vec::new(), origins: Vec::new() };
        let mut at = 0;
        while at < self.bytes.len() {
            let (length, plain) = code(&self.bytes[at..]).unwrap_or((1, Plain::Byte(self.bytes[at])));
            match plain {
                Plain::Byte(byte) => out.bytes.push(byte),
                Plain::Char(c) => out.bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            out.origins.resize(out.bytes.len(), self.origins[at].start..self.origins[at + length - 1].end);
            at += length;
        }
        (out.bytes != self.bytes).then_some(out)
    }

    /// Where the secret stands in the text, and where its start does at the end.
    fn find(&self, secret: &[u8]) -> Vec<Range<usize>> {
        let origin = |from: usize, to: usize| self.origins[from].start..self.origins[to - 1].end;
        let length = self.bytes.len();
        let begins = (0..length).filter(|at| self.bytes[*at] == secret[0] && self.bytes[*at..].starts_with(secret));
        let mut found: Vec<Range<usize>> = begins.map(|at| origin(at, at + secret.len())).collect();
        let start = (SHORTEST_START..secret.len()).rev().find(|count| self.bytes.ends_with(&secret[..*count]));
        found.extend(start.map(|count| origin(length - count, length)));
        found
    }
}

fn percent(rest: &[u8]) -> Option<(usize, Plain)> {
    match rest {
        [b'%', high, low, ..] => Some((3, Plain::Byte(u8::try_from(hex(&[*high, *low])?).ok()?))),
        _ => None,
    }
}

fn form(rest: &[u8]) -> Option<(usize, Plain)> {
    if rest[0] == b'+' { Some((1, Plain::Byte(b' '))) } else { percent(rest) }
}

fn json(rest: &[u8]) -> Option<(usize, Plain)> {
    let unit = |at: usize| match rest.get(at..at + 6)? {
        [b'\\', b'u', digits @ ..] => hex(digits),
        _ => None,
    };
    let byte = match rest {
        [b'\\', byte @ (b'"' | b'\\' | b'/'), ..] => *byte,
        [b'\\', b'n', ..] => b'\n',
        [b'\\', b'r', ..] => b'\r',
        [b'\\', b't', ..] => b'\t',
        [b'\\', b'b', ..] => 8,
        [b'\\', b'f', ..] => 12,
        _ => {
            let first = unit(0)?;
            let pair = unit(6)
                .filter(|_| (0xd800..0xdc00).contains(&first))
                .and_then(|second| char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second.checked_sub(0xdc00)?));
            return pair.map(|c| (12, c)).or(char::from_u32(first).map(|c| (6, c))).map(|(n, c)| (n, Plain::Char(c)));
        }
    };
    Some((2, Plain::Byte(byte)))
}

fn xml(rest: &[u8]) -> Option<(usize, Plain)> {
    let end = rest.strip_prefix(b"&")?.iter().take(10).position(|byte| *byte == b';')?;
    let c = match &rest[1..=end] {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(hex(digits)?)?,
        [b'#', digits @ ..] => char::from_u32(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
        _ => return None,
    };
    Some((end + 2, Plain::Char(c)))
}

fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(text, 16).ok()
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
