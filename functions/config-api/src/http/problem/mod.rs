//! API errors as problem documents (RFC 9457).

mod conversions;

use std::fmt;

use axum::response::{IntoResponse, Response};
use domain::{scope::Scope, validation::ValidationErrors};
use http::{Method, StatusCode};

pub use crate::api::{Problem, Reason};

/// Maximum number of dependent resources that a conflict lists.
pub const MAX_LISTED: usize = 5;

/// Result of a handler.
pub type ApiResult<T = Response> = Result<T, Problem>;

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

    /// 400: the body is not JSON, or the cursor is invalid.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "/problems/bad-request",
            "Bad request",
            detail,
        )
    }

    /// 401: identical for missing, malformed, unknown, revoked and expired tokens.
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

    /// 403: `whose` scopes include those in `missing`, which the caller lacks.
    pub fn missing_scopes(whose: &str, missing: &[Scope]) -> Self {
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

    /// 403: the caller's address is not in the credential's `allowed_ips`.
    pub fn address_not_allowed() -> Self {
        let detail = "The request's IP address is not in the credential's `allowed_ips`.";
        Self::new(
            StatusCode::FORBIDDEN,
            "/problems/address-not-allowed",
            "Address not allowed",
            detail,
        )
    }

    /// 404: no such resource. The middleware adds the ID from the path.
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
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "/problems/method-not-allowed",
            "Method not allowed",
            detail,
        )
    }

    /// 409: a name is already in use, or the resource's state does not allow the request.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "/problems/conflict",
            "Conflict",
            detail,
        )
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
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "/problems/stale",
            "Precondition failed",
            detail,
        )
    }

    /// 413: the body or the event's stored form is too large.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "/problems/too-large",
            "Content too large",
            detail,
        )
    }

    /// 415: the body is not JSON.
    pub fn unsupported_media_type() -> Self {
        let detail = "Send JSON with `Content-Type: application/json`.";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "/problems/unsupported-media-type",
            "Unsupported media type",
            detail,
        )
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

    /// 508: the chain of requests exceeded the maximum number of hops through Tieline.
    pub fn loop_detected(error: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::LOOP_DETECTED,
            "/problems/loop",
            "Loop detected",
            error.to_string(),
        )
    }

    /// 500: `error` is logged and not returned to the client.
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

    /// 502: a third party or the connection to it failed.
    pub fn bad_gateway(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "/problems/bad-gateway",
            "Bad gateway",
            detail,
        )
    }

    /// 504: a third party sent no complete response.
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

/// Attaches the problem to the response. The middleware, which knows the request ID, renders it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
