//! XML bodies. Tags are allowed in text, attribute values and CDATA, but not in names, comments and
//! processing instructions. A DOCTYPE is rejected, and so is any entity except the five predefined
//! ones.

use quick_xml::{
    Reader,
    escape::{resolve_xml_entity, unescape},
    events::{BytesDecl, BytesStart, Event},
};

use super::{
    TemplateError,
    part::{Part, TagContext, split},
};
use crate::{
    tag::{has_tag, pieces},
    validation::Source,
};

/// Parses the template with its tags. To the XML parser, braces are plain characters, and other tags
/// than `{name}` are replaced; the source slice of each event shows the place of its tags.
/// In stored templates, what is a tag in another place is literal text.
pub(super) fn parse(text: &str, source: Source) -> Result<Vec<Part>, TemplateError> {
    if let Some(at) = text.find(|c| !is_char(c)) {
        return Err(error(text, at, "a character that XML does not allow"));
    }
    if text.starts_with('\u{feff}') {
        return Err(error(text, 0, "a byte order mark, which is not needed"));
    }
    let plain = without_arguments(text);
    let mut reader = Reader::from_str(&plain);
    reader.config_mut().check_comments = true;
    let mut document = Document::default();
    let mut parts = Vec::new();
    let mut start = 0;
    loop {
        let event = reader
            .read_event()
            .map_err(|cause| error(text, offset(reader.error_position()), syntax(&cause)))?;
        let end = offset(reader.buffer_position());
        let slice = text.get(start..end).unwrap_or_default();
        let place = document
            .read(&event, plain.get(start..end).unwrap_or_default(), start)
            .map_err(|message| error(text, start, message))?;
        match place {
            Some(TagContext::XmlCdata) => parts.extend(cdata(slice)?),
            // A `>` that a value could complete to `]]>` is escaped.
            Some(TagContext::XmlText) => parts.extend(split(slice, TagContext::XmlText, |text| {
                Ok(text.replace('>', "&gt;"))
            })?),
            Some(context) => parts.extend(split(slice, context, |text| Ok(text.to_owned()))?),
            None if source == Source::Client && has_tag(slice) => {
                return Err(error(
                    text,
                    start,
                    "a tag outside text, attribute values and CDATA",
                ));
            }
            None => parts.push(Part::Text(slice.to_owned())),
        }
        if matches!(event, Event::Eof) {
            return Ok(parts);
        }
        start = end;
    }
}

/// The text with every tag that could contain markup replaced by one of the same length that does
/// not.
fn without_arguments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for piece in pieces(text) {
        if piece.tag.is_some() && piece.text.contains(['"', '\'', '|']) {
            plain.push('{');
            plain.push_str(&"x".repeat(piece.text.len() - 2));
            plain.push('}');
        } else {
            plain.push_str(piece.text);
        }
    }
    plain
}

/// State of the document so far.
#[derive(Default)]
struct Document {
    depth: usize,
    root: bool,
}

impl Document {
    /// Returns whether the event's slice may contain tags, and how to escape their values.
    fn read(
        &mut self,
        event: &Event<'_>,
        slice: &str,
        start: usize,
    ) -> Result<Option<TagContext>, String> {
        let inside = self.depth > 0;
        match event {
            Event::Start(element) | Event::Empty(element) => {
                if !inside && self.root {
                    return Err("a second root element".to_owned());
                }
                self.root = true;
                self.depth += usize::from(matches!(event, Event::Start(_)));
                check_element(element)?;
                Ok(Some(TagContext::XmlAttribute))
            }
            Event::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(None)
            }
            Event::Text(_) if slice.contains("]]>") => Err("`]]>` in text".to_owned()),
            Event::Text(_) if inside => Ok(Some(TagContext::XmlText)),
            Event::Text(_) if slice.trim_matches([' ', '\t', '\r', '\n']).is_empty() => Ok(None),
            Event::CData(_) if inside => Ok(Some(TagContext::XmlCdata)),
            Event::GeneralRef(name) if inside => {
                let known = match name.resolve_char_ref() {
                    Ok(None) => resolve_xml_entity(name).is_some(),
                    Ok(Some(c)) => is_char(c),
                    Err(_) => false,
                };
                if known {
                    Ok(None)
                } else {
                    Err(format!("an unknown entity `{slice}`"))
                }
            }
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                Err("text outside the root element".to_owned())
            }
            Event::PI(instruction) if is_name(instruction.target()) => Ok(None),
            Event::PI(_) => Err("a processing instruction without a name".to_owned()),
            Event::Decl(declaration) => check_declaration(declaration, start).map(|()| None),
            Event::DocType(_) => Err("a DOCTYPE, which is not allowed".to_owned()),
            Event::Eof if inside => Err("an element that is not closed".to_owned()),
            Event::Eof if !self.root => Err("no root element".to_owned()),
            Event::Comment(_) | Event::Eof => Ok(None),
        }
    }
}

