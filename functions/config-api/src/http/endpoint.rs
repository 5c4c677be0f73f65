//! Endpoints: handlers with their paths, methods and documentation.

use std::sync::Arc;

use axum::routing::MethodRouter;
use http::Method;
use utoipa_axum::router::UtoipaMethodRouter;

use crate::App;

/// A handler under a path and method.
#[derive(Debug)]
pub struct Endpoint {
    /// Path template, such as `/v1/users/{id}`.
    pub path: &'static str,
    /// The only method that `route` accepts, besides `HEAD` for `GET`.
    pub method: Method,
    /// The handler under the method.
    pub route: MethodRouter<Arc<App>>,
    /// Builds its documentation, which takes much longer than to route it.
    pub documented: fn() -> UtoipaMethodRouter<Arc<App>>,
}
