//! Outgoing requests: what webhooks, connected services and providers have in common.

use http::{HeaderMap, HeaderName, Method};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::{
    header,
    secrets::mask::{is_secret_header, unmasked},
    template::{Format, HeaderTemplate, Missing},
    validation::{Source, Validated, ValidationErrors, entries, string},
};

/// Header with the number of times this chain of events has left Tieline. Inbound URLs read it to
/// break loops.
pub const HOPS_HEADER: HeaderName = HeaderName::from_static("tieline-hops");

/// A request ready to send.
#[derive(Debug, Clone)]
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// URL.
    pub url: Url,
    /// URL for records, without secrets.
    pub shown_url: String,
    /// All headers, including the signature.
    pub headers: HeaderMap,
    /// Body, if the method has one.
    pub body: Option<String>,
    /// Tags that had no value in this event.
    pub missing: Missing,
}

/// HTTP methods by name.
const METHODS: [(&str, Method); 5] = [
    ("GET", Method::GET),
    ("POST", Method::POST),
    ("PUT", Method::PUT),
    ("PATCH", Method::PATCH),
    ("DELETE", Method::DELETE),
];

/// Body formats by name.
pub(crate) const FORMATS: [(&str, Format); 3] = [
    ("json", Format::Json),
    ("xml", Format::Xml),
    ("form", Format::Form),
];

/// Maximum number of extra headers.
const MAX_HEADERS: usize = 20;
/// Maximum length of user name and password, in characters.
const MAX_LENGTH: usize = 1000;

pub(crate) fn username(value: Value) -> Validated<String> {
    let text = string(value)?;
    match text.chars().count() {
        0 => Err(ValidationErrors::here("must not be empty")),
        1..=MAX_LENGTH if text.contains(':') || text.chars().any(char::is_control) => Err(
            ValidationErrors::here("must not contain colons or control characters"),
        ),
        1..=MAX_LENGTH => Ok(text),
        _ => Err(ValidationErrors::here(format!(
            "must have at most {MAX_LENGTH} characters"
        ))),
    }
}

/// Header name that a client may set.
pub(crate) fn header_name(value: Value) -> Validated<HeaderName> {
    Ok(header::check_name(&string(value)?)?)
}

/// A secret sent in a header: printable ASCII, not empty, at most as long as any header value.
pub(crate) fn header_secret(value: Value) -> Validated<SecretString> {
    let text = string(value)?;
    if text.is_empty() {
        return Err(ValidationErrors::here("must not be empty"));
    }
    header::check_value(&text)?;
    if !text.is_ascii() {
        return Err(ValidationErrors::here(
            "must contain only printable ASCII characters and tabs",
        ));
    }
    Ok(text.into())
}

/// An HTTP method that requests may use.
pub(crate) fn method(value: Value) -> Validated<Method> {
    let text = string(value)?;
    METHODS
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, method)| method.clone())
        .ok_or_else(|| ValidationErrors::here("must be one of: GET, POST, PUT, PATCH, DELETE"))
}

/// Extra headers that a client sets, at most [`MAX_HEADERS`]. `check` validates each name.
pub(crate) fn headers(
    value: Value,
    source: Source,
    check: impl Fn(&HeaderName) -> Validated<()>,
) -> Validated<Vec<(HeaderName, HeaderTemplate)>> {
    let pairs = entries(MAX_HEADERS, |name, value| {
        let text = unmasked(string(value)?)?;
        let template = match source {
            Source::Client => HeaderTemplate::parse(&text)?,
            Source::Table => HeaderTemplate::restore(&text)?,
        };
        let name = header::check_name(name)?;
        check(&name)?;
        if is_secret_header(name.as_str()) {
            source.check_not_blank(template.as_str())?;
        }
        Ok((name, template))
    })(value)?;
    let mut headers: Vec<(HeaderName, HeaderTemplate)> = Vec::with_capacity(pairs.len());
    for (written, (name, template)) in pairs {
        if headers.iter().any(|(other, _)| *other == name) {
            return Err(ValidationErrors::here(
                "is a duplicate. Header names are case-insensitive.",
            )
            .under(&written));
        }
        headers.push((name, template));
    }
    Ok(headers)
}

/// The names and unrendered values of these headers.
pub(crate) fn header_texts(
    headers: &[(HeaderName, HeaderTemplate)],
) -> impl Iterator<Item = (&HeaderName, &str)> {
    headers.iter().map(|(name, value)| (name, value.as_str()))
}
