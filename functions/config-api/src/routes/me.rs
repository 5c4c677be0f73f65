//! The caller: which user and credential a token belongs to.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::users;
use crate::{
    App,
    http::{ApiResult, Problem, auth::Principal},
    openapi::schema,
};

/// Returns the user and the credential that the token belongs to.
///
/// Requires any valid token.
#[utoipa::path(get, path = "/v1/me", operation_id = "getCaller", tag = "credentials", security(("token" = [])),
    responses((status = 200, body = schema::Me), schema::ErrorResponses))]
pub async fn get(State(app): State<Arc<App>>, caller: Principal) -> ApiResult<Json<Value>> {
    // Deleted after authentication.
    let credential = app
        .table
        .credential(caller.credential)
        .await?
        .ok_or_else(Problem::unauthorized)?;
    let holder = app
        .table
        .user(caller.user)
        .await?
        .ok_or_else(Problem::unauthorized)?;
    let settings = &credential.settings;
    Ok(Json(json!({
        "user": users::view(&holder.user),
        "credential": {
            "id": credential.id,
            "description": settings.description,
            "scopes": settings.scopes,
            "expires_at": settings.ends_at.map(domain::time::show),
            "rotation_due_at": domain::time::show_millis(credential.rotation_due_at()),
            "allowed_ips": settings.allowed_ips,
        },
    })))
}
