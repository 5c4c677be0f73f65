//! Masks secrets in text that third parties sent back.
//!
//! Receivers echo what they were sent, in JSON, in a URL, in XML, one within another. Each secret
//! is searched for in the text and in what the text decodes to, up to [`LAYERS`] codes deep, and
//! the text that stood for it is masked.
//!
//! Only text from third parties is searched, and only for whole secrets: a client that could have a
//! text of its own searched would learn from the answer whether it guessed a secret's beginning.
//! Where an answer was cut, the beginning of a secret at the cut is masked too ([`Redactor::cut`]).
//!
//! The work is bounded: one automaton for at most [`MAX_SECRETS`] secrets runs once over each
//! decoded text.

mod decode;

use std::{collections::BTreeSet, ops::Range};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::memmem;
use percent_encoding::percent_decode_str;

use self::decode::{CODES, Decoded, End};
use crate::mask::{self, MASK};

/// Codes within each other, such as a form in a JSON string.
const LAYERS: usize = 2;
/// The shortest secret that is masked, in bytes: a shorter one occurs in any text by chance.
const MIN_SECRET: usize = 4;
/// The shortest part of a header value that is searched for by itself, in bytes.
const MIN_PART: usize = 8;
/// The shortest beginning of a secret that is masked at a cut, in bytes.
const MIN_START: usize = 8;
/// The most secrets that one text is searched for. Those added first count.
pub const MAX_SECRETS: usize = 64;
/// The most occurrences that are masked one by one; a text with more is masked as a whole.
const MAX_MATCHES: usize = 20_000;

/// Secrets to search for, the most important first.
#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Adds a secret, unless it is too short, known, or one more than [`MAX_SECRETS`].
    pub fn add(&mut self, secret: &str) {
        if secret.len() >= MIN_SECRET
            && self.0.len() < MAX_SECRETS
            && self.0.iter().all(|known| known != secret)
        {
            self.0.push(secret.to_owned());
        }
    }

    /// Adds secrets in their order.
    pub fn extend(&mut self, secrets: &Self) {
        secrets.0.iter().for_each(|secret| self.add(secret));
    }

    /// Adds a header's value and, where it is a scheme and a token, the token.
    pub fn add_header(&mut self, value: &str) {
        if let Some(token) = token(value) {
            self.add(value.trim());
            self.add(token);
        }
    }

    /// Adds what a header's value is made of: the values of a cookie's or a scheme's parameters.
    /// These are the least important, and there may be many.
    pub fn add_header_parts(&mut self, value: &str) {
        for part in token(value)
            .into_iter()
            .flat_map(|token| token.split([' ', '\t', ';', ',']))
        {
            let part = part.trim_end_matches('=');
            let part = part
                .split_once('=')
                .map_or(part, |(_, value)| value)
                .trim_matches('"');
            if part.len() >= MIN_PART {
                self.add(part);
            }
        }
    }

    /// Adds the parts of a URL that are masked where it is shown, as written and decoded.
    pub fn add_url(&mut self, url: &str) {
        for part in mask::url_secrets(url) {
            let plain = percent_decode_str(&part).decode_utf8_lossy();
            self.add(&part);
            self.add(&plain);
            if let Some((_, secret)) = plain.split_once(':') {
                self.add(secret);
            }
        }
    }
}

/// The value of a header without the name of its authentication scheme; `None` where nothing else
/// is there.
fn token(value: &str) -> Option<&str> {
    let is_scheme = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let rest = value
        .split_once(' ')
        .filter(|(word, _)| is_scheme(word))
        .map_or(value, |(_, rest)| rest)
        .trim();
    (!rest.is_empty()).then_some(rest)
}

/// Secrets do not show in debug output.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Secrets").field(&self.0.len()).finish()
    }
}

/// Masks a set of secrets in texts.
pub struct Redactor {
    /// `None` where there are no secrets.
    automaton: Option<AhoCorasick>,
    secrets: Vec<String>,
}

