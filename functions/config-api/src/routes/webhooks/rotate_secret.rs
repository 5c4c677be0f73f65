//! Replaces a webhook's signing secret.

use std::sync::Arc;

use axum::extract::State;
use domain::{id::WebhookId, signature::SigningSecret};
use platform::{clock, random};
use serde_json::Value;

use super::{change, to_response};
use crate::{
    App, api,
    http::{ApiResult, IfMatch, JsonBody, PathId, Problem, Tagged, auth::Principal, overlap},
};

/// Replaces a webhook's signing secret.
///
/// The response contains the new `secret`. It is shown only once. Requests are signed with both
/// secrets for `overlap_seconds`.
#[utoipa::path(post, path = "/v1/webhooks/{id}/rotate-secret", operation_id = "rotateWebhookSecret", tag = "webhooks",
    security(("token" = ["webhooks:write"])), params(("id" = api::WebhookId, Path), api::IfMatch),
    request_body = api::RotateSecretInput,
    responses((status = 200, body = api::Webhook), api::ErrorResponses))]
pub async fn rotate_secret(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<WebhookId>,
    if_match: IfMatch,
    body: JsonBody,
) -> ApiResult<Tagged<api::Webhook>> {
    let overlap = overlap(body.json_or_default()?, 86_400)?;
    let changed = change(&app, id, &if_match, &caller, &Value::Null, |mut webhook| {
        let now = clock::now();
        let fresh = SigningSecret::generated(random::bytes());
        let rotated = webhook.secrets.rotated(fresh.clone(), overlap, now);
        webhook.secrets = rotated.map_err(|error| Problem::conflict(error.to_string()))?;
        Ok((webhook.touched(now), Some(fresh)))
    });
    let (webhook, shown) = changed.await?;
    Ok(to_response(&webhook, shown.as_ref()))
}
