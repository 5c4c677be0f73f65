//! Revokes a credential.

use std::sync::Arc;

use axum::extract::State;
use domain::id::CredentialId;

use super::change;
use crate::{
    App, api,
    http::{ApiResult, IfMatch, JsonBody, PathId, Tagged, auth::Principal},
};

/// Revokes a credential.
///
/// Its tokens stop working immediately. The record remains. Revoking it again has no effect.
#[utoipa::path(post, path = "/v1/credentials/{id}/revoke", operation_id = "revokeCredential", tag = "credentials",
    security(("token" = ["credentials:write"])), params(("id" = api::CredentialId, Path), api::IfMatch),
    responses((status = 200, body = api::Credential), api::ErrorResponses))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<CredentialId>,
    if_match: IfMatch,
    body: JsonBody,
) -> ApiResult<Tagged<api::Credential>> {
    body.empty()?;
    change(
        &app,
        id,
        &if_match,
        &caller,
        "credential.revoked",
        |before, now| {
            Ok(if before.revoked_at.is_some() {
                before
            } else {
                before.revoked(now)
            })
        },
    )
    .await
}
