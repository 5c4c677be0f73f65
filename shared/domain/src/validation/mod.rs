//! Reads a JSON document field by field and collects all errors: missing, unknown and invalid
//! fields, each with its JSON pointer (RFC 6901).
//!
//! A document of 256 KiB can contain 40,000 unknown fields. At most [`MAX_UNKNOWN`] of one object
//! are listed, and [`ValidationErrors::capped`] limits the total in a response.

mod errors;
mod values;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

pub use self::{
    errors::{ClientError, FieldError, Validated, ValidationErrors},
    values::{boolean, distinct, entries, list, name, one_of, secret, string, text, url, whole},
};

/// Maximum number of unknown fields listed per object.
const MAX_UNKNOWN: usize = 100;
/// Maximum length of a name that is compared to known fields, in bytes.
const MAX_COMPARED: usize = 64;

/// Origin of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A client: everything is validated.
    Client,
    /// The table: data saved under older rules still loads.
    Table,
}

impl Source {
    /// Parses a secret with `parse`. Rejects a blank (but not empty) secret from a client, because
    /// it was probably left out by mistake.
    pub fn secret(
        self,
        parse: impl FnOnce(Value) -> Validated<SecretString>,
    ) -> impl FnOnce(Value) -> Validated<SecretString> {
        move |value| {
            let secret = parse(value)?;
            self.check_not_blank(secret.expose_secret())
                .map(|()| secret)
        }
    }

    /// Rejects a blank (but not empty) secret from a client.
    pub(crate) fn check_not_blank(self, secret: &str) -> Validated<()> {
        if self == Self::Client && !secret.is_empty() && secret.trim().is_empty() {
            return Err(ValidationErrors::here("must not be blank"));
        }
        Ok(())
    }
}

/// Reads the fields of one JSON object. Each field is read once; `finish` reports the fields that
/// were not read. An explicit `null` counts as absent, as in a merge patch (RFC 7396).
#[derive(Debug)]
pub struct FieldReader {
    left: Map<String, Value>,
    problems: Vec<FieldError>,
    /// Names of the fields read so far.
    known: Vec<String>,
}

impl FieldReader {
    /// The fields of `value`, which must be an object.
    ///
    /// # Errors
    /// Fails if `value` is not an object.
    pub fn of(value: Value) -> Validated<Self> {
        match value {
            Value::Object(left) => Ok(Self {
                left,
                problems: Vec::new(),
                known: Vec::new(),
            }),
            _ => Err(ValidationErrors::here("must be an object")),
        }
    }

    /// The field, if present and valid. `finish` reports any error.
    pub fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(Value) -> Validated<T>,
    ) -> Option<T> {
        let value = self.take(name)?;
        self.collect(name, parse(value))
    }

    /// Like `optional`, but an absent field is an error.
    pub fn required<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(Value) -> Validated<T>,
    ) -> Option<T> {
        let parsed = self
            .take(name)
            .map_or_else(|| Err(ValidationErrors::here("is required")), parse);
        self.collect(name, parsed)
    }

    /// The field, or `default` if it is absent. `None` only if it is invalid.
    pub fn defaulted<T>(
        &mut self,
        name: &str,
        default: T,
        parse: impl FnOnce(Value) -> Validated<T>,
    ) -> Option<T> {
        match self.take(name) {
            Some(value) => self.collect(name, parse(value)),
            None => Some(default),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.known.push(name.to_owned());
        self.left.remove(name).filter(|value| !value.is_null())
    }

    /// Adds a field to the known ones without reading it.
    pub fn knows(&mut self, name: &str) {
        self.known.push(name.to_owned());
    }

    /// Whether the field is present and not null.
    pub fn has(&self, name: &str) -> bool {
        self.left.get(name).is_some_and(|value| !value.is_null())
    }

    /// Records an error of the field `name`, or of the object itself if `name` is empty.
    pub fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        let problems = ValidationErrors::here(detail);
        self.problems.extend(
            if name.is_empty() {
                problems
            } else {
                problems.under(name)
            }
            .0,
        );
    }

    /// Returns `whole` if there were no errors, otherwise all errors, including unknown fields.
    ///
    /// # Errors
    /// Reports every invalid, missing and unknown field.
    pub fn finish<T>(mut self, whole: Option<T>) -> Validated<T> {
        let count = self.left.len();
        if count > MAX_UNKNOWN {
            self.refuse(
                "",
                format!("has {count} unknown fields; not all of them are listed"),
            );
        }
        let known = std::mem::take(&mut self.known);
        let mut unlisted = Some(known.as_slice());
        for name in std::mem::take(&mut self.left).keys().take(MAX_UNKNOWN) {
            let detail = match suggestion(name, &known) {
                Some(meant) => format!("is not a known field. Did you mean `{meant}`?"),
                None => unlisted
                    .take()
                    .map_or_else(|| "is not a known field.".to_owned(), unknown_field),
            };
            self.refuse(name, detail);
        }
        match whole {
            Some(whole) if self.problems.is_empty() => Ok(whole),
            _ => Err(ValidationErrors(self.problems)),
        }
    }

    fn collect<T>(&mut self, name: &str, parsed: Validated<T>) -> Option<T> {
        parsed
            .map_err(|problems| self.problems.extend(problems.under(name).0))
            .ok()
    }
}

/// The known field that the client probably meant.
fn suggestion<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    if name.len() > MAX_COMPARED {
        return None;
    }
    let name = name.to_lowercase();
    let likeness = known
        .iter()
        .map(|known| (strsim::jaro_winkler(&name, known), known.as_str()));
    likeness
        .filter(|(likeness, _)| *likeness >= 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// Error text for an unknown field without a similar known field. Known fields are listed once per
/// object.
fn unknown_field(known: &[String]) -> String {
    if known.is_empty() {
        return "is not a known field. No fields are allowed here.".to_owned();
    }
    format!("is not a known field. Known fields: {}", known.join(", "))
}

#[cfg(test)]
mod tests;
