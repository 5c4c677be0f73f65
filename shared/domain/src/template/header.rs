//! Header values with tags.

use std::{collections::BTreeSet, fmt};

use super::{
    Missing, Reason, Scope, TemplateError, Unfit, View,
    part::{self, Part, Place},
};
use crate::{
    header::{VALUE_LIMIT, check_value},
    mask,
};

/// A header's value with tags.
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
        Ok(Self {
            source: text.to_owned(),
            parts,
        })
    }

    /// The template as written. It may hold a token: mask it before people see it.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The names of its tags, in their order.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        part::tags(&self.parts)
    }

    /// The value for one event. Text beyond ASCII goes out as UTF-8 (`obs-text`, RFC 9110, section
    /// 5.5). `Unfit` when a tag brings a control character other than a tab, or more than 4 KiB.
    pub fn render(&self, scope: &Scope<'_>, missing: &mut Missing) -> Result<String, Unfit> {
        self.check_values(scope, View::Wire)?;
        fill(&self.parts, scope, View::Wire, missing)
    }

    /// The value for one event as people may see it in the header `name`: secrets and whatever
    /// looks like one in the template are masked. `Unfit` as for `render`, but by the length of
    /// what is shown.
    pub fn render_masked(&self, name: &str, scope: &Scope<'_>) -> Result<String, Unfit> {
        self.check_values(scope, View::Masked)?;
        // No literal is refused here.
        let masked = part::split(
            &mask::header_template(name, &self.source),
            Place::Plain,
            |text| Ok(text.to_owned()),
        );
        fill(
            &masked.unwrap_or_default(),
            scope,
            View::Masked,
            &mut Missing::default(),
        )
    }

    /// Looks at the value of each distinct tag, up to the first that does not fit.
    fn check_values(&self, scope: &Scope<'_>, view: View) -> Result<(), Unfit> {
        let find = |path, view| scope.find(path, view, &mut Missing::default());
        let paths = self.parts.iter().filter_map(|part| {
            if let Part::Tag(path, _) = part {
                Some(path)
            } else {
                None
            }
        });
        let (mut seen, mut length) = (BTreeSet::new(), 0);
        for path in paths.filter(|path| seen.insert(path.as_str())) {
            let Some(sent) = find(path, View::Wire) else {
                continue;
            };
            let sent = sent.text();
            length += if view == View::Wire {
                sent.len()
            } else {
                find(path, view).map_or(0, |shown| shown.text().len())
            };
            if length > VALUE_LIMIT {
                return Err(Unfit::new(path, Reason::TooLong));
            }
            if sent.chars().any(|c| c.is_control() && c != '\t') {
                return Err(Unfit::new(path, Reason::HeaderCharacter));
            }
        }
        Ok(())
    }
}

fn fill(
    parts: &[Part],
    scope: &Scope<'_>,
    view: View,
    missing: &mut Missing,
) -> Result<String, Unfit> {
    let mut out = String::new();
    part::fill(&mut out, parts, scope, view, VALUE_LIMIT, missing)?;
    Ok(out)
}

/// Header values are sealed at rest, so they do not show here either.
impl fmt::Debug for HeaderTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderTemplate([REDACTED])")
    }
}
