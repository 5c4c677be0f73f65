//! URL templates with tags in path and query.

use std::fmt;

use url::Url;

use super::{
    Audience, Missing, Reason, RenderError, TagValues, TemplateError, fill,
    part::{self, Part, TagContext, is_dots},
};
use crate::{
    cursor::Syntax,
    secrets::mask::{self, MASK},
    tag::{self, Tag, has_tag},
};

/// Maximum length of a URL in bytes, both as a template and rendered (RFC 9110 §4.1 recommends
/// support for at least 8,000).
const MAX: usize = 8_000;

/// An absolute http or https URL without user info and fragment, with tags in path and query only.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlTemplate {
    source: String,
    /// Scheme and authority.
    origin: Url,
    /// Path and query.
    parts: Vec<Part>,
    shape: Shape,
}

/// Structure that values must not change: the number of segments, and whether each query pair has a
/// `=`.
#[derive(Clone, PartialEq, Eq)]
struct Shape(usize, Option<Vec<bool>>);

impl Shape {
    fn of(url: &Url) -> Self {
        let pairs = url
            .query()
            .map(|query| query.split('&').map(|pair| pair.contains('=')).collect());
        Self(url.path().split('/').count(), pairs)
    }
}

impl UrlTemplate {
    /// Parses a template of at most 8,000 bytes.
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
        if text.len() > MAX {
            return Err(TemplateError::TooLong(MAX));
        }
        let invalid = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
        if tag::literals(text).any(|literal| literal.contains(invalid)) {
            return Err(TemplateError::UrlCharacter);
        }
        let (scheme, behind) = text.split_once("://").ok_or(TemplateError::NotAbsolute)?;
        let end = tag::find(behind, &['/', '?', '#']).unwrap_or(behind.len());
        let (authority, rest) = behind.split_at(end);
        if has_tag(scheme) || has_tag(authority) {
            return Err(TemplateError::TagInAuthority);
        }
        if !["http", "https"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
        {
            return Err(TemplateError::NotAbsolute);
        }
        let origin =
            Url::parse(&format!("{scheme}://{authority}")).map_err(|_| TemplateError::Host)?;
        if authority.contains('@') {
            return Err(TemplateError::UserInfo);
        }
        if tag::find(rest, &['#']).is_some() {
            return Err(TemplateError::Fragment);
        }
        let (path, query) =
            tag::split_once(rest, '?').map_or((rest, None), |(path, query)| (path, Some(query)));
        if tag::split(path, &['/']).any(is_dots) {
            return Err(TemplateError::DotSegment);
        }
        // An empty path is parsed as `/`.
        let count = tag::split(path, &['/']).count().max(2);
        let has_value = |pair| tag::find(pair, &['=']).is_some();
        let pairs = query.map(|query| tag::split(query, &['&']).map(has_value).collect());
        let shape = Shape(count, pairs);
        let mut parts = Vec::new();
        for segment in tag::split(path, &['/']).skip(1) {
            parts.push(Part::Text("/".to_owned()));
            parts.extend(split(segment, TagContext::Segment)?);
        }
        if let Some(query) = query {
            parts.push(Part::Text("?".to_owned()));
            parts.extend(split(query, TagContext::Percent)?);
        }
        Ok(Self {
            source: text.to_owned(),
            origin,
            parts,
            shape,
        })
    }

    /// The template's source text. May contain a token: mask it before showing it.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Scheme and authority, for validating the target.
    pub const fn origin_url(&self) -> &Url {
        &self.origin
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
        let shown = mask::url(&self.source);
        tag::lookalikes(&tag::pieces(&shown).collect::<Vec<_>>(), Syntax::Plain)
    }

    /// Renders the URL for one event. `RenderError` if a path segment gets an empty value or
    /// becomes `.` or `..`, if the URL exceeds 8,000 bytes, or if it would change origin, segments
    /// or pairs.
    pub fn render(
        &self,
        values: &TagValues<'_>,
        missing: &mut Missing,
    ) -> Result<Url, RenderError> {
        let mut out = self.start();
        fill::fill(
            &mut out,
            &self.parts,
            values,
            Audience::Receiver,
            MAX,
            missing,
        )?;
        self.checked(&out)
    }

    /// Renders the URL for display, with secrets and anything that looks like a token in the
    /// template masked, and the reason why it can't be requested, if any. Event values do not
    /// affect what is masked, and the length of secrets does not affect the limit. If the URL can't
    /// be requested, the text ends at the offending value.
    pub fn render_masked(&self, values: &TagValues<'_>) -> (String, Option<RenderError>) {
        let Ok(masked) = Self::restore(&mask::url_template(&self.source)) else {
            return (MASK.to_owned(), None);
        };
        let mut out = masked.start();
        let filled = fill::fill(
            &mut out,
            &masked.parts,
            values,
            Audience::Masked,
            MAX,
            &mut Missing::default(),
        );
        let unfit = filled.and_then(|()| masked.checked(&out)).err();
        (out, unfit)
    }

    /// Scheme and authority as text.
    fn start(&self) -> String {
        self.origin.as_str().trim_end_matches('/').to_owned()
    }

    /// Parses a rendered URL and rejects one with another structure. Escaping already prevents
    /// that.
    pub(super) fn checked(&self, text: &str) -> Result<Url, RenderError> {
        match Url::parse(text) {
            Ok(url) if url.origin() == self.origin.origin() && Shape::of(&url) == self.shape => {
                Ok(url)
            }
            _ => Err(RenderError {
                tag: self.tags().next().unwrap_or_default().to_owned(),
                reason: Reason::Structure,
            }),
        }
    }
}

/// The URL may contain a token.
impl fmt::Debug for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UrlTemplate({})", mask::url(&self.source))
    }
}

fn split(text: &str, context: TagContext) -> Result<Vec<Part>, TemplateError> {
    part::split(text, context, |literal| {
        part::check_percent(literal).map(|()| literal.to_owned())
    })
}
