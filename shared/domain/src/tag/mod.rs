//! Tags such as `{ticket.id}` or `{name | default: "there" | upper}` in templates.
//!
//! Tags are found from left to right. A `{` that does not start a tag is literal text. Text is
//! split only outside tags, so that arguments may contain the separators of URLs and forms.

pub(crate) mod filter;
mod lookalikes;

use self::filter::{Filter, FilterError};
pub(crate) use self::lookalikes::lookalikes;
use crate::{
    cursor::{Cursor, Syntax},
    path::Path,
};

/// Maximum number of filters of a tag.
const MAX_FILTERS: usize = 8;

/// A tag: the path of a value, and the filters that it passes in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tag {
    /// Path of the value.
    pub(crate) path: Path,
    /// Filters, at most [`MAX_FILTERS`].
    pub(crate) filters: Vec<Filter>,
}

/// A tag whose filters are invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("contains a tag with the path `{path}`, which {error}")]
pub struct TagError {
    /// The rest is not shown: after an unclosed tag it may be a secret.
    path: String,
    error: FilterError,
}

/// A piece of a text, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// As written, not empty.
    pub(crate) text: &'a str,
    /// `None` for literal text.
    pub(crate) tag: Option<Tag>,
}

impl Tag {
    /// Whether the value is a secret.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.path.steps(), [root, _, ..] if root == "secret")
    }

    /// Texts in arguments of its filters.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.filters.iter().filter_map(Filter::text)
    }
}

/// The tag at the start of `text`, and its length in bytes. `None` if no tag starts there.
///
/// # Errors
/// Fails if a path and a `|` are followed by anything but valid filters and a `}`.
pub(crate) fn tag_at(text: &str, syntax: Syntax) -> Option<Result<(Tag, usize), TagError>> {
    let mut cursor = Cursor::new(text.strip_prefix('{')?, syntax);
    let path = Path::read(&mut cursor)?;
    let filters = if cursor.eat('}') {
        Ok(Vec::new())
    } else {
        cursor.skip_spaces();
        if !cursor.eat('|') {
            return None;
        }
        read_filters(&mut cursor)
    };
    Some(match filters {
        Ok(filters) => Ok((Tag { path, filters }, cursor.position() + 1)),
        Err(error) => Err(TagError {
            path: path.as_str().to_owned(),
            error,
        }),
    })
}

fn read_filters(cursor: &mut Cursor<'_>) -> Result<Vec<Filter>, FilterError> {
    let mut filters = Vec::new();
    loop {
        filters.push(Filter::read(cursor)?);
        if filters.len() > MAX_FILTERS {
            return Err(FilterError::TooMany(MAX_FILTERS));
        }
        cursor.skip_spaces();
        if cursor.eat('}') {
            return Ok(filters);
        }
        if !cursor.eat('|') {
            return Err(FilterError::Syntax);
        }
    }
}

/// The first `{` that starts a tag: its position, the tag and its length.
fn next_tag(text: &str) -> Option<(usize, Tag, usize)> {
    text.match_indices('{').find_map(|(at, _)| {
        let (tag, length) = tag_at(&text[at..], Syntax::Plain)?.ok()?;
        Some((at, tag, length))
    })
}

/// The pieces of a text. A tag with invalid filters is literal text.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    let mut next = None;
    std::iter::from_fn(move || {
        let (tag, length) = match next.take().or_else(|| next_tag(rest)) {
            Some((0, tag, length)) => (Some(tag), length),
            Some((at, tag, length)) => {
                next = Some((0, tag, length));
                (None, at)
            }
            None => (None, rest.len()),
        };
        let (piece, after) = rest.split_at(length);
        rest = after;
        (length > 0).then_some(Piece { text: piece, tag })
    })
}

/// Fails at the first tag with invalid filters.
///
/// # Errors
/// Returns what is wrong with it.
pub(crate) fn check(text: &str) -> Result<(), TagError> {
    for piece in pieces(text).filter(|piece| piece.tag.is_none()) {
        for (at, _) in piece.text.match_indices('{') {
            // The tag may continue beyond this piece, which its quotes do not.
            if let Some(Err(error)) = tag_at(&piece.text[at..], Syntax::Plain) {
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Whether the text contains a tag.
pub(crate) fn has_tag(text: &str) -> bool {
    next_tag(text).is_some()
}

/// The text outside tags.
pub(crate) fn literals(text: &str) -> impl Iterator<Item = &str> {
    pieces(text)
        .filter(|piece| piece.tag.is_none())
        .map(|piece| piece.text)
}

/// Positions of these characters outside tags, in one pass.
fn positions<'a>(text: &'a str, wanted: &'a [char]) -> impl Iterator<Item = usize> {
    let mut end = 0;
    pieces(text).flat_map(move |piece| {
        let start = end;
        end += piece.text.len();
        let literal = if piece.tag.is_none() { piece.text } else { "" };
        literal.match_indices(wanted).map(move |(at, _)| start + at)
    })
}

/// Position of the first of these characters outside tags.
pub(crate) fn find(text: &str, wanted: &[char]) -> Option<usize> {
    positions(text, wanted).next()
}

/// Splits the text in two at the first `separator` outside tags.
pub(crate) fn split_once(text: &str, separator: char) -> Option<(&str, &str)> {
    let at = find(text, &[separator])?;
    Some((&text[..at], &text[at + separator.len_utf8()..]))
}

/// Splits the text at each of these ASCII characters outside tags.
pub(crate) fn split<'a>(text: &'a str, separators: &'a [char]) -> impl Iterator<Item = &'a str> {
    let mut start = 0;
    let ends = positions(text, separators).chain([text.len()]);
    ends.map(move |end| {
        let part = &text[start..end];
        start = end + 1;
        part
    })
}

/// Splits the text after each of these ASCII characters outside tags.
pub(crate) fn split_inclusive<'a>(
    text: &'a str,
    separators: &'a [char],
) -> impl Iterator<Item = &'a str> {
    let mut start = 0;
    let ends = positions(text, separators)
        .map(|at| at + 1)
        .chain([text.len()]);
    let parts = ends.map(move |end| {
        let part = &text[start..end];
        start = end;
        part
    });
    parts.filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests;
