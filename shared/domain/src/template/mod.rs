//! Templates with tags: `{name}` and `{a.b.0.c}` in a webhook's body, URL and header values.
//!
//! A template is parsed when it is saved. Parsing finds every tag and its context, which decides how
//! values are escaped. For each event, rendering is one pass over the parsed parts with a [`TagValues`]
//! of untrusted values. Guarantees for any value:
//!
//! - A value never changes the structure around it: JSON and XML structure, form pairs, the URL's
//!   origin, segments and query pairs, and the header line. If escaping can't guarantee that, the
//!   result is [`RenderError`].
//! - A receiver's parser reads back exactly the value. (XML 1.0 can't represent some control
//!   characters; they become U+FFFD.)
//! - A value is never expanded again.
//! - A body never exceeds [`MAX_RENDERED`], and the cost of rendering is bounded by that size plus
//!   one value.
//! - The work of filters is bounded by a [`Budget`].
//!
//! A `{` that does not start a tag is literal text. A tag without a value is empty (`null` as a
//! JSON value) and listed in [`Missing`]. Filters change a value before it is escaped; one that they
//! can't take is unchanged and listed as well. In text, a string is inserted as is, a number or boolean
//! as JSON, `null` as nothing, and an array or object as compact JSON.

mod envelope;
mod error;
mod fill;
mod filters;
mod form;
mod header;
mod json;
mod part;
mod url;
mod values;
pub(crate) mod warnings;
mod xml;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use self::part::Part;
pub(crate) use self::values::filtered_secrets;
pub use self::values::{Audience, Missing, TagValues};
pub(crate) use self::xml::escape_text as escape_xml;
pub use self::{
    envelope::envelope,
    error::{Reason, RenderError},
    filters::Budget,
    header::HeaderTemplate,
    url::UrlTemplate,
};
pub use crate::tag::TagError;
use crate::{
    cursor::Syntax,
    header::HeaderError,
    tag::{self, Tag},
    validation::{ClientError, Source},
};

/// Maximum size of a body template, in bytes.
pub const MAX_BODY: usize = 32 * 1024;

/// Maximum size of a rendered body, in bytes. A short template can use a long value many times.
pub const MAX_RENDERED: usize = 2 * 1024 * 1024;

/// Format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// Content type of the format. JSON and forms define no `charset`; XML without a declaration is
    /// UTF-8.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// Why a template is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Too many bytes.
    #[error("must have at most {0} bytes")]
    TooLong(usize),
    /// Not valid JSON after replacing its tags with values.
    #[error("is not valid JSON after replacing tags with values (line {line}, column {column})")]
    Json {
        /// Starts at 1.
        line: usize,
        /// In bytes, starts at 1.
        column: usize,
    },
    /// Not well formed, contains a DOCTYPE, or has a tag outside text, attribute values and CDATA.
    #[error("is not a valid XML template: {message} (line {line}, column {column})")]
    Xml {
        /// Description of the error.
        message: String,
        /// Starts at 1.
        line: usize,
        /// In characters, starts at 1.
        column: usize,
    },
    /// A percent sign that is not followed by two hexadecimal digits.
    #[error(
        "contains a `%` that is not followed by two hexadecimal digits. Write `%25` for a percent sign."
    )]
    Percent,
    /// Not an absolute http or https URL.
    #[error("must be an absolute URL such as `https://example.com/path`")]
    NotAbsolute,
    /// Invalid scheme or authority.
    #[error(
        "must be an absolute URL with a valid host and port, such as `https://example.com/path`"
    )]
    Host,
    /// A tag before the path.
    #[error("may contain tags only after the host and port")]
    TagInAuthority,
    /// `user:password@`.
    #[error("must not contain a user name or password. Use `auth`.")]
    UserInfo,
    /// A fragment, which HTTP never sends.
    #[error("must not contain a fragment (`#…`)")]
    Fragment,
    /// Spaces, control characters and backslashes, which URL parsers drop or reinterpret.
    #[error("must not contain spaces, control characters or backslashes")]
    UrlCharacter,
    /// A `.` or `..` segment, which URL parsers resolve.
    #[error("must not contain `.` or `..` as a path segment")]
    DotSegment,
    /// Not a valid header value.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A tag with invalid filters.
    #[error(transparent)]
    Tag(#[from] TagError),
}

impl ClientError for TemplateError {}

/// A body template.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use domain::template::{Audience, BodyTemplate, Budget, Format, Missing, TagValues};
/// use serde_json::json;
///
/// let text = r#"{"text": "Hi {user.name | default: 'there'}", "n": {count}}"#;
/// let template = BodyTemplate::parse(Format::Json, text)?;
/// let values = TagValues {
///     roots: &json!({}),
///     secrets: &BTreeMap::new(),
///     whole: &[],
///     secret_tags: &[],
///     data: &json!({"user": {"name": "Zoë \"Z\""}, "count": 3}),
///     budget: Budget::default(),
/// };
/// let mut missing = Missing::default();
/// let body = template.render(&values, Audience::Receiver, &mut missing)?;
/// assert_eq!(body, r#"{"text": "Hi Zoë \"Z\"", "n": 3}"#);
/// assert!(Vec::from(missing).is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyTemplate {
    format: Format,
    source: String,
    parts: Vec<Part>,
}

impl BodyTemplate {
    /// Parses a template of at most [`MAX_BODY`] bytes.
    ///
    /// # Errors
    /// Returns the first error in the template.
    pub fn parse(format: Format, text: &str) -> Result<Self, TemplateError> {
        Self::read(format, text, Source::Client)
    }

    /// Parses a template, or loads a stored one, in which tags with invalid filters are literal
    /// text.
    ///
    /// # Errors
    /// Returns the first error in the template.
    pub fn read(format: Format, text: &str, source: Source) -> Result<Self, TemplateError> {
        if text.len() > MAX_BODY {
            return Err(TemplateError::TooLong(MAX_BODY));
        }
        if source == Source::Client {
            match format {
                Format::Json => json::check(text)?,
                Format::Xml | Format::Form => tag::check(text)?,
            }
        }
        let parts = match format {
            Format::Json => json::parse(text)?,
            Format::Xml => xml::parse(text, source)?,
            Format::Form => form::parse(text)?,
        };
        Ok(Self {
            format,
            source: text.to_owned(),
            parts,
        })
    }

    /// The template's source text.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The body's format.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Paths of its tags, in order of appearance.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.parsed_tags().map(|tag| tag.path.as_str())
    }

    /// Its tags, in order of appearance.
    pub(crate) fn parsed_tags(&self) -> impl Iterator<Item = &Tag> {
        part::tags(&self.parts)
    }

    /// Descriptions of text that was probably meant to be a tag.
    pub(crate) fn lookalikes(&self) -> Vec<String> {
        match self.format {
            Format::Json => tag::lookalikes(&json::pieces(&self.source), Syntax::JsonString),
            Format::Xml | Format::Form => {
                let pieces: Vec<_> = tag::pieces(&self.source).collect();
                tag::lookalikes(&pieces, Syntax::Plain)
            }
        }
    }

    /// Renders the body for one event. `RenderError` if it would exceed [`MAX_RENDERED`] or repeat a key
    /// of a JSON object.
    pub fn render(
        &self,
        values: &TagValues<'_>,
        view: Audience,
        missing: &mut Missing,
    ) -> Result<String, RenderError> {
        let mut out = String::with_capacity(self.source.len());
        fill::fill(&mut out, &self.parts, values, view, MAX_RENDERED, missing)?;
        json::check_keys(&self.parts, values, view)?;
        Ok(out)
    }
}
