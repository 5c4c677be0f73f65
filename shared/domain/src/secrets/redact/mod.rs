//! Masks secrets in text from third parties.
//!
//! Receivers echo requests, in JSON, in a URL, in XML, or nested. Each secret is searched for in
//! the text and in its decoded forms, up to [`LAYERS`] levels deep, and the matching part of the
//! text is masked.
//!
//! Only text from third parties is searched, and only for whole secrets: a client whose own text
//! was searched could learn from the result whether it guessed the start of a secret. If a response
//! was truncated, the start of a secret at its end is masked too ([`Redactor::cut`]).
//!
//! The cost is bounded: at most [`MAX_SECRETS`] secrets are searched for, in texts above
//! [`MAX_SHORT`] bytes with one automaton. Shorter texts, which most responses are, are searched
//! secret by secret, because building the automaton would take longer.

mod decode;

use std::{collections::BTreeSet, iter, ops::Range, sync::OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::memmem;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::decode::{CODES, Decoded, End};
use super::mask::{self, MASK};

/// Maximum nesting of encodings, such as a form in a JSON string.
const LAYERS: usize = 2;
/// Minimum length of a secret that is masked, in bytes. Shorter ones occur in any text by chance.
const MIN_SECRET: usize = 4;
/// Minimum length of a part of a header value that is searched for separately, in bytes.
const MIN_PART: usize = 8;
/// Minimum length of the start of a secret that is masked at the end of a truncated text, in bytes.
const MIN_START: usize = 8;
/// Maximum number of secrets per text. Those added first take precedence.
pub const MAX_SECRETS: usize = 64;
/// Maximum length in bytes of a text that is searched without the automaton.
const MAX_SHORT: usize = 256;
/// Maximum number of separately masked occurrences. A text with more is masked completely.
const MAX_MATCHES: usize = 20_000;

/// Secrets to search for, most important first. They are serialized into encrypted documents only.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Adds a secret, unless it is too short, a duplicate, or exceeds [`MAX_SECRETS`].
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

    /// Adds a header value and, if it consists of a scheme and a token, the token.
    pub fn add_header(&mut self, value: &str) {
        if let Some(token) = token(value) {
            self.add(value.trim());
            self.add(token);
        }
    }

    /// Adds parts of a header value: parameters of a cookie or scheme. They are the least
    /// important, and there may be many.
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

    /// Adds the parts of a URL that are masked for display, as written and decoded.
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

/// A header value without its authentication scheme; `None` if nothing else remains.
fn token(value: &str) -> Option<&str> {
    let is_scheme = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let rest = value
        .split_once(' ')
        .filter(|(word, _)| is_scheme(word))
        .map_or(value, |(_, rest)| rest)
        .trim();
    (!rest.is_empty()).then_some(rest)
}

/// Secrets are hidden in debug output.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Secrets").field(&self.0.len()).finish()
    }
}

/// Masks a set of secrets in texts.
pub struct Redactor {
    secrets: Vec<String>,
    /// Finds all secrets at once. Built for the first long text.
    automaton: OnceLock<AhoCorasick>,
}

impl Redactor {
    /// Prepares the search for these secrets.
    pub fn new(secrets: Secrets) -> Self {
        Self {
            secrets: secrets.0,
            automaton: OnceLock::new(),
        }
    }

    /// Masks every secret in `text`.
    pub fn whole(&self, text: &str) -> String {
        self.redact(text, End::Whole)
    }

    /// Like [`Redactor::whole`], for the first part of a longer text: a start of a secret at its
    /// end is also masked if it has 8 bytes or more.
    pub fn cut(&self, text: &str) -> String {
        self.redact(text, End::Cut)
    }

    /// Whether `text` contains a secret.
    pub fn finds_any(&self, text: &str) -> bool {
        self.whole(text) != text
    }

