//! Clones a webhook.

use std::sync::Arc;

use axum::extract::State;
use domain::{
    id::WebhookId,
    validation::{FieldReader, name},
};
use platform::{clock, random};

use super::{
    checks::{check_references, require_send_scope},
    find, secret_or_new, to_response,
};
use crate::{
    App, api,
    http::{ApiResult, Created, JsonBody, PathId, Tagged, auth::Principal},
};

/// Creates a disabled webhook with the settings of another one.
///
/// The clone has a new signing `secret`, which is shown only in this response. It contains no other
/// secret of the original: `auth`, `secrets`, secret headers, and a URL or path with secret parts.
/// If there were any, its `status` is `needs_secrets` until a PATCH supplies each of them. Only
/// then can it be enabled. The original's deliveries are not copied. Cloning a webhook that sends
/// to a connected service also requires the scope `services:send`.
#[utoipa::path(post, path = "/v1/webhooks/{id}/clone", operation_id = "cloneWebhook", tag = "webhooks",
    security(("token" = ["webhooks:write"])),
    params(("id" = api::WebhookId, Path)), request_body = api::CloneInput,
    responses((status = 201, body = api::Webhook), api::ConflictResponse, api::ErrorResponses))]
pub async fn clone(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<WebhookId>,
    body: JsonBody,
) -> ApiResult<Created<Tagged<api::Webhook>>> {
    let mut fields = FieldReader::of(body.json()?)?;
    let name = fields.required("name", name);
    let name = fields.finish(name)?;
    let original = find(&app, id).await?;
    require_send_scope(&caller, &original.settings)?;
    let (secret, shown) = secret_or_new(None);
    let webhook = original.cloned_as(name, random::id(), secret, clock::now())?;
    check_references(&app, &webhook.settings, Some(&original.settings)).await?;
    let entries = [
        caller.entry("webhook.cloned", &original.id, Vec::new()),
        caller.entry("webhook.created", &webhook.id, Vec::new()),
    ];
    app.table
        .create_webhook(&webhook, &app.keys, &entries)
        .await?;
    let response = to_response(&webhook, shown.as_ref());
    Ok(Created::new(
        "/v1/webhooks",
        &webhook.id,
        response.map(|view| view.with_warnings(&webhook.settings)),
    ))
}
