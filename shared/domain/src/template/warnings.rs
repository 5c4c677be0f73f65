//! Warnings about text in templates that was probably meant to be a tag.

use http::HeaderName;

use super::HeaderTemplate;
use crate::validation::{FieldError, ValidationErrors};

/// Descriptions of text in the field at `path`, as warnings.
pub(crate) fn of<'a>(
    details: impl IntoIterator<Item = String> + 'a,
    path: &'a [&'a str],
) -> impl Iterator<Item = FieldError> + 'a {
    let warning = |detail| {
        let here = ValidationErrors::here(detail);
        path.iter()
            .rev()
            .fold(here, |inner, name| inner.under(name))
            .0
    };
    details.into_iter().flat_map(warning)
}

/// Warnings about headers in the field at `path`.
pub(crate) fn of_headers<'a>(
    headers: &'a [(HeaderName, HeaderTemplate)],
    path: &'a [&'a str],
) -> impl Iterator<Item = FieldError> + 'a {
    headers.iter().flat_map(move |(name, template)| {
        let name = name.as_str();
        let field: Vec<&str> = path.iter().copied().chain([name]).collect();
        of(template.lookalikes(name), &field).collect::<Vec<_>>()
    })
}
