//! Publishes a batch of events.

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    event::NewEvent,
    validation::{FieldReader, Validated, ValidationErrors, list as array, string},
};
use http::StatusCode;
use serde_json::Value;

use crate::{
    App,
    accept_event::{self, Request, Types},
    api,
    http::{
        ApiResult, JsonBody, Problem, auth::Principal, body::check_depth,
        idempotency::IdempotencyKey,
    },
};

const BATCH_ROUTE: &str = "events-batch";

const MAX_BATCH_EVENTS: usize = 100;

/// Publishes up to 100 events.
///
/// Each event has its own result, in the same order.
#[utoipa::path(post, path = "/v1/events/batch", operation_id = "publishEvents", tag = "events",
    security(("token" = ["events:write"])),
    request_body = api::BatchInput,
    responses((status = 202, body = api::BatchResults), api::ErrorResponses))]
pub async fn publish_batch(
    State(app): State<Arc<App>>,
    caller: Principal,
    body: JsonBody,
) -> ApiResult<(StatusCode, Json<api::BatchResults>)> {
    let mut fields = FieldReader::of(body.json_unchecked()?).map_err(Problem::from)?;
    let entries = fields.required("events", array(1, MAX_BATCH_EVENTS, Ok));
    let entries = fields.finish(entries)?;
    let mut wrong = Vec::with_capacity(entries.len());
    let mut requests = Vec::with_capacity(entries.len());
    let mut types = Types::default();
    for entry in entries {
        let kind = entry["type"].clone();
        match batch_entry(entry, caller.hops) {
            Ok(request) => {
                requests.push(request);
                wrong.push(None);
            }
            Err(problems) => {
                let refused =
                    accept_event::rejection(&app, &caller, problems, &kind, &mut types).await;
                wrong.push(Some(refused.unwrap_or_else(|problem| problem)));
            }
        }
    }
    let mut published = accept_event::publish_all(&app, &caller, BATCH_ROUTE, requests)
        .await
        .into_iter();
    let results = wrong
        .into_iter()
        .filter_map(|problem| problem.map_or_else(|| published.next(), |p| Some(Err(p))));
    let results = results.map(api::BatchResult::from).collect();
    Ok((StatusCode::ACCEPTED, Json(api::BatchResults { results })))
}

fn batch_entry(value: Value, hops: u8) -> Validated<Request> {
    let mut document = check_depth(value)?;
    let key = document
        .as_object_mut()
        .and_then(|fields| fields.remove("idempotency_key"))
        .filter(|key| !key.is_null());
    let key = key.map(|key| {
        let key = string(key).and_then(|key| IdempotencyKey::parse(&key));
        key.map(|key| key.for_document(&document))
            .map_err(|problems| problems.under("idempotency_key"))
    });
    let new = FieldReader::of(document).and_then(|mut fields| {
        fields.knows("idempotency_key");
        let new = NewEvent::take(&mut fields);
        fields.finish(new)
    });
    let (key, new) = ValidationErrors::both(key.transpose(), new)?;
    Ok(Request { new, key, hops })
}