/// Validates names and attributes. After that, any tag between `<` and `>` is inside a value.
fn check_element(element: &BytesStart<'_>) -> Result<(), String> {
    if !is_name(element.name().as_ref()) {
        return Err(format!(
            "`{}` is not an element name",
            element.name().as_ref()
        ));
    }
    if !are_separated(element.attributes_raw()) {
        return Err("no space between two attributes".to_owned());
    }
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|_| {
            "an attribute that is not `name=\"value\"` or is a duplicate".to_owned()
        })?;
        if !is_name(attribute.key.as_ref()) {
            return Err(format!(
                "`{}` is not an attribute name",
                attribute.key.as_ref()
            ));
        }
        if attribute.value.contains('<') {
            return Err("`<` in an attribute value".to_owned());
        }
        let value = unescape(&attribute.value)
            .map_err(|_| "an unknown entity or a lone `&` in an attribute value".to_owned())?;
        if !value.chars().all(is_char) {
            return Err("a character that XML does not allow".to_owned());
        }
    }
    Ok(())
}

/// Whether white space separates the attributes. XML requires it (§3.1), but the parser does not
/// check it.
fn are_separated(attributes: &str) -> bool {
    let mut quote = None;
    let mut closed = false;
    attributes.chars().all(|c| {
        let apart = !closed || matches!(c, ' ' | '\t' | '\r' | '\n');
        closed = quote == Some(c);
        quote = match quote {
            None if c == '"' || c == '\'' => Some(c),
            Some(_) if closed => None,
            open => open,
        };
        apart
    })
}

/// Bodies are sent as UTF-8 and escaped for XML 1.0.
fn check_declaration(declaration: &BytesDecl<'_>, start: usize) -> Result<(), String> {
    let is_ours = || {
        let version = declaration.version().ok()?;
        let encoding = declaration.encoding().transpose().ok()?;
        Some(
            version == "1.0"
                && encoding.is_none_or(|encoding| encoding.eq_ignore_ascii_case("utf-8")),
        )
    };
    if start == 0 && is_ours() == Some(true) {
        Ok(())
    } else {
        Err(
            "the declaration must come first and say version 1.0 and, if any, encoding UTF-8"
                .to_owned(),
        )
    }
}

/// The parts of a CDATA section. A literal `>` that a preceding value could complete to `]]>`
/// starts a new section.
fn cdata(slice: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = split(slice, TagContext::XmlCdata, |text| Ok(text.to_owned()))?;
    let last = parts.len() - 1;
    for (index, part) in parts.iter_mut().enumerate().skip(1) {
        if let Part::Text(text) = part {
            let brackets = text.len() - text.trim_start_matches(']').len();
            let end_of_section = index == last && text[brackets..] == *">";
            if text[brackets..].starts_with('>') && !end_of_section {
                text.insert_str(brackets, "]]><![CDATA[");
            }
        }
    }
    Ok(parts)
}

pub(crate) fn escape_text(out: &mut String, text: &str) {
    text.chars().for_each(|c| escape_char(out, c));
}

/// Parsers replace line breaks and tabs in attribute values with spaces, unless they are character
/// references.
pub(super) fn escape_attribute(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c => escape_char(out, c),
        }
    }
}

fn escape_char(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&apos;"),
        // Parsers replace a bare carriage return with a line feed.
        '\r' => out.push_str("&#13;"),
        c => out.push(if is_char(c) {
            c
        } else {
            char::REPLACEMENT_CHARACTER
        }),
    }
}

/// Appends text to an open CDATA section. `]]>` is split into two sections, even if it starts in
/// earlier output.
pub(super) fn split_cdata(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '>' if out.ends_with("]]") => out.push_str("]]><![CDATA[>"),
            '\r' => out.push_str("]]>&#13;<![CDATA["),
            c if is_char(c) => out.push(c),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

/// Whether XML 1.0 allows the character (§2.2).
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether the text is an XML 1.0 name (§2.3).
pub(super) fn is_name(text: &str) -> bool {
    let starts = |c: char| {
        matches!(c, ':' | '_' | 'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
            | '\u{10000}'..='\u{effff}')
    };
    let goes_on = |c: char| {
        starts(c)
            || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
    };
    text.starts_with(starts) && text.chars().all(goes_on)
}

/// Describes a parser error for clients.
fn syntax(error: &quick_xml::Error) -> &'static str {
    match error {
        quick_xml::Error::IllFormed(_) => {
            "an end tag that is missing or does not match, or `--` in a comment"
        }
        quick_xml::Error::Syntax(_) => "markup that is not closed",
        _ => "markup that is not XML",
    }
}

fn error(text: &str, at: usize, message: impl Into<String>) -> TemplateError {
    let before = text.get(..at).unwrap_or(text);
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    TemplateError::Xml {
        message: message.into(),
        line: before.matches('\n').count() + 1,
        column,
    }
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
