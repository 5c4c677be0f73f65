//! Events: publish, list, read.

use std::sync::Arc;

use axum::{Json, extract::State, response::IntoResponse};
use domain::{
    event::{Event, EventText, NewEvent},
    id::EventId,
    pattern::EventType,
    time,
    validation::{FieldReader, Validated, ValidationErrors, list as array, string},
};
use http::{HeaderMap, StatusCode, header};
use platform::table::{
    events::Dispatched,
    pagination::{Page, PageRequest},
};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use super::deliveries;
use crate::{
    App,
    accept_event::{self, IdempotencyKey, Request, Types},
    http::{
        ApiResult, JsonBody, PathId, Problem,
        auth::Principal,
        body::check_depth,
        etag,
        query::{self, Listing, Query},
    },
    openapi::schema,
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
    request_body = schema::EventInput,
    responses((status = 202, body = schema::Accepted), schema::ErrorResponses))]
pub async fn publish(
    State(app): State<Arc<App>>,
    caller: Principal,
    headers: HeaderMap,
    body: JsonBody,
) -> ApiResult<(StatusCode, Json<Value>)> {
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
    Ok((StatusCode::ACCEPTED, Json(accepted(&event))))
}

/// Publishes up to 100 events.
///
/// Each event has its own result, in the same order.
#[utoipa::path(post, path = "/v1/events/batch", operation_id = "publishEvents", tag = "events",
    security(("token" = ["events:write"])),
    request_body = schema::BatchInput,
    responses((status = 202, body = schema::BatchResults), schema::ErrorResponses))]
pub async fn publish_batch(
    State(app): State<Arc<App>>,
    caller: Principal,
    body: JsonBody,
) -> ApiResult<(StatusCode, Json<Value>)> {
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
    let results: Vec<Value> = results
        .map(|result| match result {
            Ok(event) => accepted(&event),
            Err(problem) => {
                let errors = ValidationErrors(problem.errors).of_field("idempotency_key").0;
                json!({"error": {"status": problem.status.as_u16(), "detail": problem.detail, "errors": errors}})
            }
        })
        .collect();
    Ok((StatusCode::ACCEPTED, Json(json!({"results": results}))))
}

/// Lists dispatched events, newest first.
#[utoipa::path(get, path = "/v1/events", operation_id = "listEvents", tag = "events",
    security(("token" = ["events:read"])),
    params(
        ("type" = Option<String>, Query, description = "Only events of this type. Pages may be shorter than `limit`."),
        ("since" = Option<String>, Query, description = "Only accepted at or after this RFC 3339 time."),
        ("until" = Option<String>, Query, description = "Only accepted at or before this RFC 3339 time."),
        schema::Paging,
    ),
    responses((status = 200, body = schema::List<schema::Event>), schema::ErrorResponses))]
pub async fn list(State(app): State<Arc<App>>, mut query: Query) -> ApiResult<Json<Listing<View>>> {
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
    let views = items.into_iter().map(View::of).collect::<ApiResult<_>>()?;
    paging.listing(app, views, next).await.map(Json)
}

/// Returns an event with its deliveries.
#[utoipa::path(get, path = "/v1/events/{id}", operation_id = "getEvent", tag = "events",
    security(("token" = ["events:read"])),
    params(("id" = schema::EventId, Path)),
    responses((status = 200, body = schema::EventWithDeliveries), schema::ErrorResponses))]
pub async fn get(State(app): State<Arc<App>>, PathId(id): PathId<EventId>) -> ApiResult {
    let dispatched = app
        .table
        .event(id)
        .await?
        .ok_or_else(|| Problem::not_found("event"))?;
    let mut answer = json!(View::of(dispatched.clone())?);
    answer["deliveries"] = json!(deliveries::of_event(&app, &dispatched).await?);
    Ok(([(header::ETAG, etag::of_shown(&answer))], Json(answer)).into_response())
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

fn accepted(event: &Event) -> Value {
    json!({"id": event.id, "type": event.kind, "timestamp": time::show_event(event.timestamp)})
}

/// An event as clients see it. The data is kept as JSON text.
#[derive(Debug, Serialize)]
pub struct View {
    id: EventId,
    r#type: EventType,
    timestamp: String,
    data: Box<RawValue>,
}

impl View {
    fn of(dispatched: Dispatched) -> ApiResult<Self> {
        let EventText {
            id,
            kind,
            timestamp,
            data,
            ..
        } = dispatched.event;
        Ok(Self {
            id,
            r#type: kind,
            timestamp: time::show_event(timestamp),
            data: RawValue::from_string(data)?,
        })
    }
}
