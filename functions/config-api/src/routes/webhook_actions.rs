//! What can be done with a webhook beside changing it: a test, a preview, a new secret.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use domain::{
    condition::subject::Subject,
    event::{Event, NewEvent},
    event_type,
    invalid::{Checked, Fields, whole},
    signature::SigningSecret,
    webhook::{Webhook, request},
};
use http::HeaderMap;
use jiff::SignedDuration;
use platform::{
    attempt::{self, Endpoint},
    clock,
    oauth::Tokens,
    random,
};
use serde_json::{Map, Value, json};

use super::{
    event_types,
    webhooks::{change, find, may_send},
};
use crate::{
    App,
    http::{Answer, Document, Problem, access::Caller},
    openapi::schema,
    publish::may_publish,
};

/// API Gateway answers for us after 30 s.
const MOST_TEST_TIME: Duration = Duration::from_secs(25);

/// Sends an event to a webhook now, whatever its conditions, and waits for its response.
///
/// Sends the `event` given, or a sample of a type that the webhook subscribes to. An `event` to a connected service
/// also takes the scope `services:send`; one of a type that Tieline publishes itself, `admin`.
#[utoipa::path(post, path = "/v1/webhooks/{id}/test", operation_id = "testWebhook", tag = "webhooks",
    security(("token" = ["webhooks:write"])),
    params(("id" = schema::WebhookId, Path)), request_body = schema::TestInput,
    responses((status = 200, body = schema::Tested), schema::Refused))]
pub async fn test(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Document,
) -> Answer<Json<Value>> {
    let mut fields = Fields::of(body.or_empty()?).map_err(Problem::from)?;
    let given = fields.defaulted("event", None, |value| NewEvent::parse(value).map(Some));
    let given = fields.finish(given)?;
    let webhook = find(&app, &id).await?;
    let mut event = match given {
        Some(new) => {
            may_send(&caller, &webhook.settings)?;
            may_publish(&caller, &new.kind).map_err(|problems| problems.under("type").under("event"))?;
            if !event_types::is_known(&app, &new.kind).await? {
                return Err(event_types::unknown(&app, &new.kind).await?.under("type").under("event").into());
            }
            new.accept(random::id(), clock::now())
        }
        None => sample(&app, &webhook).await?,
    };
    event.hops = caller.hops;
    let timeout = attempt::timeout(&webhook).min(MOST_TEST_TIME);
    app.table.note(&caller.entry("webhook.tested", &webhook.id, Vec::new())).await?;
    let endpoint = Endpoint::of(webhook, &app.table, &app.keys).await?;
    let tokens = Tokens { table: &app.table, keys: &app.keys, egress: &app.egress };
    let (attempt, _) = attempt::make(tokens, &endpoint, &event, 1, timeout, async |_| Ok(())).await?;
    Ok(Json(json!({"attempt": attempt})))
}

/// Shows the request that an event would lead to, and how the conditions judge it.
///
/// Nothing is sent. Secrets are masked.
#[utoipa::path(post, path = "/v1/webhooks/{id}/render", operation_id = "renderWebhook", tag = "webhooks",
    security(("token" = ["webhooks:read"])),
    params(("id" = schema::WebhookId, Path)), request_body = schema::RenderInput,
    responses((status = 200, body = schema::Rendered), schema::Refused))]
pub async fn render(State(app): State<Arc<App>>, Path(id): Path<String>, body: Document) -> Answer<Json<Value>> {
    let mut fields = Fields::of(body.required()?).map_err(Problem::from)?;
    let new = fields.required("event", NewEvent::parse);
    let event = fields.finish(new)?.accept(random::id(), clock::now());
    let webhook = find(&app, &id).await?;
    let subject = Subject { event: &event, webhook: webhook.id, webhook_name: Some(&webhook.settings.name) };
    let verdict = webhook.settings.conditions.as_ref().map(|conditions| conditions.explain(&subject));
    let wanted = webhook.settings.events.iter().any(|pattern| pattern.matches(&event.kind));
    let mut answer = json!({
        "matched": wanted && verdict.as_ref().is_none_or(|verdict| verdict.matched),
        "conditions": verdict.map(|verdict| verdict.comparisons).unwrap_or_default(),
    });
    let endpoint = Endpoint::of(webhook, &app.table, &app.keys).await?;
    let address = endpoint.webhook.settings.destination.address(endpoint.server()).map_err(|error| error.to_string());
    let preview = address
        .and_then(|address| request::preview(&endpoint.webhook, &address, &event).map_err(|unfit| unfit.to_string()));
    match preview {
        Ok((request, missing)) => {
            answer["request"] = json!(request);
            answer["missing_tags"] = json!(missing.names().collect::<Vec<_>>());
        }
        // Such a delivery ends `blocked`.
        Err(reason) => {
            answer["request"] = Value::Null;
            answer["blocked"] = json!(reason);
            answer["missing_tags"] = json!([]);
        }
    }
    Ok(Json(answer))
}

/// Replaces a webhook's signing secret.
///
/// The response is the only one that contains the new `secret`. The old secret also signs for `overlap_seconds`.
#[utoipa::path(post, path = "/v1/webhooks/{id}/rotate-secret", operation_id = "rotateWebhookSecret", tag = "webhooks",
    security(("token" = ["webhooks:write"])), params(("id" = schema::WebhookId, Path), schema::IfMatch),
    request_body = schema::RotateSecretInput,
    responses((status = 200, body = schema::Webhook), schema::Refused))]
pub async fn rotate_secret(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Document,
) -> Answer {
    let overlap = overlap(body.or_empty()?, 86_400)?;
    change(&app, &id, &headers, &caller, &Value::Null, |mut webhook| {
        let now = clock::now();
        let fresh = SigningSecret::generated(random::bytes());
        let rotated = webhook.secrets.rotated(fresh.clone(), overlap, now);
        webhook.secrets = rotated.map_err(|error| Problem::conflict(error.to_string()))?;
        Ok((webhook.touched(now), Some(fresh)))
    })
    .await
}

/// Reads `{"overlap_seconds"}`: at most a week, `default` when absent.
pub(super) fn overlap(body: Value, default: u64) -> Checked<SignedDuration> {
    const WEEK: u64 = 7 * 24 * 3600;
    let mut fields = Fields::of(body)?;
    let seconds = fields.defaulted("overlap_seconds", default, whole(0, WEEK));
    let seconds = fields.finish(seconds)?;
    Ok(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0)))
}

/// A sample event of the first type that the webhook's patterns take.
async fn sample(app: &App, webhook: &Webhook) -> Answer<Event> {
    let now = clock::now();
    let event =
        |kind: domain::pattern::EventType, data| Event { id: random::id(), kind, timestamp: now, data, hops: 0 };
    for pattern in &webhook.settings.events {
        for known in event_type::catalogue() {
            let kind = domain::pattern::EventType::parse(known.name).map_err(Problem::internal)?;
            if pattern.matches(&kind) {
                return Ok(event(kind, known.example.clone()));
            }
        }
        if let Some(kind) = pattern.exact()
            && let Some(own) = app.table.event_type(&kind).await?
        {
            let data = own.example.and_then(|text| serde_json::from_str(&text).ok());
            return Ok(event(kind, data.unwrap_or_else(|| Value::Object(Map::new()))));
        }
    }
    let kind = domain::pattern::EventType::parse("message").map_err(Problem::internal)?;
    Ok(event(kind, Value::Object(Map::new())))
}