impl Redactor {
    /// Prepares the search for these secrets.
    pub fn new(secrets: Secrets) -> Self {
        let automaton = (!secrets.0.is_empty()).then(|| {
            // Of the kinds of automata this one takes time and memory linear in the secrets'
            // length.
            AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::NoncontiguousNFA))
                .build(&secrets.0)
                .ok()
        });
        Self {
            automaton: automaton.flatten(),
            secrets: secrets.0,
        }
    }

    /// `text` with every secret in it masked.
    pub fn whole(&self, text: &str) -> String {
        self.redact(text, End::Whole)
    }

    /// As [`Redactor::whole`], for the first part of a longer text: the beginning of a secret, of 8
    /// bytes or more, is masked at its end too.
    pub fn cut(&self, text: &str) -> String {
        self.redact(text, End::Cut)
    }

    fn redact(&self, text: &str, end: End) -> String {
        let Some(automaton) = &self.automaton else {
            return text.to_owned();
        };
        let starts: Vec<Start<'_>> = match end {
            End::Whole => Vec::new(),
            End::Cut => self
                .secrets
                .iter()
                .filter_map(|secret| Start::of(secret.as_bytes()))
                .collect(),
        };
        let mut search = Search {
            automaton,
            starts,
            end,
            text,
            hidden: BTreeSet::new(),
        };
        if search.run(&Decoded::plain(text), LAYERS).is_none() {
            return MASK.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for (start, end) in search.hidden {
            if start > done || done == 0 {
                out.push_str(&text[done..start]);
                out.push_str(MASK);
            }
            done = done.max(end);
        }
        out.push_str(&text[done..]);
        out
    }
}

/// A search through one text.
struct Search<'a> {
    automaton: &'a AhoCorasick,
    starts: Vec<Start<'a>>,
    end: End,
    text: &'a str,
    /// Parts of the text that are to be masked, by where they begin and end.
    hidden: BTreeSet<(usize, usize)>,
}

impl Search<'_> {
    /// Searches here and in what this decodes to, one after another, so that a large text is in
    /// memory only a few times. `None` when there are too many matches.
    fn run(&mut self, decoded: &Decoded, layers: usize) -> Option<()> {
        for (count, found) in self
            .automaton
            .find_overlapping_iter(&decoded.bytes)
            .enumerate()
        {
            self.hide(decoded.origin(found.range()))?;
            if count > MAX_MATCHES {
                return None;
            }
        }
        let length = decoded.bytes.len();
        if let Some(start) = self
            .starts
            .iter()
            .filter_map(|start| start.at_the_end(&decoded.bytes))
            .max()
        {
            let from = decoded.origin(length - start..length).start;
            self.hide(from..self.text.len())?;
        }
        if layers > 0 {
            for code in CODES {
                if let Some(inner) = decoded.decode(code, self.end) {
                    self.run(&inner, layers - 1)?;
                }
            }
        }
        Some(())
    }

    fn hide(&mut self, part: Range<usize>) -> Option<()> {
        self.hidden.insert((part.start, part.end));
        (self.hidden.len() <= MAX_MATCHES).then_some(())
    }
}

/// A secret of which the beginning is searched for at the end of a text.
struct Start<'a> {
    secret: &'a [u8],
    /// Finds its first bytes, which few texts hold.
    head: memmem::Finder<'a>,
}

impl<'a> Start<'a> {
    /// `None` for a secret that is too short to have a beginning.
    fn of(secret: &'a [u8]) -> Option<Self> {
        (secret.len() > MIN_START).then(|| Self {
            secret,
            head: memmem::Finder::new(&secret[..MIN_START]),
        })
    }

    /// How long the beginning of the secret is with which `bytes` end; `None` for less than
    /// [`MIN_START`]. Takes time linear in the secret's length (Knuth–Morris–Pratt).
    fn at_the_end(&self, bytes: &[u8]) -> Option<usize> {
        let window = &bytes[bytes.len().saturating_sub(self.secret.len() - 1)..];
        let window = &window[self.head.find(window)?..];
        // For each length of a beginning, the length of the longest shorter one that it ends with.
        let mut falls = vec![0; self.secret.len() + 1];
        let mut matched = 0;
        for at in 1..window.len() {
            matched = step(self.secret, &falls, matched, self.secret[at]);
            falls[at + 1] = matched;
        }
        let matched = window
            .iter()
            .fold(0, |matched, byte| step(self.secret, &falls, matched, *byte));
        Some(matched).filter(|matched| *matched >= MIN_START)
    }
}

fn step(secret: &[u8], falls: &[usize], mut matched: usize, byte: u8) -> usize {
    while matched > 0 && secret[matched] != byte {
        matched = falls[matched];
    }
    matched + usize::from(secret[matched] == byte)
}

#[cfg(test)]
mod tests;
