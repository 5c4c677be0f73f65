//! Validation errors.

use domain::validation;
use serde::Serialize;
use utoipa::ToSchema;

/// An invalid field or header.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field, empty for the document itself. Absent for a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pointer: Option<String>,
    /// Name of the header. Absent for a field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub header: Option<&'static str>,
    /// What is wrong, and what is allowed.
    pub detail: String,
}

/// Text in a template that looks like a tag but is sent as it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Warning {
    /// JSON pointer (RFC 6901) to the template.
    pub pointer: String,
    /// The text, and what to write instead.
    pub detail: String,
}

impl From<validation::FieldError> for Warning {
    fn from(warning: validation::FieldError) -> Self {
        let validation::FieldError {
            pointer,
            header: _,
            detail,
        } = warning;
        Self { pointer, detail }
    }
}

/// The warnings of a response.
pub fn warnings(warnings: Vec<validation::FieldError>) -> Vec<Warning> {
    warnings.into_iter().map(Warning::from).collect()
}

impl From<validation::FieldError> for FieldError {
    fn from(error: validation::FieldError) -> Self {
        let validation::FieldError {
            pointer,
            header,
            detail,
        } = error;
        Self {
            pointer: header.is_none().then_some(pointer),
            header,
            detail,
        }
    }
}
