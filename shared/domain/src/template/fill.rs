//! Renders parts: inserts values, escaped for the places of their tags.

use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::{
    Audience, Missing, Reason, RenderError, TagValues, json,
    part::{Part, RESERVED, TagContext, is_dots, percent},
    values::Found,
    xml,
};
use crate::tag::Tag;

/// Like [`RESERVED`], without the two characters that are always literal in a path segment (RFC
/// 3986, section 3.3). The sub-delimiters (`!$&'()*+,;=`) stay encoded: servers read `;` and `=` as
/// segment parameters, and many read `+` as a space.
const SEGMENT: &AsciiSet = &RESERVED.remove(b':').remove(b'@');

impl TagContext {
    /// Appends a value, or the placeholder for a missing one.
    fn write(self, out: &mut String, found: Option<&Found<'_>>) {
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
            Part::Tag(tag, context) => {
                if *context == TagContext::Segment {
                    check_segment(tag, values)?;
                }
                context.write(out, values.find(tag, view, missing)?.as_ref());
                last = Some(tag);
            }
        }
        if let Some(tag) = last.filter(|_| out.len() > limit) {
            return Err(RenderError::new(tag, Reason::TooLong));
        }
    }
    Ok(())
}

/// Only a value that is itself a dot segment can create one: a longer value has characters other
/// than dots, and its `%` is encoded.
fn check_segment(tag: &Tag, values: &TagValues<'_>) -> Result<(), RenderError> {
    let found = values.find(tag, Audience::Receiver, &mut Missing::default())?;
    match found.as_ref().map(Found::text).unwrap_or_default() {
        value if value.is_empty() => Err(RenderError::new(tag, Reason::EmptySegment)),
        value if is_dots(&value) => Err(RenderError::new(tag, Reason::DotSegment)),
        _ => Ok(()),
    }
}