    /// Masks every secret in the strings and numbers of a JSON value, but not in the names of its
    /// fields.
    pub fn values(&self, value: Value) -> Value {
        match value {
            Value::String(text) => self.whole(&text).into(),
            Value::Number(number) if self.finds_any(&number.to_string()) => MASK.into(),
            Value::Array(values) => values.into_iter().map(|value| self.values(value)).collect(),
            Value::Object(map) => map
                .into_iter()
                .map(|(name, value)| (name, self.values(value)))
                .collect(),
            other => other,
        }
    }

    fn redact(&self, text: &str, end: End) -> String {
        if self.secrets.is_empty() {
            return text.to_owned();
        }
        let starts: Vec<Start<'_>> = match end {
            End::Whole => Vec::new(),
            End::Cut => self
                .secrets
                .iter()
                .filter_map(|secret| Start::of(secret.as_bytes()))
                .collect(),
        };
        let mut search = Search {
            redactor: self,
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

    /// Returns where secrets occur in `bytes`, also where they overlap, in any order.
    fn occurrences<'a>(&'a self, bytes: &'a [u8]) -> Box<dyn Iterator<Item = Range<usize>> + 'a> {
        if bytes.len() <= MAX_SHORT {
            let secrets = self.secrets.iter();
            let fitting = secrets.filter(|secret| secret.len() <= bytes.len());
            return Box::new(fitting.flat_map(|secret| occurrences_of(secret, bytes)));
        }
        let automaton = self.automaton.get_or_init(|| {
            // The kind of automaton with time and memory linear in the length of the secrets.
            AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::NoncontiguousNFA))
                .build(&self.secrets)
                .expect("64 secrets have far fewer states than the limit")
        });
        Box::new(
            automaton
                .find_overlapping_iter(bytes)
                .map(|found| found.range()),
        )
    }
}

/// Returns where `secret` occurs in `bytes`.
fn occurrences_of<'a>(secret: &'a str, bytes: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
    let finder = memmem::Finder::new(secret);
    let mut from = 0;
    iter::from_fn(move || {
        let start = from + finder.find(&bytes[from..])?;
        from = start + 1;
        Some(start..start + secret.len())
    })
}

/// Search through one text.
struct Search<'a> {
    redactor: &'a Redactor,
    starts: Vec<Start<'a>>,
    end: End,
    text: &'a str,
    /// Start and end of the parts to mask.
    hidden: BTreeSet<(usize, usize)>,
}

impl Search<'_> {
    /// Searches this text and its decoded forms one after another, so that only a few copies of a
    /// large text are in memory. `None` if there are too many matches.
    fn run(&mut self, decoded: &Decoded, layers: usize) -> Option<()> {
        let redactor = self.redactor;
        for (count, found) in redactor.occurrences(&decoded.bytes).enumerate() {
            self.hide(decoded.origin(found))?;
            if count > MAX_MATCHES {
                return None;
            }
        }
        let length = decoded.bytes.len();
        if let Some(start) = self
            .starts
            .iter()
            .filter_map(|start| start.prefix_at_end(&decoded.bytes))
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

/// A secret whose start is searched for at the end of a text.
struct Start<'a> {
    secret: &'a [u8],
    /// Finds its first bytes, which few texts contain.
    head: memmem::Finder<'a>,
}

impl<'a> Start<'a> {
    /// `None` for a secret that is too short.
    fn of(secret: &'a [u8]) -> Option<Self> {
        (secret.len() > MIN_START).then(|| Self {
            secret,
            head: memmem::Finder::new(&secret[..MIN_START]),
        })
    }

    /// Length of the start of the secret at the end of `bytes`; `None` if it is less than
    /// [`MIN_START`]. Takes time linear in the length of the secret (Knuth–Morris–Pratt).
    fn prefix_at_end(&self, bytes: &[u8]) -> Option<usize> {
        let window = &bytes[bytes.len().saturating_sub(self.secret.len() - 1)..];
        let window = &window[self.head.find(window)?..];
        // For each prefix length, the length of the longest shorter prefix that is also its suffix.
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
