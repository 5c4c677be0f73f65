//! JSON bodies. A tag inside a string inserts its value's text, JSON-escaped. A tag in a value
//! position inserts the value as JSON.

use serde_json::Value;

use super::{
    Audience, Missing, Reason, RenderError, TagValues, TemplateError,
    part::{Part, TagContext},
    values::Found,
};
use crate::{secrets::mask::MASK, tag::tag_at};

/// Finds tags with a scanner that only knows strings and their escapes. Then a real parser
/// validates the text, with each tag replaced by a placeholder that is valid only in the place that
/// the scanner found.
pub(super) fn parse(text: &str) -> Result<Vec<Part>, TemplateError> {
    let parts = scan(text);
    let filled = parts
        .iter()
        .fold(String::with_capacity(text.len()), |mut out, part| {
            match part {
                Part::Text(text) => out.push_str(text),
                // As long as the tag, so that line and column in errors match the template. `~`
                // completes no escape sequence, and `[]` neither a number nor a key.
                Part::Tag(path, TagContext::JsonValue) => {
                    out.push_str("[]");
                    out.push_str(&" ".repeat(path.as_str().len()));
                }
                Part::Tag(path, _) => out.push_str(&"~".repeat(path.as_str().len() + 2)),
            }
            out
        });
    match serde_json::from_str::<Value>(&filled) {
        Ok(_) => Ok(parts),
        Err(error) => Err(TemplateError::Json {
            line: error.line(),
            column: error.column(),
        }),
    }
}

fn scan(text: &str) -> Vec<Part> {
    let bytes = text.as_bytes();
    let mut parts = Vec::new();
    // Start of the current string, as an index into `parts`.
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
                    mark_keys(&mut parts[since..]);
                }
                Some(_) => {}
                None => string = Some(parts.len()),
            },
            b'{' => {
                if let Some((path, length)) = tag_at(&text[at..]) {
                    parts.push(Part::Text(text[done..at].to_owned()));
                    parts.push(Part::Tag(
                        path,
                        if string.is_some() {
                            TagContext::JsonString
                        } else {
                            TagContext::JsonValue
                        },
                    ));
                    done = at + length;
                    at = done - 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(Part::Text(text[done..].to_owned()));
    parts
}

fn mark_keys(parts: &mut [Part]) {
    for part in parts {
        if let Part::Tag(_, context) = part {
            *context = TagContext::JsonKey;
        }
    }
}

/// Rejects values in keys that duplicate another key of the same object, because receivers disagree
/// on which one counts.
pub(super) fn check_keys(
    parts: &[Part],
    values: &TagValues<'_>,
    view: Audience,
) -> Result<(), RenderError> {
    let first = parts.iter().find_map(|part| match part {
        Part::Tag(path, TagContext::JsonKey) => Some(path),
        _ => None,
    });
    let Some(path) = first else { return Ok(()) };
    let distinct = members(&skeleton(parts, |index, _| format!("\u{e000}{index}")));
    let rendered = members(&skeleton(parts, |_, path| {
        match values.find(path, view, &mut Missing::default()) {
            // A preview must not reveal whether a value equals a secret.
            Some(Found::Masked) => format!("\u{e001}{}", path.as_str()),
            found => found
                .map(|found| found.text().into_owned())
                .unwrap_or_default(),
        }
    }));
    if rendered < distinct {
        Err(RenderError::new(path, Reason::RepeatedKey))
    } else {
        Ok(())
    }
}

/// The template's JSON without the values.
fn skeleton(parts: &[Part], key: impl Fn(usize, &crate::path::Path) -> String) -> Value {
    let mut out = String::new();
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Tag(path, TagContext::JsonKey) => escape(&mut out, &key(index, path)),
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
        Some(Found::Text(text)) => out.push_str(&Value::from(*text).to_string()),
        Some(Found::Masked) => out.push_str(&Value::from(MASK).to_string()),
    }
}
