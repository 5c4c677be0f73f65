//! What third parties are answered: little, as they are strangers.

use domain::{callback::Unreadable, id::EventId};
use http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Response};
use serde_json::json;

/// A call that was taken.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// It became this event.
    Event(EventId),
    /// It brought this many reports.
    Reports(usize),
    /// It asked whether this is the right address, and wants to have this text back.
    Challenge(String),
    /// It was a `HEAD` or `OPTIONS`, which publishes nothing.
    Probe,
}

/// A call that was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("There is no such inbound URL")]
    Unknown,
    #[error("The user of this inbound URL is not active")]
    Inactive,
    #[error("The call is not verified: its signature, secret or time is missing or wrong")]
    Unverified {
        /// For `WWW-Authenticate`, which a 401 has to bring (RFC 9110, section 15.5.2).
        scheme: &'static str,
    },
    #[error("The body has more than 256 KiB, or becomes an event of more than 350 KiB")]
    TooLarge,
    #[error("The body {0}")]
    Unreadable(#[from] Unreadable),
    #[error("The call went through Tieline too often")]
    Loop,
    #[error("Something went wrong on our side; the request id tells us what")]
    Internal,
}

impl Refusal {
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
            Self::Loop => (StatusCode::LOOP_DETECTED, "/problems/loop", "Loop detected"),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "/problems/internal",
                "Internal error",
            ),
        }
    }
}

pub(crate) fn respond(
    answer: Result<Accepted, Refusal>,
    request_id: String,
) -> Result<Response<Body>, http::Error> {
    let scheme = match answer {
        Err(Refusal::Unverified { scheme }) => Some(scheme),
        _ => None,
    };
    let (status, content_type, body) = match answer {
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
        Ok(Accepted::Challenge(text)) => (StatusCode::OK, "text/plain; charset=utf-8", text),
        Ok(Accepted::Probe) => (StatusCode::OK, "text/plain; charset=utf-8", String::new()),
        Err(refusal) => {
            let (status, kind, title) = refusal.kind();
            let mut problem = json!({"type": kind, "title": title, "status": status.as_u16(), "detail": refusal.to_string()});
            if refusal == Refusal::Internal {
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
