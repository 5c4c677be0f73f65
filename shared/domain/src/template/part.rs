//! Parts of a parsed template: literal text, and tags with their places.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    Audience, Missing, Reason, RenderError, TagValues, TemplateError, json, values::Found, xml,
};
use crate::{path::Path, tag::tag_at};

/// Everything except RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Like [`RESERVED`], without the two characters that are always literal in a path segment (RFC
/// 3986, section 3.3). The sub-delimiters (`!$&'()*+,;=`) stay encoded: servers read `;` and `=` as
/// segment parameters, and many read `+` as a space.
const SEGMENT: &AsciiSet = &RESERVED.remove(b':').remove(b'@');

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Literal text.
    Text(String),
    /// A tag, whose value is escaped for the place.
    Tag(Path, TagContext),
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

impl TagContext {
    /// Appends a value, or the placeholder for a missing one.
    pub(super) fn write(self, out: &mut String, found: Option<&Found<'_>>) {
        match (found, self) {
            (found, Self::JsonValue) => json::write_value(out, found),
            (None, _) => {}
            (Some(Found::Masked), _) => out.push_str(crate::secrets::mask::MASK),
            (Some(found), Self::JsonString | Self::JsonKey) => json::escape(out, &found.text()),
            (Some(found), Self::XmlText) => xml::escape_text(out, &found.text()),
            (Some(found), Self::XmlAttribute) => xml::escape_attribute(out, &found.text()),
            (Some(found), Self::XmlCdata) => xml::split_cdata(out, &found.text()),
            (Some(found), Self::Percent) => percent(out, &found.text()),
            (Some(found), Self::Segment) => out.extend(utf8_percent_encode(&found.text(), SEGMENT)),
            (Some(found), Self::Plain) => out.push_str(&found.text()),
        }
    }
}

/// Appends the parts. `RenderError` at the first value that is invalid in its place or exceeds the
/// `limit` of `out` in bytes. Nothing is read after that, so that the cost is bounded even if many
/// tags use one large value.
pub(super) fn fill(
    out: &mut String,
    parts: &[Part],
    values: &TagValues<'_>,
    view: Audience,
    limit: usize,
    missing: &mut Missing,
) -> Result<(), RenderError> {
    let mut last = None;
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Tag(path, context) => {
                if *context == TagContext::Segment {
                    check_segment(path, values)?;
                }
                context.write(out, values.find(path, view, missing).as_ref());
                last = Some(path);
            }
        }
        if let Some(path) = last.filter(|_| out.len() > limit) {
            return Err(RenderError::new(path, Reason::TooLong));
        }
    }
    Ok(())
}

/// Only a value that is itself a dot segment can create one: a longer value has characters other
/// than dots, and its `%` is encoded.
fn check_segment(path: &Path, values: &TagValues<'_>) -> Result<(), RenderError> {
    let found = values.find(path, Audience::Receiver, &mut Missing::default());
    match found.as_ref().map(Found::text).unwrap_or_default() {
        value if value.is_empty() => Err(RenderError::new(path, Reason::EmptySegment)),
        value if is_dots(&value) => Err(RenderError::new(path, Reason::DotSegment)),
        _ => Ok(()),
    }
}

/// Whether URL parsers treat the segment as `.` or `..`.
pub(super) fn is_dots(segment: &str) -> bool {
    segment.len() <= 6
        && matches!(
            segment.to_ascii_lowercase().replace("%2e", ".").as_str(),
            "." | ".."
        )
}

/// Names of the tags, in order of appearance.
pub(super) fn tags(parts: &[Part]) -> impl Iterator<Item = &str> {
    parts.iter().filter_map(|part| match part {
        Part::Tag(path, _) => Some(path.as_str()),
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
    let mut done = 0;
    for (at, _) in text.match_indices('{') {
        if let Some((path, length)) = tag_at(&text[at..]) {
            if done < at {
                parts.push(Part::Text(literal(&text[done..at])?));
            }
            parts.push(Part::Tag(path, context));
            done = at + length;
        }
    }
    if done < text.len() {
        parts.push(Part::Text(literal(&text[done..])?));
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
