//! HTTP building blocks that all routes share: problems, authentication, bodies, queries, entity
//! tags and middleware.

pub mod auth;
pub mod body;
pub mod etag;
pub mod middleware;
pub mod patch;
pub mod path;
pub mod problem;
pub mod query;

use std::fmt::Display;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::LOCATION};

pub use self::problem::Problem;
pub use self::{body::JsonBody, path::PathId, problem::ApiResult};

/// Returns a response with the `Location` of a new resource. `list` is the path of its collection,
/// such as `/v1/users`.
pub fn created(
    status: StatusCode,
    list: &str,
    id: &impl Display,
    body: impl IntoResponse,
) -> Response {
    let mut response = (status, body).into_response();
    if let Ok(location) = HeaderValue::try_from(format!("{list}/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Prepends the base path of the public URL to the response's `Location`.
pub fn with_base_path(base_path: &str, mut response: Response) -> Response {
    if let Some(location) = response.headers_mut().get_mut(LOCATION)
        && let Ok(path) = location.to_str()
        && path.starts_with('/')
        && let Ok(based) = HeaderValue::try_from(format!("{base_path}{path}"))
    {
        *location = based;
    }
    response
}
