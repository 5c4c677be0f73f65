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
