//! Parts of a parsed template: literal text, and tags with their places.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::TemplateError;
use crate::tag::{self, Tag};

/// Everything except RFC 3986's unreserved characters.
pub(super) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Literal text.
    Text(String),
    /// A tag, whose value is escaped for the place.
    Tag(Tag, TagContext),
}

/// Context of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagContext {
    /// Inside a JSON string value.
    JsonString,
    /// Inside the key of a JSON object.
    JsonKey,
    /// In place of a JSON value.
    JsonValue,
    /// In XML text.
    XmlText,
    /// Inside a quoted XML attribute value.
    XmlAttribute,
    /// Inside a CDATA section.
    XmlCdata,
    /// In a form or the query of a URL.
    Percent,
    /// In a path segment of a URL.
    Segment,
    /// In a header value. Nothing is escaped; invalid values are rejected.
    Plain,
}

/// Whether URL parsers treat the segment as `.` or `..`.
pub(super) fn is_dots(segment: &str) -> bool {
    segment.len() <= 6
        && matches!(
            segment.to_ascii_lowercase().replace("%2e", ".").as_str(),
            "." | ".."
        )
}

/// The tags, in order of appearance.
pub(super) fn tags(parts: &[Part]) -> impl Iterator<Item = &Tag> {
    parts.iter().filter_map(|part| match part {
        Part::Tag(tag, _) => Some(tag),
        Part::Text(_) => None,
    })
}

/// Splits a text in which every tag has the same place. `literal` converts the text between tags to
/// its output.
pub(super) fn split(
    text: &str,
    context: TagContext,
    mut literal: impl FnMut(&str) -> Result<String, TemplateError>,
) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    for piece in tag::pieces(text) {
        parts.push(match piece.tag {
            Some(tag) => Part::Tag(tag, context),
            None => Part::Text(literal(piece.text)?),
        });
    }
    Ok(parts)
}

/// Appends the text with all except unreserved characters percent-encoded.
pub(super) fn percent(out: &mut String, text: &str) {
    out.extend(utf8_percent_encode(text, RESERVED));
}

/// Every `%` must start a percent-encoded byte, so that no value can complete one.
pub(super) fn check_percent(literal: &str) -> Result<(), TemplateError> {
    let mut rest = literal.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        match rest[at + 1..] {
            [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = &rest[at + 3..];
            }
            _ => return Err(TemplateError::Percent),
        }
    }
    Ok(())
}
