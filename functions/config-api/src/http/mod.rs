//! What every route shares: problems, authentication, documents, queries, entity tags, and the
//! frame around an answer.

pub mod access;
pub mod body;
pub mod etag;
pub mod frame;
pub mod patch;
pub mod problem;
pub mod query;

use std::fmt::Display;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::LOCATION};

pub use self::{
    body::Document,
    problem::{Answer, Problem},
};

/// The answer to a request that made something, which is to be found below `list`, such as
/// `/v1/users`.
pub fn made(
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

/// The response with the base path of the public URL before its `Location`.
pub fn rebased(base_path: &str, mut response: Response) -> Response {
    if let Some(location) = response.headers_mut().get_mut(LOCATION)
        && let Ok(path) = location.to_str()
        && path.starts_with('/')
        && let Ok(based) = HeaderValue::try_from(format!("{base_path}{path}"))
    {
        *location = based;
    }
    response
}
