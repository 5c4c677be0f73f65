//! URLs with tags behind the authority.

use std::fmt;

use url::Url;

use super::{
    Missing, Reason, Scope, TemplateError, Unfit, View,
    part::{self, Part, Place},
};
use crate::mask::{self, MASK};

/// The longest URL, in bytes, with and without its tags filled in (RFC 9110 §4.1 asks servers for at least 8,000).
const MAX: usize = 8_000;

/// An absolute http or https URL, without user info and fragment, with tags in path and query only.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlTemplate {
    source: String,
    /// Scheme and authority.
    origin: Url,
    segments: Vec<Vec<Part>>,
    query: Option<Vec<Part>>,
    shape: Shape,
}

/// What values must not change: the number of segments, and for each query pair whether it has a `=`.
#[derive(Clone, PartialEq, Eq)]
struct Shape(usize, Option<Vec<bool>>);

impl Shape {
    fn of(url: &Url) -> Self {
        let pairs = url.query().map(|query| query.split('&').map(|pair| pair.contains('=')).collect());
        Self(url.path().split('/').count(), pairs)
    }
}

impl UrlTemplate {
    /// The template that `text` writes, of at most 8,000 bytes.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX {
            return Err(TemplateError::TooLong(MAX));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(TemplateError::UrlCharacter);
        }
        let (scheme, behind) = text.split_once("://").ok_or(TemplateError::NotAbsolute)?;
        let end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
        let (authority, rest) = behind.split_at(end);
        if part::has_tag(scheme) || part::has_tag(authority) {
            return Err(TemplateError::TagInAuthority);
        }
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(TemplateError::NotAbsolute);
        }
        let origin = Url::parse(&format!("{scheme}://{authority}")).map_err(|_| TemplateError::Host)?;
        if authority.contains('@') {
            return Err(TemplateError::UserInfo);
        }
        if rest.contains('#') {
            return Err(TemplateError::Fragment);
        }
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        if path.split('/').any(is_dots) {
            return Err(TemplateError::DotSegment);
        }
        // A path that is empty parses as `/`.
        let count = path.split('/').count().max(2);
        let shape = Shape(count, query.map(|query| query.split('&').map(|pair| pair.contains('=')).collect()));
        let segments =
            path.split('/').skip(1).map(|segment| parts(segment, Place::Segment)).collect::<Result<_, _>>()?;
        let query = query.map(|query| parts(query, Place::Percent)).transpose()?;
        Ok(Self { source: text.to_owned(), origin, segments, query, shape })
    }

    /// The template as written. It may hold a token: mask it before people see it.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Scheme and authority, for the checks of a target.
    pub const fn origin_url(&self) -> &Url {
        &self.origin
    }

    /// The names of its tags, in their order.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().chain(&self.query).flat_map(|parts| part::tags(parts))
    }

    /// The URL for one event. `Unfit` when a path segment gets an empty value or becomes `.` or `..`, when the URL passes
    /// 8,000 bytes, or when it would not be the template's origin, segments and pairs.
    pub fn render(&self, scope: &Scope<'_>, missing: &mut Missing) -> Result<Url, Unfit> {
        let (text, unfit) = self.filled(scope, View::Wire, missing);
        unfit.map_or_else(|| self.checked(&text), Err)
    }

    /// The URL for one event as people may see it, and why it can't be called, where it can't: secrets and whatever looks
    /// like a token in the template are masked. No value of an event changes what is masked, and no secret's length what is
    /// too long.
    pub fn render_masked(&self, scope: &Scope<'_>) -> (String, Option<Unfit>) {
        let Ok(masked) = Self::parse(&mask::url_template(&self.source)) else { return (MASK.to_owned(), None) };
        let (text, unfit) = masked.filled(scope, View::Masked, &mut Missing::default());
        let unfit = unfit.or_else(|| masked.checked(&text).err());
        (text, unfit)
    }

    fn checked(&self, text: &str) -> Result<Url, Unfit> {
        match Url::parse(text) {
            Ok(url) if url.origin() == self.origin.origin() && Shape::of(&url) == self.shape => Ok(url),
            _ => Err(Unfit { tag: self.tags().next().unwrap_or_default().to_owned(), reason: Reason::Structure }),
        }
    }

    /// The text, and what is wrong with it.
    fn filled(&self, scope: &Scope<'_>, view: View, missing: &mut Missing) -> (String, Option<Unfit>) {
        let mut out = self.origin.as_str().trim_end_matches('/').to_owned();
        let mut unfit = None;
        for segment in &self.segments {
            out.push('/');
            unfit = unfit.or(check_segment(segment, scope));
            unfit = unfit.or(write(&mut out, segment, scope, view, missing));
        }
        if let Some(query) = &self.query {
            out.push('?');
            unfit = unfit.or(write(&mut out, query, scope, view, missing));
        }
        (out, unfit)
    }
}

/// The URL may hold a token.
impl fmt::Debug for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UrlTemplate({})", mask::url(&self.source))
    }
}

fn parts(text: &str, place: Place) -> Result<Vec<Part>, TemplateError> {
    part::split(text, place, |literal| part::check_percent(literal).map(|()| literal.to_owned()))
}

/// Only a value that is a dot segment itself can make its segment one: of a longer value, something is left besides the
/// dots, and its `%` goes out encoded.
fn check_segment(segment: &[Part], scope: &Scope<'_>) -> Option<Unfit> {
    segment.iter().find_map(|part| {
        let Part::Tag(path, _) = part else { return None };
        let found = scope.find(path, View::Wire, &mut Missing::default());
        match found.map(|found| found.text()).unwrap_or_default() {
            value if value.is_empty() => Some(Unfit::new(path, Reason::EmptySegment)),
            value if is_dots(&value) => Some(Unfit::new(path, Reason::DotSegment)),
            _ => None,
        }
    })
}

/// Appends the parts; stops, and tells so, where the URL gets too long.
fn write(out: &mut String, parts: &[Part], scope: &Scope<'_>, view: View, missing: &mut Missing) -> Option<Unfit> {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Tag(path, place) => {
                let before = out.len();
                place.write(out, scope.find(path, view, missing).as_ref());
                if out.len() > MAX {
                    out.truncate(before);
                    return Some(Unfit::new(path, Reason::TooLong));
                }
            }
        }
    }
    None
}

/// Whether URL parsers take the segment for `.` or `..`.
fn is_dots(segment: &str) -> bool {
    segment.len() <= 6 && matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}
