//! Deliveries: list, read with attempts, retry manually.

mod search;
mod seen;
mod superseded;

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    delivery::{CancelledUntil, Delivery, DeliveryTask, Status},
    id::{DeliveryId, EventId, WebhookId},
};
use http::StatusCode;
use jiff::Timestamp;
use platform::{
    clock,
    table::{
        events::Dispatched,
        pagination::{Page, PageRequest, TimeRange},
    },
};

use self::{search::find, seen::Seen};
use crate::{
    App, api,
    http::{
        ApiResult, JsonBody, PathId, Problem, Tagged,
        auth::Principal,
        query::{self, Query},
        time_range::{retention_start, time_range_from},
    },
    retry,
};

/// Lists deliveries, newest event first.
///
/// Filtered pages may be shorter than `limit`.
#[utoipa::path(get, path = "/v1/deliveries", operation_id = "listDeliveries", tag = "deliveries",
    security(("token" = ["deliveries:read"])),
    params(
        ("webhook_id" = Option<String>, Query, description = "Only to this webhook, including those not yet attempted."),
        ("event_id" = Option<String>, Query, description = "Only deliveries of this event."),
        ("status" = Option<api::DeliveryStatus>, Query, description = "Only with this status."),
        ("since" = Option<String>, Query, description = "Only of events accepted at or after this RFC 3339 time."),
        ("until" = Option<String>, Query, description = "Only of events accepted at or before this RFC 3339 time."),
        api::Paging,
    ),
    responses((status = 200, body = api::List<api::Delivery>), api::ErrorResponses))]
pub async fn list(
    State(app): State<Arc<App>>,
    mut query: Query,
) -> ApiResult<Json<api::List<api::Delivery>>> {
    let mut filter = Filter {
        webhook: query.filter("webhook_id", |text| Ok(text.parse()?)),
        event: query.filter("event_id", |text| Ok(text.parse()?)),
        status: query.filter("status", query::choice(&Status::ALL)),
        range: TimeRange {
            since: Timestamp::MIN,
            until: Timestamp::MAX,
        },
    };
    // Lookups that don't scan events by day find deliveries of any age.
    let since = if filter.scans_events() {
        retention_start(&app)
    } else {
        Timestamp::MIN
    };
    filter.range = time_range_from(&app, &mut query, since);
    let paging = query.paging()?;
    let page_request = paging.page_request(&app).await?;
    let (app, filter) = (&*app, &filter);
    let read = |page_request: PageRequest| async move { find(app, filter, &page_request).await };
    let Page { items, next, .. } =
        query::fill_page(page_request, read, |seen| filter.wants(seen)).await?;
    let deliveries = items.iter().map(api::Delivery::from);
    paging.page(app, deliveries, next).await
}

/// Returns a delivery with its attempts.
///
/// Older attempts may omit `response_body` if there are very many.
#[utoipa::path(get, path = "/v1/deliveries/{id}", operation_id = "getDelivery", tag = "deliveries",
    security(("token" = ["deliveries:read"])),
    params(("id" = api::DeliveryId, Path)),
    responses((status = 200, body = api::DeliveryWithAttempts), api::ErrorResponses))]
pub async fn get(
    State(app): State<Arc<App>>,
    PathId(id): PathId<DeliveryId>,
) -> ApiResult<Tagged<api::DeliveryWithAttempts>> {
    let (seen, attempts) = match app.table.delivery_with_attempts(id).await? {
        Some((row, attempts)) => {
            let cancelled = app.table.cancellations([id.webhook]).await?.of(id.webhook);
            (Seen::of(&row, cancelled), attempts)
        }
        None => (pending(&app, id).await?, Vec::new()),
    };
    let delivery = api::DeliveryWithAttempts::new((&seen).into(), attempts);
    Ok(Tagged::hashed(delivery))
}

