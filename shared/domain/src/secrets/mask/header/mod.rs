//! Secrets in header values, recognized by the header's name or by the value.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{
    MASK, Masked, RUN, Tags, each_literal, is_secret_name, literals, looks_random,
    masked as masked_url, runs,
};
use crate::tag::{Tag, pieces};

/// Authentication schemes that are no ordinary words: the text after one is a secret.
const SCHEMES: [&str; 11] = [
    "aws4-hmac-sha256",
    "bearer",
    "digest",
    "dpop",
    "gnap",
    "hawk",
    "hoba",
    "negotiate",
    "ntlm",
    "oauth",
    "ssws",
];

/// Base64 as clients write it, with or without padding.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: [GeneralPurpose; 2] = [
    GeneralPurpose::new(&alphabet::STANDARD, LENIENT),
    GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT),
];

/// Quotation marks around values.
const QUOTES: [char; 2] = ['"', '\''];

/// Maximum length of readable text next to a tag for a secret: enough for `DeepL-Auth-Key `, but
/// not for a token.
const MAX_BESIDE: usize = 16;

/// Masks every part of the value that looks like a secret. If the name suggests a key, token,
/// cookie or similar, that is the whole value, unless it consists of a tag such as
/// `{secret.api_key}` and a scheme. Otherwise it is a token after a scheme (`Bearer AbC…`), a
/// parameter whose name suggests a secret (`key=AbC…`), a run of 24 or more random characters, and
/// the parts of a URL that [`url()`](super::url()) masks. Tags stay readable.
pub fn header(name: &str, value: &str) -> String {
    masked(name, value, Tags::Shown).shown
}

/// Like [`header()`], for a template that is rendered next: a tag in place of a secret is masked.
pub fn header_template(name: &str, value: &str) -> String {
    masked(name, value, Tags::Masked).shown
}

/// The parts of the value that [`header()`] masks, as written.
pub fn header_secrets(name: &str, value: &str) -> Vec<String> {
    masked(name, value, Tags::Shown).hidden
}

/// Masks a header from a third party like [`header()`]. Identifiers, digests, links and rate limits
/// stay readable: they look like secrets, but clients need them.
pub fn received_header(name: &str, value: &str) -> String {
    if is_identifier(&name.to_ascii_lowercase()) {
        value.to_owned()
    } else {
        header(name, value)
    }
}

/// Names of such headers.
const IDENTIFIERS: [&str; 10] = [
    "content-digest",
    "content-location",
    "content-md5",
    "digest",
    "etag",
    "link",
    "location",
    "repr-digest",
    "traceparent",
    "tracestate",
];

/// `Idempotency-Key` and `I-Twilio-Idempotency-Token` are identifiers, and `X-RateLimit-Tokens` is a
/// number; none of them is a secret.
fn is_identifier(name: &str) -> bool {
    IDENTIFIERS.contains(&name)
        || ["idempotency", "ratelimit", "rate-limit"]
            .iter()
            .any(|word| name.contains(word))
        || name.ends_with("-id") && !name.contains("session") && !is_secret_header(name)
}

fn masked(name: &str, value: &str, tags: Tags) -> Masked {
    let mut out = Masked::new(tags);
    if !is_secret_header(name) {
        by_value(&mut out, value);
    } else if has_secret_tag(value) && tags == Tags::Shown {
        out.show(value);
    } else {
        out.shown.push_str(MASK);
        out.hidden.extend(literals(value));
    }
    out
}

/// Whether the secret in a value is a tag (`Key {secret.api_key}`), without enough other text for a
/// token.
fn has_secret_tag(value: &str) -> bool {
    let is_secret = |tag: Option<Tag>| tag.is_some_and(|tag| tag.is_secret());
    pieces(value).any(|piece| is_secret(piece.tag))
        && literals(value).map(|text| text.len()).sum::<usize>() <= MAX_BESIDE
}

fn by_value(out: &mut Masked, value: &str) {
    let start = value.len() - value.trim_start().len();
    let (word, rest) = value[start..]
        .split_once([' ', '\t'])
        .unwrap_or((&value[start..], ""));
    if is_scheme_with_token(word, rest.trim()) {
        let token = value.len() - rest.trim_start().len();
        out.show(&value[..token]);
        // After a scheme, a tag is readable if the whole value consists of tags.
        return out.hide_literals(&value[token..]);
    }
    each_literal(out, value, |out, literal| {
        for word in literal.split_inclusive([' ', '\t', ',', ';']) {
            let (word, separator) =
                word.split_at(word.trim_end_matches([' ', '\t', ',', ';']).len());
            self::word(out, word);
            out.show(separator);
        }
    });
}

