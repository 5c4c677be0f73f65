//! Actions on a webhook: test, render, rotate its secret.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use domain::{
    condition::subject::Subject,
    event::{Event, EventText, NewEvent},
    event_type,
    id::WebhookId,
    pattern::EventType,
    signature::SigningSecret,
    validation::{FieldReader, Validated, whole},
    webhook::{Webhook, request},
};
use jiff::SignedDuration;
use platform::{
    attempt::{self, Endpoint},
    clock,
    oauth::Tokens,
    random,
};
use serde_json::{Value, json};

use super::{
    event_types,
    webhooks::{change, find, require_send_scope},
};
use crate::{
    App,
    accept_event::check_reserved,
    api,
    http::{ApiResult, IfMatch, JsonBody, PathId, Problem, Tagged, auth::Principal},
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
    if let Some(Given {
        event: NewEvent { kind, .. },
        ..
    }) = &given
    {
        require_send_scope(&caller, &webhook.settings)?;
        check_reserved(&caller, kind).map_err(|problems| problems.under("type").under("event"))?;
        if !event_types::is_known(&app, kind).await? {
            return Err(
                event_types::unknown(&app, kind, &mut event_types::Names::default())
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
    let subject = Subject {
        event: &event,
        webhook: webhook.id,
        webhook_name: Some(&webhook.settings.name),
    };
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
    }))
}

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
    change(&app, id, &if_match, &caller, &Value::Null, |mut webhook| {
        let now = clock::now();
        let fresh = SigningSecret::generated(random::bytes());
        let rotated = webhook.secrets.rotated(fresh.clone(), overlap, now);
        webhook.secrets = rotated.map_err(|error| Problem::conflict(error.to_string()))?;
        Ok((webhook.touched(now), Some(fresh)))
    })
    .await
}

/// Parses `{"overlap_seconds"}`: 0 to 604,800 (a week), `default` if absent.
pub(super) fn overlap(body: Value, default: u64) -> Validated<SignedDuration> {
    const WEEK: u64 = 7 * 24 * 3600;
    let mut fields = FieldReader::of(body)?;
    let seconds = fields.defaulted("overlap_seconds", default, whole(0, WEEK));
    let seconds = fields.finish(seconds)?;
    Ok(SignedDuration::from_secs(
        i64::try_from(seconds).unwrap_or(0),
    ))
}

/// The event of a test or preview. `data` is optional.
struct Given {
    event: NewEvent,
    has_data: bool,
}

impl Given {
    fn parse(mut value: Value) -> Validated<Self> {
        let has_data = !value["data"].is_null();
        if let (false, Value::Object(map)) = (has_data, &mut value) {
            map.insert("data".to_owned(), json!({}));
        }
        Ok(Self {
            event: NewEvent::parse(value)?,
            has_data,
        })
    }
}

/// Returns the given event, with its type's example if it has no data; otherwise a sample of the
/// first type that the webhook subscribes to.
async fn event(app: &App, webhook: &Webhook, given: Option<Given>) -> ApiResult<Event> {
    let now = clock::now();
    match given {
        Some(Given {
            event,
            has_data: true,
        }) => Ok(event.accept(random::id(), now)),
        Some(Given {
            event,
            has_data: false,
        }) => {
            let data = example(app, &event.kind).await?;
            Ok(Event {
                data,
                ..event.accept(random::id(), now)
            })
        }
        None => {
            let kind = wanted(app, webhook).await?;
            let data = example(app, &kind).await?;
            Ok(Event {
                id: random::id(),
                kind,
                timestamp: now,
                data,
                hops: 0,
            })
        }
    }
}

/// Returns the first event type that the webhook's patterns match.
async fn wanted(app: &App, webhook: &Webhook) -> ApiResult<EventType> {
    for pattern in &webhook.settings.events {
        for known in event_type::catalogue() {
            let kind = EventType::parse(known.name).map_err(Problem::internal)?;
            if pattern.matches(&kind) {
                return Ok(kind);
            }
        }
        if let Some(kind) = pattern.exact()
            && event_types::is_known(app, &kind).await?
        {
            return Ok(kind);
        }
    }
    EventType::parse("message").map_err(Problem::internal)
}

/// Returns a type's example of `data`, or an empty object if it has none.
async fn example(app: &App, kind: &EventType) -> ApiResult<Value> {
    if let Some(known) = event_type::catalogue()
        .iter()
        .find(|known| known.name == kind.as_str())
    {
        return Ok(known.example.clone());
    }
    let example = app
        .table
        .event_type(kind)
        .await?
        .and_then(|own| own.example);
    let data = example.and_then(|text| serde_json::from_str(&text).ok());
    Ok(data.unwrap_or_else(|| json!({})))
}
