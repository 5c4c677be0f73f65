//! The caller: which user and credential a token belongs to.

use std::sync::Arc;

use axum::{Json, extract::State};

use crate::{
    App, api,
    http::{ApiResult, Problem, auth::Principal},
};

/// Returns the user and the credential that the token belongs to.
///
/// Requires any valid token.
#[utoipa::path(get, path = "/v1/me", operation_id = "getCaller", tag = "credentials", security(("token" = [])),
    responses((status = 200, body = api::Me), api::ErrorResponses))]
pub async fn get(State(app): State<Arc<App>>, caller: Principal) -> ApiResult<Json<api::Me>> {
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
    Ok(Json(api::Me {
        user: (&holder.user).into(),
        credential: (&credential).into(),
    }))
}
