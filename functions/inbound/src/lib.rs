//! The addresses that third parties call: `ANY /in/{key}`.
//!
//! A key belongs to a connected service. While there are none, no key is known, and every call is answered with 404
//! without a read.

use http::{StatusCode, header};
use lambda_http::{Body, Request, RequestExt, Response};
use platform::random;
use serde_json::json;

/// The largest body that is taken, in bytes.
pub const MOST_BYTES: usize = 256 * 1024;

/// Answers one call.
pub fn handle(request: &Request) -> Result<Response<Body>, http::Error> {
    let (status, kind, title, detail) = if request.body().len() > MOST_BYTES {
        let detail = "The body has more than 256 KiB";
        (StatusCode::PAYLOAD_TOO_LARGE, "/problems/too-large", "Content too large", detail)
    } else {
        (StatusCode::NOT_FOUND, "/problems/not-found", "Not found", "There is no such inbound URL")
    };
    let document = json!({"type": kind, "title": title, "status": status.as_u16(), "detail": detail});
    let request_id = request.lambda_context_ref().map_or_else(random::token, |context| context.request_id.clone());
    Response::builder()
        .status(status)
        .header("x-request-id", request_id)
        .header(header::CONTENT_TYPE, "application/problem+json")
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(document.to_string().into())
}
