//! Problem documents (RFC 9457).

use domain::validation;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::FieldError;

/// An error (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Stable URI reference of the problem type, such as `/problems/validation`. Relative to the
    /// deployment's URL, it is a page that explains the problem.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// Summary of the problem type.
    #[schema(value_type = String)]
    pub title: &'static str,
    /// HTTP status.
    #[serde(serialize_with = "code")]
    #[schema(value_type = u16)]
    pub status: StatusCode,
    /// What is wrong with this request.
    pub detail: String,
    /// Every invalid field, up to 100 entries and 64 KiB. If there are more, the last entry says
    /// how many.
    #[serde(serialize_with = "field_errors", skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<FieldError>, required = false)]
    pub errors: Vec<validation::FieldError>,
    /// Why the third party did not respond. Only with status 504.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<Reason>,
}

/// Why a third party did not respond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No connection or no complete response within the timeout.
    Timeout,
    /// Connection refused, or no route to the address.
    ConnectionRefused,
    /// The host name does not resolve to an address.
    Dns,
    /// The TLS handshake failed.
    Tls,
    /// The connection closed before a complete HTTP response.
    Closed,
    /// The URL resolves to an address that Tieline does not connect to.
    Blocked,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn code<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

fn field_errors<S: serde::Serializer>(
    errors: &[validation::FieldError],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(errors.iter().cloned().map(FieldError::from))
}