/// Whether `word`, with an optional trailing colon, is an authentication scheme, and `rest` its
/// credentials.
fn is_scheme_with_token(word: &str, rest: &str) -> bool {
    let word = word.strip_suffix(':').unwrap_or(word);
    let single = !rest.contains([' ', '\t', ',']) && !word.contains(['{', '=', ':', '/']);
    // `Basic` and words that contain `key` or `auth` are also ordinary words.
    let basic = || {
        BASE64
            .iter()
            .any(|base64| base64.decode(rest).is_ok_and(|pair| pair.contains(&b':')))
    };
    !rest.is_empty()
        && word.len() < RUN
        && (is_scheme(word)
            || word.eq_ignore_ascii_case("basic") && basic()
            || single && (is_secret_name(word) || is_uuid(rest)))
}

fn is_scheme(word: &str) -> bool {
    SCHEMES
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// Whether the text is a UUID. Alone it is an ID, after a word (`Splunk 550e8400-…`) a token.
fn is_uuid(text: &str) -> bool {
    let hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text.split('-').all(hex)
}

/// Masks one word of a literal, without white space: pairs joined by `&`, and at most one URL.
fn word(out: &mut Masked, word: &str) {
    let Some(at) = word.find("://") else {
        return pairs(out, word);
    };
    let scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let start = word[..at].trim_end_matches(scheme).len();
    let (before, url) = word.split_at(start);
    // Past a `?` or `#`, a `&` belongs to the URL.
    let end = url
        .find(['?', '#', '&'])
        .filter(|at| url[*at..].starts_with('&'))
        .unwrap_or(url.len());
    let (url, after) = url.split_at(end);
    pairs(out, before);
    let url = masked_url(url, out.tags);
    out.show(&url.shown);
    out.hidden.extend(url.hidden);
    pairs(out, after);
}

/// Masks pairs such as `user=7&token=AbC`. A piece that is no pair continues the value before it.
fn pairs(out: &mut Masked, text: &str) {
    let mut after_secret = false;
    for piece in text.split_inclusive('&') {
        let (piece, separator) = piece.split_at(piece.trim_end_matches('&').len());
        if after_secret && !piece.contains('=') {
            unquoted(out, piece, Masked::hide);
        } else {
            after_secret = pair(out, piece);
        }
        out.show(separator);
    }
}

/// Masks the value after a name of a secret, or else every part that looks like one. Returns
/// whether there is such a name.
fn pair(out: &mut Masked, piece: &str) -> bool {
    // Padding of base64 separates nothing.
    let end = piece.trim_end_matches(QUOTES).trim_end_matches('=').len();
    let mut start = 0;
    for (at, _) in piece[..end].match_indices(['=', ':']) {
        let name = piece[start..at].trim_matches(QUOTES);
        if is_secret_name(name) || is_scheme(name) {
            sides(out, &piece[..start], start);
            out.show(&piece[start..=at]);
            unquoted(out, &piece[at + 1..], Masked::hide);
            return true;
        }
        start = at + 1;
    }
    sides(out, piece, end);
    false
}

/// Masks the text on each side of every `=` and `:` before `end`.
fn sides(out: &mut Masked, text: &str, end: usize) {
    // An encoded secret is searched for in the whole text.
    if text.contains('%') {
        return runs(out, text);
    }
    let mut start = 0;
    for (at, separator) in text[..end].match_indices(['=', ':']) {
        unquoted(out, &text[start..at], side);
        out.show(separator);
        start = at + 1;
    }
    unquoted(out, &text[start..], side);
}

fn side(out: &mut Masked, text: &str) {
    if is_base64(text) {
        out.hide(text);
    } else {
        runs(out, text);
    }
}

/// Applies `mask` to the text between quotes, if it is not empty.
fn unquoted(out: &mut Masked, text: &str, mask: fn(&mut Masked, &str)) {
    let inner = text.trim_start_matches(QUOTES);
    out.show(&text[..text.len() - inner.len()]);
    let (inner, quotes) = inner.split_at(inner.trim_end_matches(QUOTES).len());
    if !inner.is_empty() {
        mask(out, inner);
    }
    out.show(quotes);
}

/// Whether a word is random bytes in base64: long, with letters of both cases and digits.
fn is_base64(word: &str) -> bool {
    word.len() >= RUN
        && word.contains(['+', '/'])
        && !is_path(word)
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        && looks_random(&word.replace(['+', '/'], "-"))
}

/// Whether a word of base64 characters is more likely a path of ordinary words.
fn is_path(word: &str) -> bool {
    let random = |segment: &str| {
        let has = |class: fn(&u8) -> bool| segment.bytes().any(|byte| class(&byte));
        segment.len() >= RUN / 2
            && has(u8::is_ascii_lowercase)
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_digit)
    };
    word.starts_with('/') && !word.contains(['+', '=']) && !word.split('/').any(random)
}

/// Whether the values of this header are secrets, judging by its name.
pub fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("cookie") || is_secret_name(&name)
}

#[cfg(test)]
mod tests;
