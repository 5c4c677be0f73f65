//! Errors as clients see them: problem documents (RFC 9457).

use std::fmt;

use axum::response::{IntoResponse, Response};
use domain::{
    invalid::{Invalid, Problems},
    scope::Scope,
};
use http::{Method, StatusCode};
use platform::table::WriteError;
use serde::Serialize;
use utoipa::ToSchema;

/// How many dependents a conflict names.
pub const NAMED: usize = 5;

/// What a handler returns.
pub type Answer<T = Response> = Result<T, Problem>;

/// A problem document. Where the fault is ours, the frame around every answer adds the request's
/// id.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// A stable URI reference for the kind of problem, such as `/problems/validation`: the same in
    /// every deployment. What it means is served at this path below the deployment's URL.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// The kind in words.
    #[schema(value_type = String)]
    pub title: &'static str,
    /// The HTTP status.
    #[serde(serialize_with = "code")]
    #[schema(value_type = u16)]
    pub status: StatusCode,
    /// What is wrong this time.
    pub detail: String,
    /// Every wrong field: up to 100 and 64 KiB. If there are more, the last entry says how many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<Invalid>,
    /// Of a 504: why the third party gave no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pub reason: Option<Reason>,
}

/// Why a third party gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No connection, or no complete answer, within the timeout.
    Timeout,
    /// Nothing listens at the address, or there is no route to it.
    ConnectionRefused,
    /// The host's name has no address.
    Dns,
    /// The TLS handshake failed.
    Tls,
    /// The connection ended before a complete answer that is HTTP.
    Closed,
    /// The URL leads to where Tieline makes no calls.
    Blocked,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn code<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            title,
            status,
            detail: detail.into(),
            errors: Vec::new(),
            reason: None,
        }
    }

    /// 400: not JSON, or a forged cursor.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "/problems/bad-request",
            "Bad request",
            detail,
        )
    }

    /// 401: the same for a missing, malformed, unknown, revoked and expired token.
    pub fn unauthorized() -> Self {
        let detail = "Send a valid token: `Authorization: Bearer <token>`.";
        Self::new(
            StatusCode::UNAUTHORIZED,
            "/problems/unauthorized",
            "Unauthorized",
            detail,
        )
    }

    /// 403: the token lacks the scope.
    pub fn forbidden(scope: &str) -> Self {
        let detail = format!("The token lacks the scope {scope}.");
        Self::new(
            StatusCode::FORBIDDEN,
            "/problems/forbidden",
            "Forbidden",
            detail,
        )
    }

    /// 403: `whose` scopes, as far as the caller lacks them, are `missing`.
    pub fn beyond(whose: &str, missing: &[Scope]) -> Self {
        let names: Vec<&str> = missing.iter().map(|scope| scope.as_str()).collect();
        let detail = format!(
            "{whose} scopes that your token lacks: {}.",
            names.join(", ")
        );
        Self::new(
            StatusCode::FORBIDDEN,
            "/problems/forbidden",
            "Forbidden",
            detail,
        )
    }

    /// 403: the credential may not be used from the caller's address.
    pub fn address_not_allowed() -> Self {
        let detail = "The request's IP address is not in the credential's `allowed_ips`.";
        Self::new(
            StatusCode::FORBIDDEN,
            "/problems/address-not-allowed",
            "Address not allowed",
            detail,
        )
    }

    /// 404: no such resource. The frame names the ID in the path.
    pub fn not_found(what: &str) -> Self {
        let detail = format!("No {what} with this ID.");
        Self::new(
            StatusCode::NOT_FOUND,
            "/problems/not-found",
            "Not found",
            detail,
        )
    }

    /// 404: no route has this path.
    pub fn no_route(method: &Method, path: &str) -> Self {
        let shown: String = path.chars().take(200).collect();
        let detail = format!("No route for {method} {shown}. See /openapi.json.");
        Self::new(
            StatusCode::NOT_FOUND,
            "/problems/not-found",
            "Not found",
            detail,
        )
    }

    /// The same 404, with the ID that the path names.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        if self.status == StatusCode::NOT_FOUND && id.len() <= 100 {
            self.detail = self
                .detail
                .replace("with this ID", &format!("with the ID {id}"));
        }
        self
    }

    /// 405 (RFC 9110 §15.5.6).
    pub fn method_not_allowed(method: &Method, allowed: &[String]) -> Self {
        let detail = format!(
            "{method} is not supported here. Allowed: {}.",
            allowed.join(", ")
        );
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "/problems/method-not-allowed",
            "Method not allowed",
            detail,
        )
    }

    /// 409: a name that is taken, or a state that does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "/problems/conflict",
            "Conflict",
            detail,
        )
    }

    /// 409: other resources depend on this one. Names up to [`NAMED`] of them.
    pub fn in_use<T: fmt::Display>(why: &str, ids: impl Iterator<Item = T>, remedy: &str) -> Self {
        let mut ids: Vec<String> = ids.take(NAMED + 1).map(|id| id.to_string()).collect();
        let more = if ids.len() > NAMED { " and others" } else { "" };
        ids.truncate(NAMED);
        let ids = if ids.is_empty() {
            String::new()
        } else {
            format!(": {}{more}", ids.join(", "))
        };
        Self::conflict(format!("{why}{ids}. {remedy}."))
    }

    /// 412: the resource has changed since the client read it.
    pub fn stale() -> Self {
        let detail = "The resource has changed. Read it again and use its new ETag.";
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "/problems/stale",
            "Precondition failed",
            detail,
        )
    }

    /// 413.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "/problems/too-large",
            "Content too large",
            detail,
        )
    }

    /// 415.
    pub fn unsupported_media_type() -> Self {
        let detail = "Send JSON with `Content-Type: application/json`.";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "/problems/unsupported-media-type",
            "Unsupported media type",
            detail,
        )
    }

    /// 422: everything that is wrong with the fields.
    pub fn validation(problems: Problems) -> Self {
        let count = problems.0.len();
        let problems = problems.capped();
        let detail = match count {
            1 => "The request has 1 invalid field".to_owned(),
            count if count == problems.0.len() => format!("The request has {count} invalid fields"),
            _ => "The request has too many invalid fields to list them all".to_owned(),
        };
        let problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "/problems/validation",
            "The request is not valid",
            detail,
        );
        Self {
            errors: problems.0,
            ..problem
        }
    }

    /// 508: the request comes from a webhook that leads back to Tieline again and again.
    pub fn loop_detected(error: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::LOOP_DETECTED,
            "/problems/loop",
            "Loop detected",
            error.to_string(),
        )
    }

    /// 500: `error` is logged, and stays inside.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "request failed");
        let detail = "Internal error. Quote `request_id` when you report it.";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "/problems/internal",
            "Internal error",
            detail,
        )
    }

    /// 502: a third party, or what leads to it, failed.
    pub fn bad_gateway(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "/problems/bad-gateway",
            "Bad gateway",
            detail,
        )
    }

    /// 504: a third party gave no complete answer.
    pub fn gateway_timeout(detail: impl Into<String>, reason: Reason) -> Self {
        let problem = Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "/problems/gateway-timeout",
            "Gateway timeout",
            detail,
        );
        Self {
            reason: Some(reason),
            ..problem
        }
    }
}

impl From<Problems> for Problem {
    fn from(problems: Problems) -> Self {
        Self::validation(problems)
    }
}

macro_rules! internal {
    ($($error:ty),*) => {$(
        impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                Self::internal(error)
            }
        }
    )*};
}
internal!(
    platform::table::TableError,
    platform::attempt::Unsent,
    platform::queue::QueueError,
    platform::keyring::KeyringError,
    serde_json::Error,
    crate::retry::RetryError
);

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::NameTaken(id) if id.is_empty() => {
                Self::conflict("Name already in use. Try again.")
            }
            WriteError::NameTaken(id) => Self::conflict(format!(
                "Name already in use by {id} (names are case-insensitive). Choose another name."
            )),
            WriteError::Changed => {
                Self::conflict("The resource is being changed by another request. Try again.")
            }
            WriteError::Table(error) => Self::internal(error),
        }
    }
}

/// The document itself is written by the frame, which knows the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
