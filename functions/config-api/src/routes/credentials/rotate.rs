//! Replaces a credential's token.

use std::sync::Arc;

use axum::extract::State;
use domain::{
    credential::{Credential, Status},
    id::CredentialId,
};
use platform::clock;

use super::{find, new_token, require_scopes, to_response};
use crate::{
    App, api,
    http::{ApiResult, IfMatch, JsonBody, PathId, Problem, Tagged, auth::Principal, overlap},
};

/// Replaces a credential's token.
///
/// The response contains the new `token`. It is shown only once. The old token stays valid for
/// `overlap_seconds`; by default it stops working immediately. Tokens of earlier rotations keep
/// their own overlaps. At most three can overlap (otherwise 409). Without `overlap_seconds` all old
/// tokens stop working. ID, description and scopes are unchanged.
#[utoipa::path(post, path = "/v1/credentials/{id}/rotate", operation_id = "rotateCredential", tag = "credentials",
    security(("token" = ["credentials:write"])), params(("id" = api::CredentialId, Path), api::IfMatch),
    request_body = api::RotateInput,
    responses((status = 200, body = api::Credential), api::ErrorResponses))]
pub async fn rotate(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<CredentialId>,
    if_match: IfMatch,
    body: JsonBody,
) -> ApiResult<Tagged<api::Credential>> {
    let overlap = overlap(body.json_or_default()?, 0)?;
    let (app, id, caller) = (&*app, id, &caller);
    let write = |before: Credential| async move {
        let now = clock::now();
        require_scopes(caller, &before.settings)?;
        if before.status(now) != Status::Active {
            return Err(Problem::conflict(
                "The credential was revoked or has expired. Create a new one.",
            )
            .into());
        }
        let (token, mark) = new_token(app).await?;
        let last_used_at = app
            .table
            .last_uses(std::slice::from_ref(&before))
            .await?
            .remove(&before.id);
        let after = before.clone().rotated(mark, overlap, now);
        let after = after.map_err(|error| Problem::conflict(error.to_string()))?;
        let after = Credential {
            last_used_at,
            ..after
        };
        let entry = caller.entry("credential.rotated", &after.id, Vec::new());
        app.table
            .update_credential(&before, &after, None, now, Some(&entry))
            .await?;
        Ok(to_response(app, &after, Some(&token)).await?)
    };
    if_match.change(|| find(app, id), write).await
}
