//! Health check and OpenAPI document.

use std::sync::Arc;

use axum::{Json, body::Bytes, extract::State, response::IntoResponse};
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;

/// Whether the API is up.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
}

/// Returns 200 if the API is up.
#[utoipa::path(get, path = "/healthz", operation_id = "getHealth", tag = "meta", security(()),
    responses((status = 200, description = "The API is up.", body = Health)))]
pub async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Returns the OpenAPI document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "getOpenApi", tag = "meta", security(()),
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = Object)))]
pub async fn openapi(State(app): State<Arc<App>>) -> impl IntoResponse {
    let document: Bytes = app.document.clone();
    ([(CONTENT_TYPE, "application/json")], document)
}
