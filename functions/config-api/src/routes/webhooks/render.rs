//! Renders the request for an event without sending it.

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    condition::subject::Subject, id::WebhookId, validation::FieldReader, webhook::request,
};
use platform::attempt::Endpoint;

use super::{
    find,
    sample::{Given, event},
};
use crate::{
    App, api,
    http::{ApiResult, JsonBody, PathId, Problem},
};

/// Renders the request for an event and evaluates the conditions, without sending it.
///
/// Without `event`, a sample of a type that the webhook subscribes to is used; without `data`, the
/// type's example. Secrets are masked. Texts longer than 16 KiB are cut and marked `truncated`.
#[utoipa::path(post, path = "/v1/webhooks/{id}/render", operation_id = "renderWebhook", tag = "webhooks",
    security(("token" = ["webhooks:read"])),
    params(("id" = api::WebhookId, Path)), request_body = api::RenderInput,
    responses((status = 200, body = api::Rendered), api::ErrorResponses))]
pub async fn render(
    State(app): State<Arc<App>>,
    PathId(id): PathId<WebhookId>,
    body: JsonBody,
) -> ApiResult<Json<api::Rendered>> {
    let mut fields = FieldReader::of(body.json_or_default()?).map_err(Problem::from)?;
    let given = fields.defaulted("event", None, |value| Given::parse(value).map(Some));
    let given = fields.finish(given)?;
    let webhook = find(&app, id).await?;
    let event = event(&app, &webhook, given).await?;
    let subject = Subject::of_event(&event, webhook.id, Some(&webhook.settings.name));
    let verdict = webhook
        .settings
        .conditions
        .as_ref()
        .map(|conditions| conditions.explain(&subject));
    let wanted = webhook
        .settings
        .events
        .iter()
        .any(|pattern| pattern.matches(&event.kind));
    let matched = wanted && verdict.as_ref().is_none_or(|verdict| verdict.matched);
    let conditions = verdict
        .map(|verdict| verdict.comparisons)
        .unwrap_or_default();
    let warnings = api::warnings(webhook.settings.warnings());
    let endpoint = Endpoint::of(webhook, &app.table, &app.keys).await?;
    let (preview, missing_tags) = match endpoint
        .webhook
        .settings
        .destination
        .address(endpoint.server())
    {
        Ok(address) => {
            let (preview, missing) = request::preview(&endpoint.webhook, &address, &event);
            (preview.map_err(|unfit| unfit.to_string()), missing.into())
        }
        Err(error) => (Err(error.to_string()), Vec::new()),
    };
    // Deliveries of this event would be `blocked`.
    let (request, blocked) = match preview {
        Ok(preview) => (Some(preview.into()), None),
        Err(reason) => (None, Some(reason)),
    };
    Ok(Json(api::Rendered {
        request,
        blocked,
        matched,
        conditions: conditions.into_iter().map(api::Comparison::from).collect(),
        missing_tags,
        warnings,
    }))
}
