//! Applies the filters of a tag to its value.

use std::{borrow::Cow, cell::Cell};

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{MAX_RENDERED, Reason, RenderError, part::percent};
use crate::{
    tag::{
        Tag,
        filter::{Argument, Filter, format_date},
    },
    time,
};

/// Maximum number of bytes that filters read and write for one request. About 0.2 s in an optimized
/// build.
const MAX_WORK: usize = 32 * 1024 * 1024;

/// Bytes that count for a filter besides those of its value.
const FILTER_COST: usize = 64;

/// Characters with a meaning in Telegram's `MarkdownV2`.
const MARKDOWN: &str = "_*[]()~`>#+-=|{}.!\\";

/// Bytes left for the filters of one request.
#[derive(Debug)]
pub struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MAX_WORK))
    }
}

impl Budget {
    /// Uses up `bytes`.
    fn spend(&self, bytes: usize) -> Result<(), Reason> {
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.unwrap_or_default());
        left.map(|_| ()).ok_or(Reason::TooCostly)
    }
}

/// What a filter makes of a value.
enum Filtered {
    To(Value),
    Unchanged,
    /// It can't take the value.
    Unfit,
}

/// The value after all filters of the tag, and whether each of them could take it. A filter that
/// can't take its value is skipped. `RenderError` if a text would exceed [`MAX_RENDERED`], or the
/// budget is used up.
pub(super) fn apply<'a>(
    tag: &Tag,
    value: Option<Cow<'a, Value>>,
    budget: &Budget,
) -> Result<(Option<Cow<'a, Value>>, bool), RenderError> {
    let error = |reason| RenderError::new(tag, reason);
    let (mut value, mut fits) = (value, true);
    for filter in &tag.filters {
        let cost = FILTER_COST + length(value.as_deref());
        budget.spend(cost).map_err(error)?;
        match filtered(filter, value.as_deref()) {
            Filtered::Unchanged => {}
            Filtered::Unfit => fits = false,
            Filtered::To(result) => {
                let length = length(Some(&result));
                budget.spend(length).map_err(error)?;
                if length > MAX_RENDERED {
                    return Err(error(Reason::TooLong));
                }
                value = Some(Cow::Owned(result));
            }
        }
    }
    Ok((value, fits))
}

/// Length of a text in bytes, or of a list in elements of 8 bytes. Other values are read only to
/// write a text.
fn length(value: Option<&Value>) -> usize {
    match value {
        Some(Value::String(text)) => text.len(),
        Some(Value::Array(items)) => items.len() * 8,
        _ => 0,
    }
}

fn filtered(filter: &Filter, value: Option<&Value>) -> Filtered {
    let is_empty = value.is_none_or(|value| value.is_null() || value.as_str() == Some(""));
    let Some(value) = value.filter(|_| !matches!(filter, Filter::Default(_))) else {
        return match filter {
            Filter::Default(argument) if is_empty => Filtered::To(match argument {
                Argument::Text(text) => Value::from(&**text),
                Argument::Number(number) => Value::from(*number),
            }),
            _ => Filtered::Unchanged,
        };
    };
    let result = match filter {
        Filter::Default(_) => return Filtered::Unchanged,
        Filter::Upper => scalar(value).map(|text| text.to_uppercase()),
        Filter::Lower => scalar(value).map(|text| text.to_lowercase()),
        Filter::Trim => scalar(value).map(|text| text.trim().to_owned()),
        Filter::Truncate(max) => scalar(value).map(|text| truncate(&text, *max)),
        Filter::Date(format) => date(format, value),
        Filter::Html => some_text(value).map(|text| html(&text)),
        Filter::Markdown => some_text(value).map(|text| markdown(&text)),
        Filter::Url => some_text(value).map(|text| {
            let mut out = String::new();
            percent(&mut out, &text);
            out
        }),
        Filter::Base64 => some_text(value).map(|text| BASE64_STANDARD.encode(&*text)),
        Filter::Json => Some(value.to_string()),
        Filter::Join(separator) => value.as_array().map(|items| join(items, separator)),
        Filter::Length => {
            let count = match value {
                Value::String(text) => text.chars().count(),
                Value::Array(items) => items.len(),
                Value::Object(map) => map.len(),
                _ => return Filtered::Unfit,
            };
            return Filtered::To(Value::from(count));
        }
    };
    result.map_or(Filtered::Unfit, |text| Filtered::To(Value::from(text)))
}

/// Text of a value in a text position: a string as it is, `null` as nothing, anything else as
/// compact JSON.
pub(super) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        value => Cow::Owned(value.to_string()),
    }
}

/// Text of anything but `null`: a value that is not escaped could change the text around it.
fn some_text(value: &Value) -> Option<Cow<'_, str>> {
    (!value.is_null()).then(|| text(value))
}

/// Text of a string, number or boolean.
fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    if value.is_array() || value.is_object() {
        return None;
    }
    some_text(value)
}

fn truncate(text: &str, max: usize) -> String {
    if text.chars().nth(max).is_none() {
        return text.to_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

/// Takes RFC 3339 text and Unix seconds, which may also be digits in a text.
fn date(format: &str, value: &Value) -> Option<String> {
    let seconds = |text: &str| Timestamp::from_second(text.parse().ok()?).ok();
    let time = match value {
        Value::String(text) => time::parse(text).or_else(|| seconds(text)),
        Value::Number(number) => seconds(&number.to_string()).or_else(|| {
            let since = SignedDuration::try_from_secs_f64(number.as_f64()?).ok()?;
            Timestamp::from_duration(since).ok()
        }),
        _ => None,
    };
    format_date(format, time?)
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if MARKDOWN.contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Stops soon after the limit, which `apply` then reports: a long separator between many elements
/// is much longer than both.
fn join(items: &[Value], separator: &str) -> String {
    let mut out = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        out.push_str(&text(item));
        if out.len() > MAX_RENDERED {
            break;
        }
    }
    out
}