/// Retries a delivery.
///
/// Retries any delivery except one that has been pending for less than an hour. It continues with
/// the next attempt number, the same `webhook-id` and a new retry schedule, at once: a delay ends.
#[utoipa::path(post, path = "/v1/deliveries/{id}/retry", operation_id = "retryDelivery", tag = "deliveries",
    security(("token" = ["deliveries:retry"])), params(("id" = api::DeliveryId, Path)),
    responses((status = 202, body = api::Delivery), api::ConflictResponse, api::ErrorResponses))]
pub async fn retry(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<DeliveryId>,
    body: JsonBody,
) -> ApiResult<(StatusCode, Json<api::Delivery>)> {
    body.empty()?;
    let now = clock::now();
    let was = app.table.delivery(id).await?;
    let seen = pending_or(&app, id, was.as_ref()).await?;
    if seen.status == Status::Pending && !retry::is_overdue(seen.updated_at, now) {
        return Err(Problem::conflict(
            "The delivery waits for its first attempt. Deliveries that have been pending for more than an hour can be retried.",
        ));
    }
    if app
        .table
        .cancellations([id.webhook])
        .await?
        .of(id.webhook)
        .includes(now)
    {
        return Err(Problem::conflict("The webhook was deleted or is disabled."));
    }
    let Some(dispatched) = app.table.event(id.event).await? else {
        return Err(Problem::conflict("The event has expired."));
    };
    let before = was.clone().unwrap_or_else(|| {
        let first = DeliveryTask::first(id, String::new(), dispatched.dispatched_at, None);
        Delivery::new(&first, &dispatched.event.kind, now)
    });
    match retry::requeue(
        &app.table,
        &app.deliveries,
        before,
        was.as_ref(),
        caller.hops,
        now,
    )
    .await?
    {
        Some(row) => Ok((
            StatusCode::ACCEPTED,
            Json((&Seen::of(&row, CancelledUntil::Never)).into()),
        )),
        None => Err(Problem::conflict("An attempt is in progress. Try again.")),
    }
}

/// Filters of a delivery list.
struct Filter {
    webhook: Option<WebhookId>,
    event: Option<EventId>,
    status: Option<Status>,
    range: TimeRange,
}

impl Filter {
    /// Whether the list has to scan events by day.
    fn scans_events(&self) -> bool {
        let is_indexed = matches!(
            self.status,
            Some(Status::Failed | Status::Blocked | Status::Retrying)
        );
        self.event.is_none() && !(self.webhook.is_none() && is_indexed)
    }

    fn wants(&self, seen: &Seen) -> bool {
        self.webhook
            .is_none_or(|webhook| seen.id.webhook == webhook)
            && self.event.is_none_or(|event| seen.id.event == event)
            && self.status.is_none_or(|status| seen.status == status)
            && self.range.contains(seen.id.event.made_at())
    }
}

/// Returns the deliveries of an event as list items.
pub(super) async fn of_event(app: &App, event: &Dispatched) -> ApiResult<Vec<api::Delivery>> {
    let all: Vec<_> = event
        .matches
        .iter()
        .map(|webhook| (event, *webhook))
        .collect();
    Ok(search::seen(app, &all)
        .await?
        .iter()
        .map(api::Delivery::from)
        .collect())
}

async fn pending_or(app: &App, id: DeliveryId, row: Option<&Delivery>) -> ApiResult<Seen> {
    match row {
        Some(row) => Ok(Seen::of(
            row,
            app.table.cancellations([id.webhook]).await?.of(id.webhook),
        )),
        None => pending(app, id).await,
    }
}

/// Returns a delivery without a row. It exists if its event matched the webhook.
async fn pending(app: &App, id: DeliveryId) -> ApiResult<Seen> {
    let dispatched = app
        .table
        .event(id.event)
        .await?
        .filter(|event| event.matches.contains(&id.webhook));
    let dispatched = dispatched.ok_or_else(|| Problem::not_found("delivery"))?;
    let cancelled = app.table.cancellations([id.webhook]).await?.of(id.webhook);
    let mut seen = [Seen::without_row(&dispatched, id, cancelled)];
    superseded::cancel(app, &mut seen, [&dispatched]).await?;
    let [seen] = seen;
    Ok(seen)
}
