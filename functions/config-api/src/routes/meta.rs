//! The API about itself.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::App;

/// Whether the API answers.
#[utoipa::path(get, path = "/healthz", tag = "meta", security(()), responses((status = 200, description = "It does")))]
pub async fn healthz() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "meta", security(()),
    responses((status = 200, description = "OpenAPI 3.1")))]
pub async fn openapi(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.document.clone())
}
