//! HTTP responses for inbound requests. Deliberately terse: callers are untrusted.

use domain::{callback::Unreadable, id::EventId, inbound::Loop};
use http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Response};
use serde_json::json;

/// A request that was accepted.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// Published as this event.
    Event(EventId),
    /// Contained this many reports.
    Reports(usize),
    /// Messages or calls from Twilio, which expects instructions in the response: there are none.
    Twilio,
    /// A URL verification that expects this text in the response.
    Challenge(String),
    /// A `HEAD` or `OPTIONS` request, which publishes nothing.
    Probe,
}

/// A request that was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejection {
    #[error("No such inbound URL.")]
    Unknown,
    #[error("The user of this inbound URL is inactive.")]
    Inactive,
    #[error("Verification failed: the signature, secret or timestamp is missing or invalid.")]
    Unverified {
        /// Value of `WWW-Authenticate`, which a 401 requires (RFC 9110, section 15.5.2).
        scheme: &'static str,
    },
    #[error("The body exceeds 256 KiB, or its event exceeds 350 KiB.")]
    TooLarge,
    #[error("The body {0}.")]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Loop(#[from] Loop),
    #[error("Internal error. Quote `request_id` when you report it.")]
    Internal,
}

impl Rejection {
    /// Status, `type` and `title` of the problem document.
    fn kind(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Unknown => (StatusCode::NOT_FOUND, "/problems/not-found", "Not found"),
            Self::Inactive => (StatusCode::FORBIDDEN, "/problems/forbidden", "Forbidden"),
            Self::Unverified { .. } => (
                StatusCode::UNAUTHORIZED,
                "/problems/unauthorized",
                "Unauthorized",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "/problems/too-large",
                "Content too large",
            ),
            Self::Unreadable(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "/problems/validation",
                "The request is not valid",
            ),
            Self::Loop(_) => (StatusCode::LOOP_DETECTED, "/problems/loop", "Loop detected"),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "/problems/internal",
                "Internal error",
            ),
        }
    }
}

pub(crate) fn respond(
    result: Result<Accepted, Rejection>,
    request_id: String,
) -> Result<Response<Body>, http::Error> {
    let scheme = match result {
        Err(Rejection::Unverified { scheme }) => Some(scheme),
        _ => None,
    };
    let (status, content_type, body) = match result {
        Ok(Accepted::Event(id)) => (
            StatusCode::ACCEPTED,
            "application/json",
            json!({"id": id}).to_string(),
        ),
        Ok(Accepted::Reports(count)) => (
            StatusCode::ACCEPTED,
            "application/json",
            json!({"reports": count}).to_string(),
        ),
        Ok(Accepted::Twilio) => (
            StatusCode::OK,
            "text/xml; charset=utf-8",
            "<Response/>".to_owned(),
        ),
        Ok(Accepted::Challenge(text)) => (StatusCode::OK, "text/plain; charset=utf-8", text),
        Ok(Accepted::Probe) => (StatusCode::OK, "text/plain; charset=utf-8", String::new()),
        Err(rejection) => {
            let (status, kind, title) = rejection.kind();
            let mut problem = json!({"type": kind, "title": title, "status": status.as_u16(), "detail": rejection.to_string()});
            if rejection == Rejection::Internal {
                problem["request_id"] = json!(request_id);
            }
            (status, "application/problem+json", problem.to_string())
        }
    };
    let mut response = Response::builder()
        .status(status)
        .header("x-request-id", request_id)
        .header(header::CONTENT_TYPE, content_type)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(body.into())?;
    if let Some(scheme) = scheme {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    }
    Ok(response)
}
