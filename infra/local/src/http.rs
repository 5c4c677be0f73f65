//! Requests to the emulator, which implements AWS's protocols without verifying signatures.

use std::time::Duration;

/// A request to the emulator failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No response.
    #[error("no response ({0})")]
    NoResponse(Box<ureq::Error>),
    /// A response with an error status.
    #[error("{status}: {body}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The response body.
        body: String,
    },
}

/// A response with a 2xx status.
pub(crate) struct HttpResponse {
    pub(crate) body: String,
    /// Whether Lambda reports that the handler failed.
    pub(crate) function_error: bool,
}

/// Functions may run for a minute.
const TIMEOUT: Duration = Duration::from_secs(90);

pub(crate) fn get(url: &str) -> Result<HttpResponse, HttpError> {
    send(builder("GET", url), &[])
}

/// Sends a `GET` request with a bearer token.
pub(crate) fn get_as(url: &str, token: &str) -> Result<HttpResponse, HttpError> {
    send(
        builder("GET", url).header("authorization", format!("Bearer {token}")),
        &[],
    )
}

/// Executes an action of a service with the JSON protocol, such as `DynamoDB_20120810.GetItem`.
pub(crate) fn aws(
    base: &str,
    target: &str,
    body: &serde_json::Value,
) -> Result<HttpResponse, HttpError> {
    let request = builder("POST", base)
        .header("x-amz-target", target)
        .header("content-type", "application/x-amz-json-1.0");
    send(request, body.to_string().as_bytes())
}

pub(crate) fn put(url: &str, body: &[u8]) -> Result<HttpResponse, HttpError> {
    send(builder("PUT", url), body)
}

/// Sends a `POST` request. `service` is the service's name in signatures, because several services
/// have actions with the same name.
pub(crate) fn post(
    url: &str,
    service: &str,
    content_type: &str,
    body: &str,
) -> Result<HttpResponse, HttpError> {
    let unsigned =
        format!("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request");
    let request = builder("POST", url)
        .header("authorization", unsigned)
        .header("content-type", content_type);
    send(request, body.as_bytes())
}

fn builder(method: &str, url: &str) -> ureq::http::request::Builder {
    ureq::http::Request::builder().method(method).uri(url)
}

fn send(request: ureq::http::request::Builder, body: &[u8]) -> Result<HttpResponse, HttpError> {
    let no_response = |error: ureq::Error| HttpError::NoResponse(Box::new(error));
    let request = request
        .body(body)
        .map_err(|error| no_response(error.into()))?;
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(TIMEOUT))
        .build()
        .into();
    let mut response = agent.run(request).map_err(no_response)?;
    let body = response.body_mut().read_to_string().map_err(no_response)?;
    if !response.status().is_success() {
        return Err(HttpError::Status {
            status: response.status().as_u16(),
            body,
        });
    }
    Ok(HttpResponse {
        body,
        function_error: response.headers().contains_key("x-amz-function-error"),
    })
}
