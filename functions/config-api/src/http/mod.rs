//! HTTP building blocks that all routes share: problems, authentication, bodies, queries, entity
//! tags and middleware.

pub mod auth;
pub mod body;
mod endpoint;
pub mod etag;
pub mod idempotency;
pub mod middleware;
mod overlap;
pub mod patch;
pub mod path;
pub mod problem;
pub mod query;
pub mod time_range;

use std::fmt::Display;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::LOCATION};

pub use self::problem::Problem;
pub use self::{
    body::JsonBody,
    endpoint::Endpoint,
    etag::{IfMatch, Tagged, UpdateError, Versioned},
    overlap::overlap,
    path::PathId,
    problem::ApiResult,
};

/// Returns a resource, or 404 if it does not exist.
pub fn found<T>(resource: Option<T>, what: &str) -> ApiResult<T> {
    resource.ok_or_else(|| Problem::not_found(what))
}

/// A response with the `Location` of a new resource.
#[derive(Debug)]
pub struct Created<T> {
    status: StatusCode,
    location: String,
    body: T,
}

impl<T> Created<T> {
    /// A new resource. `list` is the path of its collection, such as `/v1/users`.
    pub fn new(list: &str, id: &impl Display, body: T) -> Self {
        Self {
            status: StatusCode::CREATED,
            location: format!("{list}/{id}"),
            body,
        }
    }

    /// Changes the status to 202: the resource exists and is processed asynchronously.
    #[must_use]
    pub fn accepted(self) -> Self {
        let status = StatusCode::ACCEPTED;
        Self { status, ..self }
    }
}

impl<T: IntoResponse> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        if let Ok(location) = HeaderValue::try_from(self.location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
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
