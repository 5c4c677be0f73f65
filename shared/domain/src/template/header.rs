//! Header values with tags.

use std::{collections::BTreeSet, fmt};

use super::{
    Audience, Missing, Reason, RenderError, TagValues, TemplateError, fill,
    part::{self, Part, TagContext},
};
use crate::{
    cursor::Syntax,
    header::{VALUE_LIMIT, check_value},
    secrets::mask,
    tag::{self, Tag},
};

/// A header value with tags.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderTemplate {
    source: String,
    parts: Vec<Part>,
}

impl HeaderTemplate {
    /// Parses a template of at most 4 KiB.
    ///
    /// # Errors
    /// Returns the first error in the template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        tag::check(text)?;
        Self::restore(text)
    }

    /// Loads a stored template, in which tags with invalid filters are literal text.
    ///
    /// # Errors
    /// Returns the first other error in the template.
    pub fn restore(text: &str) -> Result<Self, TemplateError> {
        check_value(text)?;
        let parts = part::split(text, TagContext::Plain, |literal| Ok(literal.to_owned()))?;
        Ok(Self {
            source: text.to_owned(),
            parts,
        })
    }

    /// The template's source text. May contain a token: mask it before showing it.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Paths of its tags, in order of appearance.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.parsed_tags().map(|tag| tag.path.as_str())
    }

    /// Its tags, in order of appearance.
    pub(crate) fn parsed_tags(&self) -> impl Iterator<Item = &Tag> {
        part::tags(&self.parts)
    }

    /// Descriptions of text in the header `name` that was probably meant to be a tag.
    pub(crate) fn lookalikes(&self, name: &str) -> Vec<String> {
        let shown = mask::header(name, &self.source);
        tag::lookalikes(&tag::pieces(&shown).collect::<Vec<_>>(), Syntax::Plain)
    }

    /// Renders the value for one event. Non-ASCII text is sent as UTF-8 (`obs-text`, RFC 9110,
    /// section 5.5). `RenderError` if a value contains a control character other than a tab or the result
    /// exceeds 4 KiB.
    pub fn render(
        &self,
        values: &TagValues<'_>,
        missing: &mut Missing,
    ) -> Result<String, RenderError> {
        self.check_values(values, Audience::Receiver)?;
        render(&self.parts, values, Audience::Receiver, missing)
    }

    /// Renders the value for display in the header `name`, with secrets and anything that looks
    /// like one in the template masked. `RenderError` as for `render`, but based on the displayed length.
    pub fn render_masked(&self, name: &str, values: &TagValues<'_>) -> Result<String, RenderError> {
        self.check_values(values, Audience::Masked)?;
        // Literals are not validated here.
        let masked = part::split(
            &mask::header_template(name, &self.source),
            TagContext::Plain,
            |text| Ok(text.to_owned()),
        );
        render(
            &masked.unwrap_or_default(),
            values,
            Audience::Masked,
            &mut Missing::default(),
        )
    }

    /// Validates the value of each distinct tag and stops at the first one that is unfit.
    fn check_values(&self, values: &TagValues<'_>, view: Audience) -> Result<(), RenderError> {
        let find = |tag, view| values.find(tag, view, &mut Missing::default());
        let (mut seen, mut length) = (BTreeSet::new(), 0);
        for tag in self.parsed_tags().filter(|tag| seen.insert(*tag)) {
            let Some(sent) = find(tag, Audience::Receiver)? else {
                continue;
            };
            length += find(tag, view)?.map_or(0, |shown| shown.text().len());
            if length > VALUE_LIMIT {
                return Err(RenderError::new(tag, Reason::TooLong));
            }
            if sent.text().chars().any(|c| c.is_control() && c != '\t') {
                return Err(RenderError::new(tag, Reason::HeaderCharacter));
            }
        }
        Ok(())
    }
}

fn render(
    parts: &[Part],
    values: &TagValues<'_>,
    view: Audience,
    missing: &mut Missing,
) -> Result<String, RenderError> {
    let mut out = String::new();
    fill::fill(&mut out, parts, values, view, VALUE_LIMIT, missing)?;
    Ok(out)
}

/// Header values are encrypted at rest, so they are hidden here too.
impl fmt::Debug for HeaderTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderTemplate([REDACTED])")
    }
}
