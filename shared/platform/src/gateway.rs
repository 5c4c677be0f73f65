//! The Lambda functions behind API Gateway: from its events to HTTP requests.
//!
//! [`run`] takes the place of `lambda_http::run`, which panics on events whose path, query, host or
//! body it can't put into a request, so that the client gets a 502 and the log a stack trace. A
//! real HTTP API sends such events for legal requests: it decodes `rawPath`, and passes `"`, `<`
//! and `>` on in the query as they came. Here, an event is made fit first: what a URI can't hold is
//! percent-encoded. An event that can't be made fit is answered with 400 before any handler sees
//! it.
//!
//! Where the public URL has a base path, handlers see paths without it: an API mapping of a custom
//! domain leaves it in `rawPath`, other front ends remove it.

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

/// Longest path and query together, in bytes. `http::Uri` holds 64 KiB, and API Gateway sends about
/// 10 KB.
const MAX_TARGET_BYTES: usize = 60 * 1024;

/// What a query can't hold (RFC 3986, section 3.4). A lone `%` stays: readers of queries take it as
/// it is.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');
/// What a path can't hold, and `?` and `\`, which would end it or split it.
const PATH: &AsciiSet = &QUERY
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// An event of API Gateway: a request, or the reason why there is none.
#[derive(Debug)]
pub struct Payload(Result<LambdaRequest, Malformed>);

/// The event holds no HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Malformed {
    #[error(
        "The request can't be read: its method, or the name or value of a header, is not valid"
    )]
    Event,
    #[error("The header `Host` is not valid: send the name of this host")]
    Host,
    #[error("The path and query are longer than {MAX_TARGET_BYTES} bytes")]
    Target,
    #[error("The body can't be read")]
    Body,
}

/// Serves the events of API Gateway with an HTTP service, until the process ends. `public_url` is
/// how clients address it.
pub async fn run<'a, R, S, E>(public_url: &str, service: S) -> Result<(), Error>
where
    S: Service<Request, Response = R, Error = E>,
    S::Future: Send + 'a,
    R: IntoResponse + 'a,
    E: fmt::Debug + Into<Diagnostic> + 'a,
{
    lambda_runtime::run(adapt(base_path(public_url), service)).await
}

/// The path of the public URL, without a slash at the end; empty where it has none.
pub fn base_path(public_url: &str) -> String {
    Url::parse(public_url).map_or_else(
        |_| String::new(),
        |url| url.path().trim_end_matches('/').to_owned(),
    )
}

/// The HTTP service as a handler of API Gateway's events, whose paths may begin with this base
/// path.
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
            let call = match payload.0.map(|request| without_base(request, &base_path)) {
                Ok(request) => Ok(adapter.call(LambdaEvent::new(request, context))),
                Err(malformed) => Err(refuse(malformed, &context.request_id)),
            };
            async move {
                match call {
                    Ok(response) => response.await.map(Response::Handled),
                    Err(refusal) => Ok(Response::Refused(refusal)),
                }
            }
        },
    )
}

#[derive(Serialize)]
#[serde(untagged)]
enum Response<T> {
    Handled(T),
    Refused(Value),
}

/// The 400, in the format that API Gateway reads (payload version 2.0).
fn refuse(malformed: Malformed, request_id: &str) -> Value {
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
        Ok(Self(request.and_then(|request| match request {
            LambdaRequest::ApiGatewayV2(event) => mend(event).map(LambdaRequest::ApiGatewayV2),
            _ => Err(Malformed::Event),
        })))
    }
}

/// The event, changed so that `lambda_http` can make a request of it.
fn mend(mut event: ApiGatewayV2httpRequest) -> Result<ApiGatewayV2httpRequest, Malformed> {
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

fn without_base(request: LambdaRequest, base_path: &str) -> LambdaRequest {
    let LambdaRequest::ApiGatewayV2(mut event) = request else {
        return request;
    };
    let rest = event
        .raw_path
        .as_deref()
        .and_then(|path| path.strip_prefix(base_path));
    if let Some(rest) = rest.filter(|rest| rest.starts_with('/')) {
        event.raw_path = Some(rest.to_owned());
    }
    LambdaRequest::ApiGatewayV2(event)
}

/// Whether the text is a host with an optional port, and nothing beside them (RFC 9110, section
/// 7.2).
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
