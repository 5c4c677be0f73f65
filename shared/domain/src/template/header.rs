//! Header values with tags.

use std::fmt;

use super::{
    Missing, Reason, Scope, TemplateError, Unfit, View,
    part::{self, Part, Place},
};
use crate::header::{HeaderError, VALUE_LIMIT, check_value};

/// A header's value with tags: printable ASCII and tabs.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderTemplate {
    source: String,
    parts: Vec<Part>,
}

impl HeaderTemplate {
    /// The template that `text` writes, of at most 4 KiB.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        check_value(text)?;
        let parts = part::split(text, Place::Plain, |literal| Ok(literal.to_owned()))?;
        Ok(Self { source: text.to_owned(), parts })
    }

    /// The template as written. It may hold a token: mask it before people see it.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The names of its tags, in their order.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        part::tags(&self.parts)
    }

    /// The value for one event. `Unfit` when a tag brings other than printable ASCII and tabs, or more than 4 KiB.
    pub fn render(&self, scope: &Scope<'_>, view: View, missing: &mut Missing) -> Result<String, Unfit> {
        let mut out = String::with_capacity(self.source.len());
        let mut last = None;
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Tag(path, place) => {
                    let found = scope.find(path, view, missing);
                    if let Some(wire) = scope.find(path, View::Wire, missing) {
                        check_value(&wire.text()).map_err(|error| Unfit::new(path, error.into()))?;
                    }
                    place.write(&mut out, found.as_ref());
                    last = Some(path);
                }
            }
            if let Some(path) = last.filter(|_| out.len() > VALUE_LIMIT) {
                return Err(Unfit::new(path, Reason::TooLong));
            }
        }
        Ok(out)
    }
}

/// Header values are sealed at rest, so they do not show here either.
impl fmt::Debug for HeaderTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderTemplate([REDACTED])")
    }
}

impl From<HeaderError> for Reason {
    fn from(error: HeaderError) -> Self {
        if error == HeaderError::Long { Self::TooLong } else { Self::HeaderCharacter }
    }
}
