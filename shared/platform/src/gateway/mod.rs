//! Converts API Gateway's events to HTTP requests.
//!
//! [`run`] replaces `lambda_http::run`, which panics on events whose path, query, host or body it
//! can't convert. The client would get a 502 and the log a stack trace. A real HTTP API sends such
//! events for legal requests: it decodes `rawPath`, and passes `"`, `<` and `>` in the query
//! unchanged. Here, characters that a URI can't contain are percent-encoded first. An event that
//! still can't be converted gets a 400 before any handler sees it.
//!
//! If the public URL has a base path, handlers see paths without it. An API mapping of a custom
//! domain leaves the base path in `rawPath`; other front ends remove it.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::header::HOST;
use lambda_http::{
    Adapter, IntoResponse, Request, Service,
    aws_lambda_events::apigw::ApiGatewayV2httpRequest,
    lambda_runtime::{self, Diagnostic, Error, LambdaEvent, service_fn},
    request::LambdaRequest,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json, value::RawValue};
use url::Url;

/// Maximum length of path and query together, in bytes. `http::Uri` allows 64 KiB, and API Gateway
/// sends about 10 KB.
const MAX_TARGET_BYTES: usize = 60 * 1024;

/// Characters that a query can't contain (RFC 3986, section 3.4). A lone `%` is not encoded: query
/// parsers accept it.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');
/// Characters that a path can't contain, and `?` and `\`, which would end or split it.
const PATH: &AsciiSet = &QUERY
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// An event of API Gateway: a request, or why it can't be converted.
#[derive(Debug)]
pub struct Payload(Result<ApiGatewayV2httpRequest, Malformed>);

/// Why an event is not a valid HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Malformed {
    #[error("Invalid request: the method, a header name or a header value is malformed.")]
    Event,
    #[error("Invalid `Host` header. Send the name of this host.")]
    Host,
    #[error("Path and query exceed {MAX_TARGET_BYTES} bytes.")]
    Target,
    #[error("The body is not valid base64.")]
    Body,
}

/// Serves API Gateway's events with an HTTP service until the process ends. `public_url` is the
/// deployment's public base URL.
pub async fn run<'a, R, S, E>(public_url: &str, service: S) -> Result<(), Error>
where
    S: Service<Request, Response = R, Error = E>,
    S::Future: Send + 'a,
    R: IntoResponse + 'a,
    E: fmt::Debug + Into<Diagnostic> + 'a,
{
    lambda_runtime::run(adapt(base_path(public_url), service)).await
}

/// The path of the public URL without a trailing slash. Empty if it has none.
pub fn base_path(public_url: &str) -> String {
    Url::parse(public_url).map_or_else(
        |_| String::new(),
        |url| url.path().trim_end_matches('/').to_owned(),
    )
}

/// Converts an HTTP service to a handler of API Gateway's events, whose paths may start with the
/// base path.
pub fn adapt<'a, R, S, E>(
    base_path: String,
    service: S,
) -> impl Service<LambdaEvent<Payload>, Response: Serialize, Error = E>
where
    S: Service<Request, Response = R, Error = E>,
    S::Future: Send + 'a,
    R: IntoResponse + 'a,
    E: 'a,
{
    let mut adapter = Adapter::from(service);
    service_fn(
        move |LambdaEvent { payload, context }: LambdaEvent<Payload>| {
            let call = match payload.0.map(|event| without_base(event, &base_path)) {
                Ok(event) => {
                    let request = LambdaRequest::ApiGatewayV2(event);
                    Ok(adapter.call(LambdaEvent::new(request, context)))
                }
                Err(malformed) => Err(bad_request(malformed, &context.request_id)),
            };
            async move {
                match call {
                    Ok(response) => response.await.map(Response::Handled),
                    Err(response) => Ok(Response::BadRequest(response)),
                }
            }
        },
    )
}

#[derive(Serialize)]
#[serde(untagged)]
enum Response<T> {
    Handled(T),
    BadRequest(Value),
}

/// The 400 response, in API Gateway's format (payload version 2.0).
fn bad_request(malformed: Malformed, request_id: &str) -> Value {
    tracing::warn!(request_id, reason = %malformed, "malformed request");
    let problem = json!({
        "type": "/problems/bad-request", "title": "Bad request", "status": 400, "detail": malformed.to_string(),
    });
    json!({
        "statusCode": 400,
        "headers": {
            "content-type": "application/problem+json",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "x-request-id": request_id,
        },
        "isBase64Encoded": false,
        "body": problem.to_string(),
    })
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = Box::<RawValue>::deserialize(deserializer)?;
        let request = serde_json::from_str(event.get()).map_err(|_| Malformed::Event);
        Ok(Self(request.and_then(normalize)))
    }
}

/// Changes the event so that `lambda_http` can convert it.
fn normalize(mut event: ApiGatewayV2httpRequest) -> Result<ApiGatewayV2httpRequest, Malformed> {
    let path = event.raw_path.as_deref().unwrap_or_default();
    let slash = if path.starts_with('/') { "" } else { "/" };
    let path = format!("{slash}{}", utf8_percent_encode(path, PATH));
    let query = event
        .raw_query_string
        .as_deref()
        .map(|query| utf8_percent_encode(query, QUERY).to_string());
    if path.len() + query.as_ref().map_or(0, String::len) > MAX_TARGET_BYTES {
        return Err(Malformed::Target);
    }
    (event.raw_path, event.raw_query_string) = (Some(path), query);
    let host = event.headers.get(HOST).and_then(|host| host.to_str().ok());
    if !host
        .or(event.request_context.domain_name.as_deref())
        .is_none_or(is_host)
    {
        return Err(Malformed::Host);
    }
    let scheme = event
        .headers
        .get("x-forwarded-proto")
        .and_then(|scheme| scheme.to_str().ok());
    if scheme.is_some_and(|scheme| scheme != "http" && scheme != "https") {
        event.headers.remove("x-forwarded-proto");
    }
    let body = event.body.as_deref().filter(|_| event.is_base64_encoded);
    if body.is_some_and(|body| BASE64_STANDARD.decode(body).is_err()) {
        return Err(Malformed::Body);
    }
    Ok(event)
}

fn without_base(mut event: ApiGatewayV2httpRequest, base_path: &str) -> ApiGatewayV2httpRequest {
    let rest = event
        .raw_path
        .as_deref()
        .and_then(|path| path.strip_prefix(base_path));
    if let Some(rest) = rest.filter(|rest| rest.starts_with('/')) {
        event.raw_path = Some(rest.to_owned());
    }
    event
}

/// Returns whether the text is exactly a host with an optional port (RFC 9110, section 7.2).
fn is_host(text: &str) -> bool {
    let Ok(url) = Url::parse(&format!("https://{text}/")) else {
        return false;
    };
    let bare = url.path() == "/" && url.query().or(url.fragment()).is_none();
    bare && url.username().is_empty()
        && url.password().is_none()
        && http::Uri::try_from(url.as_str()).is_ok()
}

#[cfg(test)]
mod tests;
