//! Events: publish, list, read.

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    event::NewEvent,
    id::EventId,
    pattern::EventType,
    validation::{FieldReader, Validated, ValidationErrors, list as array, string},
};
use http::{HeaderMap, StatusCode};
use platform::table::{
    events::Dispatched,
    pagination::{Page, PageRequest},
};
use serde_json::Value;

use super::deliveries;
use crate::{
    App,
    accept_event::{self, IdempotencyKey, Request, Types},
    api,
    http::{
        ApiResult, JsonBody, PathId, Problem, Tagged,
        auth::Principal,
        body::check_depth,
        query::{self, Query},
    },
};

const ROUTE: &str = "events";
const BATCH_ROUTE: &str = "events-batch";
const MAX_BATCH_EVENTS: usize = 100;

/// Publishes an event.
///
/// Returns 202 once the event is stored durably. It is dispatched within seconds and can be read
/// after that.
#[utoipa::path(post, path = "/v1/events", operation_id = "publishEvent", tag = "events",
    security(("token" = ["events:write"])),
    params(("Idempotency-Key" = Option<String>, Header,
        description = "1 to 255 printable ASCII characters. A repeated request within 24 hours returns the ID of the first.")),
    request_body = api::EventInput,
    responses((status = 202, body = api::Accepted), api::ErrorResponses))]
pub async fn publish(
    State(app): State<Arc<App>>,
    caller: Principal,
    headers: HeaderMap,
    body: JsonBody,
) -> ApiResult<(StatusCode, Json<api::Accepted>)> {
    let document = body.json()?;
    let (key, new) = (header_key(&headers), NewEvent::parse(document.clone()));
    let (key, new) = match (key, new) {
        (Ok(key), Ok(new)) => (key, new),
        (key, new) => {
            let problems = [key.err(), new.err()]
                .into_iter()
                .flatten()
                .flat_map(|problems| problems.0)
                .collect();
            return Err(accept_event::rejection(
                &app,
                &caller,
                ValidationErrors(problems),
                &document["type"],
                &mut Types::default(),
            )
            .await?);
        }
    };
    let event = accept_event::publish(
        &app,
        &caller,
        ROUTE,
        Request {
            new,
            key,
            document,
            hops: caller.hops,
        },
    )
    .await?;
    Ok((StatusCode::ACCEPTED, Json(event.into())))
}

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

/// Lists dispatched events, newest first.
#[utoipa::path(get, path = "/v1/events", operation_id = "listEvents", tag = "events",
    security(("token" = ["events:read"])),
    params(
        ("type" = Option<String>, Query, description = "Only events of this type. Pages may be shorter than `limit`."),
        ("since" = Option<String>, Query, description = "Only accepted at or after this RFC 3339 time."),
        ("until" = Option<String>, Query, description = "Only accepted at or before this RFC 3339 time."),
        api::Paging,
    ),
    responses((status = 200, body = api::List<api::Event>), api::ErrorResponses))]
pub async fn list(
    State(app): State<Arc<App>>,
    mut query: Query,
) -> ApiResult<Json<api::List<api::Event>>> {
    let kind = query.filter("type", |text| Ok(EventType::parse(text)?));
    let range = deliveries::time_range(&app, &mut query);
    let paging = query.paging()?;
    let page_request = paging.page_request(&app).await?;
    let app = &*app;
    let read = |page_request: PageRequest| async move {
        Ok(app.table.events(range, &page_request).await?)
    };
    let wanted = |item: &Dispatched| kind.as_ref().is_none_or(|kind| item.event.kind == *kind);
    let Page { items, next, .. } = query::fill_page(page_request, read, wanted).await?;
    let events: Vec<_> = items
        .into_iter()
        .map(api::Event::try_from)
        .collect::<Result<_, _>>()?;
    paging.page(app, events, next).await
}

/// Returns an event with its deliveries.
#[utoipa::path(get, path = "/v1/events/{id}", operation_id = "getEvent", tag = "events",
    security(("token" = ["events:read"])),
    params(("id" = api::EventId, Path)),
    responses((status = 200, body = api::EventWithDeliveries), api::ErrorResponses))]
pub async fn get(
    State(app): State<Arc<App>>,
    PathId(id): PathId<EventId>,
) -> ApiResult<Tagged<api::EventWithDeliveries>> {
    let dispatched = app
        .table
        .event(id)
        .await?
        .ok_or_else(|| Problem::not_found("event"))?;
    let deliveries = deliveries::of_event(&app, &dispatched).await?;
    let event = dispatched.try_into()?;
    Ok(Tagged::hashed(api::EventWithDeliveries::new(
        event, deliveries,
    )))
}

/// Reads the `Idempotency-Key` header.
pub(super) fn header_key(headers: &HeaderMap) -> Validated<Option<IdempotencyKey>> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .ok()
        .filter(|_| values.next().is_none())
        .unwrap_or_default();
    IdempotencyKey::parse(text)
        .map(Some)
        .map_err(|problems| problems.of_header("Idempotency-Key"))
}

fn batch_entry(value: Value, hops: u8) -> Validated<Request> {
    let value = check_depth(value)?;
    let mut document = value.clone();
    if let Value::Object(map) = &mut document {
        map.remove("idempotency_key");
    }
    let mut fields = FieldReader::of(value)?;
    let key = fields.defaulted("idempotency_key", None, |value| {
        IdempotencyKey::parse(&string(value)?).map(Some)
    });
    let new = NewEvent::take(&mut fields);
    fields.finish(new.zip(key).map(|(new, key)| Request {
        new,
        key,
        document,
        hops,
    }))
}
