//! API errors as problem documents (RFC 9457).

mod conversions;
pub mod kinds;

use std::fmt;

use axum::response::{IntoResponse, Response};
use domain::{scope::Scope, validation::ValidationErrors};
use http::{Method, StatusCode};

use self::kinds::Kind;
pub use crate::api::{Problem, Reason};

/// Maximum number of dependent resources that a conflict lists.
pub const MAX_LISTED: usize = 5;

/// Result of a handler.
pub type ApiResult<T = Response> = Result<T, Problem>;

impl Problem {
    fn new(kind: &Kind, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.uri,
            title: kind.title,
            status: kind.status,
            detail: detail.into(),
            errors: Vec::new(),
            reason: None,
        }
    }

    /// 400: the body is not JSON, or the cursor is invalid.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(&kinds::BAD_REQUEST, detail)
    }

    /// 401: identical for missing, malformed, unknown, revoked and expired tokens.
    pub fn unauthorized() -> Self {
        let detail = "Send a valid token: `Authorization: Bearer <token>`.";
        Self::new(&kinds::UNAUTHORIZED, detail)
    }

    /// 403: the token lacks the scope.
    pub fn forbidden(scope: &str) -> Self {
        let detail = format!("The token lacks the scope {scope}.");
        Self::new(&kinds::FORBIDDEN, detail)
    }

    /// 403: `whose` scopes include those in `missing`, which the caller lacks.
    pub fn missing_scopes(subject: &str, missing: &[Scope]) -> Self {
        let names: Vec<&str> = missing.iter().map(|scope| scope.as_str()).collect();
        let detail = format!(
            "{subject} scopes that your token lacks: {}.",
            names.join(", ")
        );
        Self::new(&kinds::FORBIDDEN, detail)
    }

    /// 403: the caller's address is not in the credential's `allowed_ips`.
    pub fn address_not_allowed() -> Self {
        let detail = "The request's IP address is not in the credential's `allowed_ips`.";
        Self::new(&kinds::ADDRESS_NOT_ALLOWED, detail)
    }

    /// 404: no such resource. The middleware adds the ID from the path.
    pub fn not_found(what: &str) -> Self {
        let detail = format!("No {what} with this ID.");
        Self::new(&kinds::NOT_FOUND, detail)
    }

    /// 404: no route has this path.
    pub fn no_route(method: &Method, path: &str) -> Self {
        let shown: String = path.chars().take(200).collect();
        let detail = format!("No route for {method} {shown}. See /openapi.json.");
        Self::new(&kinds::NOT_FOUND, detail)
    }

    /// Adds the ID from the path to a 404.
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
        Self::new(&kinds::METHOD_NOT_ALLOWED, detail)
    }

    /// 409: a name is already in use, or the resource's state does not allow the request.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(&kinds::CONFLICT, detail)
    }

    /// 409: other resources depend on this one. Lists up to [`MAX_LISTED`] of them.
    pub fn in_use<T: fmt::Display>(
        why: &str,
        ids: impl IntoIterator<Item = T>,
        remedy: &str,
    ) -> Self {
        let mut ids: Vec<String> = ids
            .into_iter()
            .take(MAX_LISTED + 1)
            .map(|id| id.to_string())
            .collect();
        let more = if ids.len() > MAX_LISTED {
            " and others"
        } else {
            ""
        };
        ids.truncate(MAX_LISTED);
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
        Self::new(&kinds::STALE, detail)
    }

    /// 413: the body or the event's stored form is too large.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(&kinds::TOO_LARGE, detail)
    }

    /// 415: the body is not JSON.
    pub fn unsupported_media_type() -> Self {
        let detail = "Send JSON with `Content-Type: application/json`.";
        Self::new(&kinds::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 422: lists every invalid field.
    pub fn validation(problems: ValidationErrors) -> Self {
        let count = problems.0.len();
        let problems = problems.capped();
        let detail = match count {
            1 => "The request has 1 invalid field.".to_owned(),
            count if count == problems.0.len() => {
                format!("The request has {count} invalid fields.")
            }
            count => format!("The request has {count} invalid fields. Not all of them are listed."),
        };
        let problem = Self::new(&kinds::VALIDATION, detail);
        Self {
            errors: problems.0,
            ..problem
        }
    }

    /// 508: the request has passed through Tieline 3 or more times, or its `tieline-hops` header is
    /// invalid.
    pub fn loop_detected(error: impl std::fmt::Display) -> Self {
        Self::new(&kinds::LOOP, error.to_string())
    }

    /// 500: `error` is logged and not returned to the client.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "request failed");
        let detail = "Internal error. Quote `request_id` when you report it.";
        Self::new(&kinds::INTERNAL, detail)
    }

    /// 502: a third party or the connection to it failed.
    pub fn bad_gateway(detail: impl Into<String>) -> Self {
        Self::new(&kinds::BAD_GATEWAY, detail)
    }

    /// 504: a third party sent no complete response.
    pub fn gateway_timeout(detail: impl Into<String>, reason: Reason) -> Self {
        let problem = Self::new(&kinds::GATEWAY_TIMEOUT, detail);
        Self {
            reason: Some(reason),
            ..problem
        }
    }
}

/// Attaches the problem to the response. The middleware, which knows the request ID, renders it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
