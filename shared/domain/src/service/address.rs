//! Service URLs joined with a path and query.
//!
//! The result of [`service_url`] has the origin of the service's URL and a path below it, also from
//! the receiver's point of view: no spelling of a dot segment is allowed that a server might decode
//! and resolve.

use percent_encoding::percent_decode;
use url::Url;

use crate::{
    secrets::mask::unmasked,
    validation::{self, ClientError, Validated, ValidationErrors},
};

/// Maximum length of a URL, in bytes (RFC 9110 §4.1 recommends support for at least 8,000).
const MAX: usize = 8_000;

/// Why a path can't be joined to a service's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// `#`.
    #[error("must not contain `#`")]
    Fragment,
    /// URL parsers drop some of them, and treat a backslash as a slash.
    #[error("must not contain backslashes or control characters")]
    Character,
    /// A percent sign that is not followed by two hexadecimal digits.
    #[error(
        "contains a `%` that is not followed by two hexadecimal digits. Write `%25` for a percent sign."
    )]
    Percent,
    /// `//`, which would start an authority.
    #[error("must not contain empty segments (`//`)")]
    EmptySegment,
    /// `.` or `..` in any spelling.
    #[error(
        "must not contain `.` or `..` as a segment: it is joined to the service's URL and can't leave it"
    )]
    DotSegment,
    /// More than 8,000 bytes.
    #[error("results in a URL of more than {MAX} bytes")]
    TooLong,
}

impl ClientError for AddressError {}

/// Base URL of a service: absolute, with an optional path, without user info, query and fragment.
pub(super) fn server_url(text: &str) -> Validated<Url> {
    if text.len() > MAX {
        return Err(ValidationErrors::here(format!(
            "must have at most {MAX} bytes"
        )));
    }
    if text
        .chars()
        .any(|char| char.is_control() || char.is_whitespace() || char == '\\')
    {
        return Err(ValidationErrors::here(
            "must not contain spaces, control characters or backslashes",
        ));
    }
    let url = validation::url(&unmasked(text.to_owned())?)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ValidationErrors::here(
            "must not contain a user name or password. Use the account.",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ValidationErrors::here(
            "must not contain a query or fragment",
        ));
    }
    check(url.path().trim_start_matches('/'))?;
    Ok(url)
}

/// Joins `path`, which may have a query of its own, and `query` to `server`. An empty path is the
/// base URL's own. A leading slash makes no difference.
///
/// # Errors
/// Fails if the result would not be below the path of `server`, or would be too long.
pub fn service_url(
    server: &Url,
    path: &str,
    query: &[(String, String)],
) -> Result<Url, AddressError> {
    let mut url = server.clone();
    let (path, own_query) = path
        .split_once('?')
        .map_or((path, None), |(path, query)| (path, Some(query)));
    if let Some(own_query) = own_query {
        check_characters(own_query)?;
        url.set_query(Some(own_query));
    }
    if !path.is_empty() {
        let path = path.strip_prefix('/').unwrap_or(path);
        check(path)?;
        let prefix = server.path().trim_end_matches('/');
        url.set_path(&format!("{prefix}/{path}"));
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    if url.as_str().len() > MAX {
        Err(AddressError::TooLong)
    } else {
        Ok(url)
    }
}

fn check(path: &str) -> Result<(), AddressError> {
    check_characters(path)?;
    let bytes = path.as_bytes();
    if path.starts_with('/') || path.contains("//") {
        return Err(AddressError::EmptySegment);
    }
    let [once, twice] = decoded(bytes);
    if [&once, &twice]
        .into_iter()
        .flatten()
        .any(u8::is_ascii_control)
    {
        return Err(AddressError::Character);
    }
    if has_dot_segment(path) {
        Err(AddressError::DotSegment)
    } else {
        Ok(())
    }
}

/// Validates the characters of a path or query.
fn check_characters(text: &str) -> Result<(), AddressError> {
    if text.len() > MAX {
        return Err(AddressError::TooLong);
    }
    if text.chars().any(|char| char.is_control() || char == '\\') {
        return Err(AddressError::Character);
    }
    if text.contains('#') {
        return Err(AddressError::Fragment);
    }
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let is_cut = |(at, byte): (usize, &u8)| *byte == b'%' && !(hex(at + 1) && hex(at + 2));
    if bytes.iter().enumerate().any(is_cut) {
        Err(AddressError::Percent)
    } else {
        Ok(())
    }
}

/// Whether a server might find `.` or `..` in the path, in any spelling.
pub fn has_dot_segment(path: &str) -> bool {
    let [once, twice] = decoded(path.as_bytes());
    [path.as_bytes(), &once, &twice].into_iter().any(|bytes| {
        // Some servers remove a segment's parameters (`..;x`, RFC 3986 §3.3), and treat a backslash
        // as a slash.
        let segments = bytes.split(|byte| matches!(byte, b'/' | b'\\'));
        let mut names = segments.map(|segment| {
            segment
                .split(|byte| *byte == b';')
                .next()
                .unwrap_or_default()
        });
        names.any(|name| matches!(name, b"." | b".."))
    })
}

/// Servers and proxies may decode before they resolve. Up to two rounds occur in practice.
fn decoded(path: &[u8]) -> [Vec<u8>; 2] {
    let once: Vec<u8> = percent_decode(path).collect();
    let twice = percent_decode(&once).collect();
    [once, twice]
}
