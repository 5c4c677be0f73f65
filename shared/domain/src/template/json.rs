//! JSON bodies. A tag inside a string inserts its value's text, JSON-escaped. A tag in a value
//! position inserts the value as JSON.

use serde_json::Value;

use super::{
    Audience, Missing, Reason, RenderError, TagValues, TemplateError,
    part::{Part, TagContext},
    values::Found,
};
use crate::{
    cursor::Syntax,
    secrets::mask::MASK,
    tag::{Piece, Tag, TagError, tag_at},
};

/// A piece of a template, and the place of its tag.
type Placed<'a> = (Piece<'a>, TagContext);

/// Finds tags with a scanner that only knows strings and their escapes. Then a real parser
/// validates the text, with each tag replaced by a placeholder that is valid only in the place that
/// the scanner found.
pub(super) fn parse(text: &str) -> Result<Vec<Part>, TemplateError> {
    let pieces = scan(text);
    let filled = pieces.iter().fold(
        String::with_capacity(text.len()),
        |mut out, (piece, context)| {
            match &piece.tag {
                None => out.push_str(piece.text),
                // As long as the tag, so that line and column in errors match the template. `~`
                // completes no escape sequence, and `[]` neither a number nor a key.
                Some(_) if *context == TagContext::JsonValue => {
                    out.push_str("[]");
                    out.push_str(&" ".repeat(piece.text.len() - 2));
                }
                Some(_) => out.push_str(&"~".repeat(piece.text.len())),
            }
            out
        },
    );
    if let Err(error) = serde_json::from_str::<Value>(&filled) {
        return Err(TemplateError::Json {
            line: error.line(),
            column: error.column(),
        });
    }
    let part = |(piece, context): Placed<'_>| match piece.tag {
        Some(tag) => Part::Tag(tag, context),
        None => Part::Text(piece.text.to_owned()),
    };
    Ok(pieces.into_iter().map(part).collect())
}

/// Fails at the first tag with invalid filters.
pub(super) fn check(text: &str) -> Result<(), TagError> {
    let mut first = Ok(());
    scan_with(text, |error| {
        if first.is_ok() {
            first = Err(error);
        }
    });
    first
}

/// The pieces of a template.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    scan(text).into_iter().map(|(piece, _)| piece).collect()
}

fn scan(text: &str) -> Vec<Placed<'_>> {
    scan_with(text, |_| ())
}

/// Passes each tag with invalid filters, which is literal text, to `report`.
fn scan_with(text: &str, mut report: impl FnMut(TagError)) -> Vec<Placed<'_>> {
    let bytes = text.as_bytes();
    let mut pieces = Vec::new();
    // Start of the current string, as an index into `pieces`.
    let mut string: Option<usize> = None;
    let (mut at, mut done) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => match string.take() {
                Some(since)
                    if text
                        .get(at + 1..)
                        .is_some_and(|rest| rest.trim_start().starts_with(':')) =>
                {
                    mark_keys(&mut pieces[since..]);
                }
                Some(_) => {}
                None => string = Some(pieces.len()),
            },
            b'{' => {
                let context = if string.is_some() {
                    TagContext::JsonString
                } else {
                    TagContext::JsonValue
                };
                match placed_tag(&text[at..], context) {
                    Some(Ok((tag, length))) => {
                        literal(&mut pieces, &text[done..at]);
                        let piece = Piece {
                            text: &text[at..at + length],
                            tag: Some(tag),
                        };
                        pieces.push((piece, context));
                        done = at + length;
                        at = done - 1;
                    }
                    Some(Err(error)) => report(error),
                    None => {}
                }
            }
            _ => {}
        }
        at += 1;
    }
    literal(&mut pieces, &text[done..]);
    pieces
}

/// In a value position, quotation marks may also be escaped as in a string.
fn placed_tag(text: &str, context: TagContext) -> Option<Result<(Tag, usize), TagError>> {
    let in_string = || tag_at(text, Syntax::JsonString);
    match (context == TagContext::JsonValue).then(|| tag_at(text, Syntax::Plain)) {
        None | Some(None) => in_string(),
        Some(Some(Err(error))) => in_string().filter(Result::is_ok).or(Some(Err(error))),
        Some(tag) => tag,
    }
}

fn literal<'a>(pieces: &mut Vec<Placed<'a>>, text: &'a str) {
    if !text.is_empty() {
        pieces.push((Piece { text, tag: None }, TagContext::JsonString));
    }
}

fn mark_keys(pieces: &mut [Placed<'_>]) {
    for (_, context) in pieces {
        *context = TagContext::JsonKey;
    }
}

/// Rejects values in keys that duplicate another key of the same object, because receivers disagree
/// on which one counts.
pub(super) fn check_keys(
    parts: &[Part],
    values: &TagValues<'_>,
    view: Audience,
) -> Result<(), RenderError> {
    let tags: Vec<&Tag> = key_tags(parts).collect();
    let Some(first) = tags.first() else {
        return Ok(());
    };
    let mut texts = Vec::with_capacity(tags.len());
    for tag in &tags {
        texts.push(match values.find(tag, view, &mut Missing::default())? {
            // A preview must not reveal whether a value equals a secret.
            Some(Found::Masked) => format!("\u{e001}{}", tag.path.as_str()),
            found => found.map_or_else(String::new, |found| found.text().into_owned()),
        });
    }
    let distinct = members(&skeleton(
        parts,
        (0..).map(|index| format!("\u{e000}{index}")),
    ));
    let rendered = members(&skeleton(parts, texts.into_iter()));
    if rendered < distinct {
        Err(RenderError::new(first, Reason::RepeatedKey))
    } else {
        Ok(())
    }
}

fn key_tags(parts: &[Part]) -> impl Iterator<Item = &Tag> {
    parts.iter().filter_map(|part| match part {
        Part::Tag(tag, TagContext::JsonKey) => Some(tag),
        _ => None,
    })
}

/// The template's JSON without the values, with the next of `texts` at each tag in a key.
fn skeleton(parts: &[Part], mut texts: impl Iterator<Item = String>) -> Value {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Tag(_, TagContext::JsonKey) => {
                escape(&mut out, &texts.next().unwrap_or_default());
            }
            Part::Tag(_, TagContext::JsonValue) => out.push_str("null"),
            Part::Tag(..) => {}
        }
    }
    serde_json::from_str(&out).unwrap_or_default()
}

fn members(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.len() + map.values().map(members).sum::<usize>(),
        Value::Array(items) => items.iter().map(members).sum(),
        _ => 0,
    }
}

/// Appends the text, escaped for a JSON string.
pub(super) fn escape(out: &mut String, text: &str) {
    let quoted = Value::from(text).to_string();
    out.push_str(&quoted[1..quoted.len() - 1]);
}

/// Appends a value as JSON. A masked one becomes a string, so that the preview is valid JSON.
pub(super) fn write_value(out: &mut String, found: Option<&Found<'_>>) {
    match found {
        None => out.push_str("null"),
        Some(Found::Json(value)) => out.push_str(&value.to_string()),
        Some(Found::Secret(text)) => out.push_str(&Value::from(*text).to_string()),
        Some(Found::Masked) => out.push_str(&Value::from(MASK).to_string()),
    }
}
