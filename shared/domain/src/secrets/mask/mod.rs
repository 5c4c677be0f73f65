//! Masks secrets for display: in URLs and header values in records, logs and exports, and in hints.
//!
//! What is masked depends only on the setting: its words and the position of its tags. A template
//! is masked first and rendered afterwards, so that event values do not affect what is masked.

mod header;

use percent_encoding::percent_decode_str;

pub use self::header::{
    header, header_secrets, header_template, is_secret_header, received_header,
};

use crate::{
    tag::{self, Piece, Tag},
    validation::{Validated, ValidationErrors},
};

/// Placeholder of a secret.
pub const MASK: &str = "•••";

/// Minimum length of a run of letters and digits that counts as random.
const RUN: usize = 24;

/// Words in names of secrets.
const SECRET_WORDS: [&str; 7] = [
    "key",
    "token",
    "secret",
    "signature",
    "passw",
    "auth",
    "credential",
];

/// Names of secrets.
const SECRET_NAMES: [&str; 6] = ["sig", "pwd", "pass", "code", "jwt", "hmac"];

/// Masks every part of the URL that looks like a secret: user info, a path segment with a colon
/// (`bot123:AbC…`), a run of 24 or more letters and digits, and a query value whose name suggests a
/// key, token, secret or similar. Scheme, host and tags (`{a.b}`) stay readable. Accepts any text;
/// one without a scheme is treated as a path.
pub fn url(text: &str) -> String {
    masked(text, Tags::Shown).shown
}

/// Like [`url()`], for a template that is rendered next: a tag in a masked query value is also
/// masked.
pub fn url_template(text: &str) -> String {
    masked(text, Tags::Masked).shown
}

/// The parts of the URL that [`url()`] masks, as written.
pub fn url_secrets(text: &str) -> Vec<String> {
    masked(text, Tags::Shown).hidden
}

/// Handling of a tag in place of a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tags {
    /// It stays readable.
    Shown,
    /// It is masked.
    Masked,
}

/// A text divided into visible parts, including masks, and hidden parts.
struct Masked {
    shown: String,
    hidden: Vec<String>,
    tags: Tags,
}

impl Masked {
    fn new(tags: Tags) -> Self {
        Self {
            shown: String::new(),
            hidden: Vec::new(),
            tags,
        }
    }

    fn show(&mut self, text: &str) {
        self.shown.push_str(text);
    }

    fn hide(&mut self, text: &str) {
        self.shown.push_str(MASK);
        self.hidden.push(text.to_owned());
    }

    /// Hides the text between the tags of `text`.
    fn hide_literals(&mut self, text: &str) {
        match self.tags {
            Tags::Shown => each_literal(self, text, whole),
            Tags::Masked => {
                self.shown.push_str(MASK);
                self.hidden.extend(literals(text));
            }
        }
    }
}

fn masked(text: &str, tags: Tags) -> Masked {
    let authority = text.find("://").map_or(0, |at| at + 3);
    let path = if authority == 0 {
        0
    } else {
        end(text, authority, &['/', '\\', '?', '#'])
    };
    let query = end(text, path, &['?', '#']);
    let mut out = Masked::new(tags);
    out.show(&text[..authority]);
    match text[authority..path].rsplit_once('@') {
        Some((user_info, host)) => {
            out.hide(user_info);
            out.show("@");
            out.show(host);
        }
        None => out.show(&text[authority..path]),
    }
    for segment in tag::split_inclusive(&text[path..query], &['/', '\\']) {
        let name = segment.trim_end_matches(['/', '\\']);
        let colon = literals(name)
            .any(|literal| literal.contains(':') || literal.to_ascii_lowercase().contains("%3a"));
        each_literal(&mut out, name, if colon { whole } else { runs });
        out.show(&segment[name.len()..]);
    }
    for pair in tag::split_inclusive(&text[query..], &['&', ';', '?', '#']) {
        let (pair, separator) =
            pair.split_at(pair.len() - usize::from(pair.ends_with(['&', ';', '?', '#'])));
        match tag::split_once(pair, '=') {
            Some((name, value)) => {
                each_literal(&mut out, name, runs);
                out.show("=");
                if !is_secret_name(name) {
                    each_literal(&mut out, value, runs);
                } else if !value.is_empty() {
                    out.hide_literals(value);
                }
            }
            None => each_literal(&mut out, pair, runs),
        }
        out.show(separator);
    }
    out
}

