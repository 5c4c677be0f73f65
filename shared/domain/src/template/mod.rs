//! Templates with tags: `{name}` and `{a.b.0.c}` in a webhook's body, URL and header values.
//!
//! In comes a text that somebody wrote and, for each event, a [`Scope`] of values that anybody may
//! have sent. A template is parsed when it is saved: every tag is found, and the place where it
//! stands decides how its value will be escaped. Rendering is one pass over the parsed parts.
//! Guaranteed for whatever values come:
//!
//! - a value never changes the structure around it: the JSON stays that JSON, the XML that XML, the
//!   form keeps its pairs, the URL its origin, segments and pairs, the header its line; where no
//!   escaping can hold that, the answer is [`Unfit`];
//! - a receiver's parser reads back exactly the value (XML 1.0 has no form for some control
//!   characters: they become U+FFFD);
//! - a value is never expanded again;
//! - a body never passes [`MAX_RENDERED`], and rendering costs no more than that, one value beyond
//!   it included.
//!
//! A `{` that opens no tag is literal text. A tag that names nothing is empty (in a JSON value
//! position: `null`) and noted in [`Missing`]. In text, a string is its characters, a number or
//! boolean its JSON text, `null` is empty, and an array or object its compact JSON.

mod envelope;
mod form;
mod header;
mod json;
mod part;
mod scope;
mod url;
mod xml;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::part::Part;
pub use self::{
    envelope::envelope,
    header::HeaderTemplate,
    scope::{Missing, Reason, Scope, Unfit, View},
    url::UrlTemplate,
};
pub(crate) use self::{part::tag_at, xml::escape_text as escape_xml};
use crate::header::HeaderError;

/// The longest body template, in bytes.
pub const MAX_BODY: usize = 32 * 1024;

/// The longest body that a template may render to, in bytes. A short template can name a long value
/// many times.
pub const MAX_RENDERED: usize = 2 * 1024 * 1024;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON (RFC 8259).
    Json,
    /// XML 1.0.
    Xml,
    /// `application/x-www-form-urlencoded` (WHATWG URL).
    Form,
}

impl Format {
    /// The media type that goes with it. JSON and forms define no `charset`; XML is UTF-8 when it
    /// says nothing else.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Too many bytes.
    #[error("must have at most {0} bytes")]
    TooLong(usize),
    /// With its tags filled in it would not be JSON; the message ends with line and column.
    #[error("is not JSON once its tags have values (line {line}, column {column})")]
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted in bytes, from 1.
        column: usize,
    },
    /// It is not well formed, uses a DOCTYPE, or has a tag outside text, attribute values and
    /// CDATA.
    #[error("is not XML that tags can be filled into: {message} at line {line} column {column}")]
    Xml {
        /// What is wrong.
        message: String,
        /// Counted from 1.
        line: usize,
        /// Counted in characters, from 1.
        column: usize,
    },
    /// A percent sign that begins no percent-encoded byte.
    #[error("has a `%` without two hexadecimal digits behind it; write `%25` for a percent sign")]
    Percent,
    /// Not an absolute http or https URL.
    #[error("must be an absolute URL such as `https://example.com/path`")]
    NotAbsolute,
    /// The scheme and authority do not parse.
    #[error(
        "must be an absolute URL with a valid host and port, such as `https://example.com/path`"
    )]
    Host,
    /// A tag before the path.
    #[error("may have tags only after the host and port")]
    TagInAuthority,
    /// `user:password@`.
    #[error("must hold no user name or password; use `auth`")]
    UserInfo,
    /// A fragment would not be sent.
    #[error("must have no fragment (`#…`)")]
    Fragment,
    /// Spaces, control characters and backslashes, which URL parsers drop or take for something
    /// else.
    #[error("must hold no spaces, control characters or backslashes")]
    UrlCharacter,
    /// A `.` or `..` segment, which URL parsers resolve.
    #[error("must have no `.` or `..` as a path segment")]
    DotSegment,
    /// Nothing that a header value can be.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// A body with tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyTemplate {
    format: Format,
    source: String,
    parts: Vec<Part>,
}

impl BodyTemplate {
    /// The template that `text` writes, of at most [`MAX_BODY`] bytes.
    pub fn parse(format: Format, text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_BODY {
            return Err(TemplateError::TooLong(MAX_BODY));
        }
        let parts = match format {
            Format::Json => json::parse(text)?,
            Format::Xml => xml::parse(text)?,
            Format::Form => form::parse(text)?,
        };
        Ok(Self {
            format,
            source: text.to_owned(),
            parts,
        })
    }

    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// What it renders to.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The names of its tags, in their order.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        part::tags(&self.parts)
    }

    /// The body for one event. `Unfit` when it would pass [`MAX_RENDERED`] or two keys of a JSON
    /// object become the same.
    pub fn render(
        &self,
        scope: &Scope<'_>,
        view: View,
        missing: &mut Missing,
    ) -> Result<String, Unfit> {
        let mut out = String::with_capacity(self.source.len());
        part::fill(&mut out, &self.parts, scope, view, MAX_RENDERED, missing)?;
        json::check_keys(&self.parts, scope, view)?;
        Ok(out)
    }
}
