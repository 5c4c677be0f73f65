//! Header values with tags.

use std::fmt;

use super::{
    Missing, Reason, Scope, TemplateError, Unfit, View,
    part::{self, Part, Place},
};
use crate::{
    header::{VALUE_LIMIT, check_value},
    mask,
};

/// A header's value with tags. Its own text is printable ASCII and tabs.
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

    /// The value for one event. Text beyond ASCII goes out as UTF-8 (`obs-text`, RFC 9110, section 5.5). `Unfit` when a
    /// tag brings a control character other than a tab, or more than 4 KiB.
    pub fn render(&self, scope: &Scope<'_>, missing: &mut Missing) -> Result<String, Unfit> {
        self.check_values(scope)?;
        fill(&self.parts, scope, View::Wire, missing)
    }

    /// The value for one event as people may see it in the header `name`: secrets and whatever looks like one in the
    /// template are masked. `Unfit` as for `render`, but by the length of what is shown.
    pub fn render_masked(&self, name: &str, scope: &Scope<'_>) -> Result<String, Unfit> {
        self.check_values(scope)?;
        // No literal is refused here.
        let masked = part::split(&mask::header_template(name, &self.source), Place::Plain, |text| Ok(text.to_owned()));
        fill(&masked.unwrap_or_default(), scope, View::Masked, &mut Missing::default())
    }

    fn check_values(&self, scope: &Scope<'_>) -> Result<(), Unfit> {
        let fits = |text: &str| text.chars().all(|c| !c.is_control() || c == '\t');
        let paths = self.parts.iter().filter_map(|part| if let Part::Tag(path, _) = part { Some(path) } else { None });
        for path in paths {
            let found = scope.find(path, View::Wire, &mut Missing::default());
            if !found.is_none_or(|found| fits(&found.text())) {
                return Err(Unfit::new(path, Reason::HeaderCharacter));
            }
        }
        Ok(())
    }
}

fn fill(parts: &[Part], scope: &Scope<'_>, view: View, missing: &mut Missing) -> Result<String, Unfit> {
    let mut out = String::new();
    let mut last = None;
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Tag(path, place) => {
                place.write(&mut out, scope.find(path, view, missing).as_ref());
                last = Some(path);
            }
        }
        if let Some(path) = last.filter(|_| out.len() > VALUE_LIMIT) {
            return Err(Unfit::new(path, Reason::TooLong));
        }
    }
    Ok(out)
}

/// Header values are sealed at rest, so they do not show here either.
impl fmt::Debug for HeaderTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderTemplate([REDACTED])")
    }
}