/// The last 4 characters of a secret with 16 or more; `None` for shorter ones.
pub fn hint(secret: &str) -> Option<String> {
    let count = secret.chars().count();
    (count >= 16).then(|| secret.chars().skip(count - 4).collect())
}

/// Rejects a text with a mask: a masked value that is written back would overwrite the real one.
///
/// # Errors
/// Fails if the text contains [`MASK`].
pub fn unmasked(text: String) -> Validated<String> {
    if text.contains(MASK) {
        return Err(ValidationErrors::here(
            "contains a mask (•••). Enter the whole value, or omit the field to keep the stored one.",
        ));
    }
    Ok(text)
}

fn end(text: &str, from: usize, stops: &[char]) -> usize {
    tag::find(&text[from..], stops).map_or(text.len(), |at| from + at)
}

/// Whether a query parameter or header with this name is a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = percent_decode_str(name).decode_utf8_lossy().to_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word)) || SECRET_NAMES.contains(&name.as_str())
}

/// The text between tags, and the texts in arguments of their filters.
fn literals(text: &str) -> impl Iterator<Item = String> {
    tag::pieces(text).flat_map(|Piece { text, tag }| match tag {
        None => vec![text.to_owned()],
        Some(tag) => tag.texts().map(str::to_owned).collect(),
    })
}

/// Appends the text with its tags unchanged and `mask` applied to the text between them. A tag with
/// an argument that `mask` would hide loses its filters.
fn each_literal(out: &mut Masked, text: &str, mask: fn(&mut Masked, &str)) {
    for piece in tag::pieces(text) {
        match piece.tag {
            None => mask(out, piece.text),
            Some(tag) => {
                let hidden = hidden_arguments(&tag, out.tags, mask);
                if hidden.is_empty() {
                    out.show(piece.text);
                } else {
                    out.show(&format!("{{{}}}{MASK}", tag.path.as_str()));
                    out.hidden.extend(hidden);
                }
            }
        }
    }
}

/// The parts of a tag's arguments that `mask` would hide.
fn hidden_arguments(tag: &Tag, tags: Tags, mask: fn(&mut Masked, &str)) -> Vec<String> {
    let mut masked = Masked::new(tags);
    for text in tag.texts().filter(|text| !text.is_empty()) {
        mask(&mut masked, text);
    }
    masked.hidden
}

fn whole(out: &mut Masked, text: &str) {
    out.hide(text);
}

/// Masks random runs of a text, or all of it if a run only shows after decoding.
fn runs(out: &mut Masked, text: &str) {
    let joins = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    let base64 = |c: char| joins(c) || "+/=".contains(c);
    let shows = |run: &&str| looks_random(run);
    if !text.split(|c| !joins(c)).any(|run| shows(&run))
        && decoded != text
        && decoded.split(|c| !base64(c)).any(|run| shows(&run))
    {
        return out.hide(text);
    }
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.split(|c| !joins(c)).next().unwrap_or_default();
        if looks_random(run) {
            out.hide(run);
        } else {
            out.show(run);
        }
        rest = &rest[run.len()..];
        let other = rest.len() - rest.trim_start_matches(|c| !joins(c)).len();
        out.show(&rest[..other]);
        rest = &rest[other..];
    }
}

/// Whether a run is long, and either unbroken or (unlike a UUID or a title in a path) a mix of
/// lower case, upper case and digits.
fn looks_random(run: &str) -> bool {
    let has = |class: fn(&u8) -> bool| run.bytes().any(|byte| class(&byte));
    run.len() >= RUN
        && (run
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|part| part.len() >= RUN)
            || has(u8::is_ascii_lowercase)
                && has(u8::is_ascii_uppercase)
                && has(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests;
