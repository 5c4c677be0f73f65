//! Parsers of single values.

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::{Validated, ValidationErrors};

/// Parses an absolute URL.
///
/// # Errors
/// Fails if the text is not an absolute URL.
pub fn url(text: &str) -> Validated<Url> {
    Url::parse(text).map_err(|_| {
        ValidationErrors::here("must be an absolute URL such as https://example.com/path")
    })
}

/// A string.
pub fn string(value: Value) -> Validated<String> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(ValidationErrors::here("must be a string")),
    }
}

/// A boolean.
#[expect(clippy::needless_pass_by_value, reason = "parsers consume the value")]
pub fn boolean(value: Value) -> Validated<bool> {
    value
        .as_bool()
        .ok_or_else(|| ValidationErrors::here("must be true or false"))
}

/// A whole number from `min` to `max`. `60.0` and `6e1` count as whole numbers.
pub fn whole(min: u64, max: u64) -> impl FnOnce(Value) -> Validated<u64> {
    move |value| {
        value
            .as_u64()
            .or_else(|| integral(value.as_f64()?))
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| {
                ValidationErrors::here(format!("must be a whole number from {min} to {max}"))
            })
    }
}

/// The integer of a number without a fraction. Rejects numbers above 2^53, because not every
/// integer above it is a double.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within the range that was checked"
)]
fn integral(number: f64) -> Option<u64> {
    let exact = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
    exact.then_some(number as u64)
}

/// One of these strings.
pub fn one_of<T: Copy>(choices: &[(&str, T)]) -> impl FnOnce(Value) -> Validated<T> {
    move |value| {
        let found = value
            .as_str()
            .and_then(|text| choices.iter().find(|(name, _)| *name == text));
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            ValidationErrors::here(format!("must be one of: {}", names.join(", ")))
        })
    }
}

/// An array of `min` to `max` items. Errors include the index.
pub fn list<T>(
    min: usize,
    max: usize,
    each: impl Fn(Value) -> Validated<T>,
) -> impl FnOnce(Value) -> Validated<Vec<T>> {
    move |value| {
        let Value::Array(values) = value else {
            return Err(ValidationErrors::here("must be an array"));
        };
        if !(min..=max).contains(&values.len()) {
            return Err(ValidationErrors::here(format!(
                "must contain {min} to {max} items"
            )));
        }
        gather(
            values
                .into_iter()
                .enumerate()
                .map(|(index, value)| (index.to_string(), value)),
            |_, value| each(value),
        )
        .map(|pairs| pairs.into_iter().map(|(_, value)| value).collect())
    }
}

/// The items without repetitions, in their order.
pub fn distinct<T: Clone + Ord>(mut items: Vec<T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    items.retain(|item| seen.insert(item.clone()));
    items
}

/// An object of at most `max` entries. `each` gets name and value; errors include the name.
pub fn entries<T>(
    max: usize,
    each: impl Fn(&str, Value) -> Validated<T>,
) -> impl FnOnce(Value) -> Validated<Vec<(String, T)>> {
    move |value| {
        let Value::Object(values) = value else {
            return Err(ValidationErrors::here("must be an object"));
        };
        if values.len() > max {
            return Err(ValidationErrors::here(format!(
                "must contain at most {max} entries"
            )));
        }
        gather(values, each)
    }
}

fn gather<T>(
    values: impl IntoIterator<Item = (String, Value)>,
    each: impl Fn(&str, Value) -> Validated<T>,
) -> Validated<Vec<(String, T)>> {
    let mut problems = Vec::new();
    let mut parsed = Vec::new();
    for (token, value) in values {
        match each(&token, value) {
            Ok(value) => parsed.push((token, value)),
            Err(found) => problems.extend(found.under(&token).0),
        }
    }
    ValidationErrors::check(problems).map(|()| parsed)
}

/// A resource name: trimmed, 1 to 100 characters, no control characters.
pub fn name(value: Value) -> Validated<String> {
    let text = string(value)?.trim().to_owned();
    match text.chars().count() {
        0 => Err(ValidationErrors::here("must not be empty")),
        1..=100 if !text.chars().any(char::is_control) => Ok(text),
        1..=100 => Err(ValidationErrors::here(
            "must not contain control characters",
        )),
        _ => Err(ValidationErrors::here("must have at most 100 characters")),
    }
}

/// A text of 1 to `max` characters without control characters.
pub fn text(max: usize) -> impl FnOnce(Value) -> Validated<String> {
    move |value| {
        let text = string(value)?;
        if !(1..=max).contains(&text.chars().count()) {
            return Err(ValidationErrors::here(format!(
                "must have 1 to {max} characters"
            )));
        }
        if text.chars().any(char::is_control) {
            return Err(ValidationErrors::here(
                "must not contain control characters",
            ));
        }
        Ok(text)
    }
}

/// A secret issued by a third party: 1 to 4096 characters without control characters.
pub fn secret(value: Value) -> Validated<SecretString> {
    text(4096)(value).map(SecretString::from)
}
