//! Takes secrets out of texts that come back from third parties and are kept or shown.
//!
//! Receivers echo what they were sent, and seldom as it was: in JSON, in a URL, in XML, one within another. So a secret
//! is looked for in the text and in what the text decodes to, up to [`LAYERS`] codes deep, and whatever stood for it is
//! masked. A text that was cut may end within a secret: the start of one at the end is masked, too.

use std::{collections::BTreeSet, ops::Range};

use percent_encoding::percent_decode_str;

use crate::mask::{self, MASK};

/// Codes within each other, such as a form in a JSON string.
const LAYERS: usize = 2;
/// The shortest secret that is masked, in bytes: a shorter one stands in any text by chance.
const SHORTEST: usize = 4;
/// The shortest start of a secret that is masked at the end of a text, in bytes.
const SHORTEST_START: usize = 8;

/// `text` with every one of these secrets masked. Less than 4 bytes are no secret, and would mask every other word.
pub fn redact(text: &str, secrets: &BTreeSet<String>) -> String {
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).filter(|secret| secret.len() >= SHORTEST).collect();
    if secrets.is_empty() {
        return text.to_owned();
    }
    let mut hidden: Vec<Range<usize>> = Vec::new();
    Decoded::plain(text).search(&secrets, LAYERS, &mut hidden);
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

/// The value of a header, and those of its parts that may be echoed by themselves: `Bearer <token>` without the scheme,
/// `name=<value>` of a cookie.
pub fn header_secrets(value: &str, found: &mut BTreeSet<String>) {
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

/// The parts of a URL that are masked where it is shown, as written and decoded.
pub fn url_secrets(url: &str, found: &mut BTreeSet<String>) {
    for part in mask::url_secrets(url) {
        let plain = percent_decode_str(&part).decode_utf8_lossy().into_owned();
        found.extend(plain.split_once(':').map(|(_, secret)| secret.to_owned()));
        found.extend([part, plain]);
    }
}

/// What a text decodes to, each byte with the part of the text that it comes from. Texts are shorter than 4 GiB.
struct Decoded {
    bytes: Vec<u8>,
    origins: Vec<(u32, u32)>,
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
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            let end = at.saturating_add(u32::try_from(c.len_utf8()).unwrap_or(0));
            decoded.origins.extend(std::iter::repeat_n((at, end), c.len_utf8()));
        }
        decoded
    }

    /// Looks here, and in what this decodes to, one after another: a text that is large is there but a few times.
    fn search(&self, secrets: &[&str], layers: usize, hidden: &mut Vec<Range<usize>>) {
        hidden.extend(secrets.iter().flat_map(|secret| self.find(secret.as_bytes())));
        if layers > 0 {
            for decoded in CODES.iter().filter_map(|code| self.decode(*code)) {
                decoded.search(secrets, layers - 1, hidden);
            }
        }
    }

    /// `None` when there is nothing to decode.
    fn decode(&self, code: Code) -> Option<Self> {
        let room = self.bytes.len();
        let mut out = Self { bytes: Vec::with_capacity(room), origins: Vec::with_capacity(room) };
        let mut at = 0;
        while at < self.bytes.len() {
            let (length, plain) = code(&self.bytes[at..]).unwrap_or((1, Plain::Byte(self.bytes[at])));
            match plain {
                Plain::Byte(byte) => out.bytes.push(byte),
                Plain::Char(c) => out.bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            out.origins.resize(out.bytes.len(), (self.origins[at].0, self.origins[at + length - 1].1));
            at += length;
        }
        (out.bytes != self.bytes).then_some(out)
    }

    /// Where the secret stands in the text, and where its start does at the end.
    fn find(&self, secret: &[u8]) -> Vec<Range<usize>> {
        let origin = |from: usize, to: usize| self.origins[from].0 as usize..self.origins[to - 1].1 as usize;
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
