//! Events: publish, list, read.

pub mod batch;

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{event::NewEvent, id::EventId, pattern::EventType, validation::ValidationErrors};
use http::{HeaderMap, StatusCode};
use platform::table::{
    events::Dispatched,
    pagination::{Page, PageRequest},
};

use super::deliveries;
use crate::{
    App,
    accept_event::{self, Request, Types},
    api,
    http::{
        ApiResult, JsonBody, PathId, Tagged,
        auth::Principal,
        found,
        idempotency::header_key,
        query::{self, Query},
        time_range::time_range,
    },
};

const ROUTE: &str = "events";

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
    let kind = document["type"].clone();
    let key = header_key(&headers).map(|key| key.map(|key| key.for_document(&document)));
    let (key, new) = match ValidationErrors::both(key, NewEvent::parse(document)) {
        Ok(valid) => valid,
        Err(problems) => {
            let mut types = Types::default();
            let rejection =
                accept_event::rejection(&app, &caller, problems, &kind, &mut types).await;
            return Err(rejection?);
        }
    };
    let event = accept_event::publish(
        &app,
        &caller,
        ROUTE,
        Request {
            new,
            key,
            hops: caller.hops,
        },
    )
    .await?;
    Ok((StatusCode::ACCEPTED, Json(event.into())))
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
    let range = time_range(&app, &mut query);
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
    let dispatched = found(app.table.event(id).await?, "event")?;
    let deliveries = deliveries::of_event(&app, &dispatched).await?;
    let event = dispatched.try_into()?;
    Ok(Tagged::hashed(api::EventWithDeliveries::new(
        event, deliveries,
    )))
}
