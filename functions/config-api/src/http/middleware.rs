//! Middleware around every request: request ID, common headers, problem documents, access log.

use std::time::Instant;

use axum::{
    Json,
    extract::{MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, header};
use lambda_http::RequestExt;
use serde_json::{Value, json};

use super::Problem;

/// Runs the request and completes its response.
pub async fn complete(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let problem = response
        .extensions_mut()
        .remove()
        .or_else(|| from_framework(response.status(), &method, &path));
    if let Some(problem) = problem {
        let named = route.as_deref().and_then(|route| named(route, &path));
        let problem = named.into_iter().fold(problem, Problem::with_id);
        response = document(&problem, &id);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(&id) {
        headers.insert("x-request-id", id);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = response.status().as_u16();
    tracing::info!(request_id = %id, %method, route = route.unwrap_or_default(), status, duration_ms, "request");
    response
}

/// Lambda's request ID, which is also in the function's log. A random ID outside Lambda.
fn request_id(request: &Request) -> String {
    let context = request
        .lambda_context_ref()
        .map(|context| context.request_id.clone());
    context
        .filter(|id| !id.is_empty())
        .unwrap_or_else(platform::random::token)
}

/// Returns the path segment that matches the route's first parameter.
fn named<'a>(route: &str, path: &'a str) -> Option<&'a str> {
    let (_, part) = route
        .split('/')
        .zip(path.split('/'))
        .find(|(known, _)| known.starts_with('{'))?;
    Some(part)
}

/// Returns the problem document for an error response of the framework.
fn from_framework(status: StatusCode, method: &Method, path: &str) -> Option<Problem> {
    match status {
        // Handlers read bodies and queries themselves, so a 400 of the framework means a path that
        // is not UTF-8.
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => Some(Problem::no_route(method, path)),
        StatusCode::PAYLOAD_TOO_LARGE => Some(Problem::too_large("The request is too large.")),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some(Problem::unsupported_media_type()),
        status if status.is_client_error() => {
            Some(Problem::bad_request("The request is malformed."))
        }
        status if status.is_server_error() => Some(Problem::internal(format!(
            "a response {status} without a problem document"
        ))),
        _ => None,
    }
}

/// Renders the problem document.
fn document(problem: &Problem, request_id: &str) -> Response {
    let mut body = json!(problem);
    // Only for server errors: responses to rejected tokens must be identical.
    if let (true, Value::Object(map)) = (problem.status.is_server_error(), &mut body) {
        map.insert("request_id".to_owned(), request_id.into());
    }
    let mut response = (problem.status, Json(body)).into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if problem.status == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
