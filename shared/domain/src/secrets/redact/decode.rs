//! Decoded forms of a text, with the source position of each decoded byte.

use std::ops::Range;

/// A decoded text. Texts are shorter than 4 GiB.
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// For each byte, start and end of its code in the text.
    origins: Vec<(u32, u32)>,
}

/// Whether a text is complete or truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The text is complete.
    Whole,
    /// The text is truncated.
    Cut,
}

/// An encoding: which bytes start a code, and how to decode one.
#[derive(Clone, Copy)]
pub(super) struct Code {
    /// A text without any of these bytes decodes to itself.
    begins: &'static [u8],
    /// Decodes the code at the start of the bytes, with its length; `None` if the bytes are
    /// literal.
    read: fn(&[u8]) -> Option<(usize, Plain)>,
}

enum Plain {
    Byte(u8),
    Char(char),
}

pub(super) const CODES: [Code; 4] = [
    Code {
        begins: b"%",
        read: percent,
    },
    Code {
        begins: b"%+",
        read: form,
    },
    Code {
        begins: b"\\",
        read: json,
    },
    Code {
        begins: b"&",
        read: xml,
    },
];

/// Maximum length of a code, in bytes: a JSON surrogate pair.
const MAX_CODE_BYTES: usize = 12;

impl Decoded {
    pub(super) fn plain(text: &str) -> Self {
        let mut decoded = Self {
            bytes: text.as_bytes().to_vec(),
            origins: Vec::with_capacity(text.len()),
        };
        for (at, c) in text.char_indices() {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            let end = at.saturating_add(u32::try_from(c.len_utf8()).unwrap_or(0));
            decoded
                .origins
                .extend(std::iter::repeat_n((at, end), c.len_utf8()));
        }
        decoded
    }

    /// `None` if there is nothing to decode. An incomplete code at the end of a truncated text is
    /// dropped.
    pub(super) fn decode(&self, code: Code, end: End) -> Option<Self> {
        let begins = |byte: &u8| code.begins.contains(byte);
        let first = self.bytes.iter().position(begins)?;
        let mut out = Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            origins: Vec::with_capacity(self.bytes.len()),
        };
        out.bytes.extend(&self.bytes[..first]);
        out.origins.extend(&self.origins[..first]);
        let mut at = first;
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            let read = if begins(&rest[0]) {
                (code.read)(rest)
            } else {
                None
            };
            if read.is_none() && end == End::Cut && begins(&rest[0]) && rest.len() < MAX_CODE_BYTES
            {
                break;
            }
            let (length, plain) = read.unwrap_or((1, Plain::Byte(rest[0])));
            match plain {
                Plain::Byte(byte) => out.bytes.push(byte),
                Plain::Char(c) => out.bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            out.origins.resize(
                out.bytes.len(),
                (self.origins[at].0, self.origins[at + length - 1].1),
            );
            at += length;
        }
        (out.bytes != self.bytes).then_some(out)
    }

    /// The part of the text that these decoded bytes come from. Never empty.
    pub(super) fn origin(&self, bytes: Range<usize>) -> Range<usize> {
        self.origins[bytes.start].0 as usize..self.origins[bytes.end - 1].1 as usize
    }
}

fn percent(rest: &[u8]) -> Option<(usize, Plain)> {
    match rest {
        [b'%', high, low, ..] => Some((3, Plain::Byte(u8::try_from(hex(&[*high, *low])?).ok()?))),
        _ => None,
    }
}

fn form(rest: &[u8]) -> Option<(usize, Plain)> {
    if rest[0] == b'+' {
        Some((1, Plain::Byte(b' ')))
    } else {
        percent(rest)
    }
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
                .and_then(|second| {
                    char::from_u32(
                        0x1_0000 + ((first - 0xd800) << 10) + second.checked_sub(0xdc00)?,
                    )
                });
            return pair
                .map(|c| (12, c))
                .or(char::from_u32(first).map(|c| (6, c)))
                .map(|(n, c)| (n, Plain::Char(c)));
        }
    };
    Some((2, Plain::Byte(byte)))
}

fn xml(rest: &[u8]) -> Option<(usize, Plain)> {
    let end = rest
        .strip_prefix(b"&")?
        .iter()
        .take(10)
        .position(|byte| *byte == b';')?;
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
    let text = std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(text, 16).ok()
}
