//! Sends a test event to a webhook.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use domain::{
    event::{EventText, NewEvent},
    id::WebhookId,
    validation::FieldReader,
};
use platform::{
    attempt::{self, Endpoint},
    oauth::Tokens,
};

use super::{
    checks::require_send_scope,
    find,
    sample::{Given, event},
};
use crate::{
    App,
    accept_event::check_reserved,
    api,
    http::{ApiResult, JsonBody, PathId, Problem, auth::Principal},
    known_types,
};

/// Maximum duration of a test. API Gateway times out after 30 s.
const MAX_TEST_TIME: Duration = Duration::from_secs(25);

/// Sends a test event to a webhook and returns the attempt.
///
/// The event is sent immediately, regardless of the webhook's conditions. Without `event`, a sample
/// of a type that the webhook subscribes to is sent; without `data`, the type's example. Sending an
/// `event` to a connected service also requires the scope `services:send`. A reserved event type
/// requires `admin`.
#[utoipa::path(post, path = "/v1/webhooks/{id}/test", operation_id = "testWebhook", tag = "webhooks",
    security(("token" = ["webhooks:write"])),
    params(("id" = api::WebhookId, Path)), request_body = api::TestInput,
    responses((status = 200, body = api::Tested), api::ErrorResponses))]
pub async fn test(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<WebhookId>,
    body: JsonBody,
) -> ApiResult<Json<api::Tested>> {
    let mut fields = FieldReader::of(body.json_or_default()?).map_err(Problem::from)?;
    let given = fields.defaulted("event", None, |value| Given::parse(value).map(Some));
    let given = fields.finish(given)?;
    let webhook = find(&app, id).await?;
    webhook.missing.check()?;
    if let Some(Given {
        event: NewEvent { kind, .. },
        ..
    }) = &given
    {
        require_send_scope(&caller, &webhook.settings)?;
        check_reserved(&caller, kind).map_err(|problems| problems.under("type").under("event"))?;
        if !known_types::is_known(&app, kind).await? {
            return Err(
                known_types::unknown(&app, kind, &mut known_types::Names::default())
                    .await?
                    .under("type")
                    .under("event")
                    .into(),
            );
        }
    }
    let mut event = event(&app, &webhook, given).await?;
    event.hops = caller.hops;
    let timeout = attempt::timeout(&webhook).min(MAX_TEST_TIME);
    app.table
        .record_audit(&caller.entry("webhook.tested", &webhook.id, Vec::new()))
        .await?;
    let endpoint = Endpoint::of(webhook, &app.table, &app.keys).await?;
    let tokens = Tokens {
        table: &app.table,
        keys: &app.keys,
        egress: &app.egress,
        hops: caller.hops,
    };
    let (attempt, _) = attempt::make(
        tokens,
        &endpoint,
        &EventText::from(&event),
        1,
        timeout,
        async |_| Ok(()),
    )
    .await?;
    Ok(Json(api::Tested {
        attempt: attempt.into(),
    }))
}
