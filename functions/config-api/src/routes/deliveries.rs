//! Deliveries: list, read with attempts, retry manually.

mod seen;

use std::{collections::BTreeSet, sync::Arc};

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

use self::seen::Seen;
use crate::{
    App, api,
    http::{
        ApiResult, JsonBody, PathId, Problem, Tagged,
        auth::Principal,
        query::{self, Query},
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
            let stops = app.table.stops(&[id.webhook]).await?;
            (Seen::of(&row, stops(id.webhook)), attempts)
        }
        None => (pending(&app, id).await?, Vec::new()),
    };
    let delivery = api::DeliveryWithAttempts::new((&seen).into(), attempts);
    Ok(Tagged::hashed(delivery))
}

/// Retries a delivery.
///
/// Retries any delivery except one that has been pending for less than an hour. It continues with
/// the next attempt number, the same `webhook-id` and a new retry schedule.
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
            "The delivery's first attempt is in progress. Deliveries that have been pending for more than an hour can be retried.",
        ));
    }
    if app.table.stops(&[id.webhook]).await?(id.webhook).includes(now) {
        return Err(Problem::conflict("The webhook was deleted or is disabled."));
    }
    let Some(dispatched) = app.table.event(id.event).await? else {
        return Err(Problem::conflict("The event has expired."));
    };
    let before = was.clone().unwrap_or_else(|| {
        let first = DeliveryTask::first(id, String::new(), dispatched.dispatched_at, None);
        Delivery::cancelled(None, &first, &dispatched.event.kind, now)
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
            && self.range.holds(seen.id.event.made_at())
    }
}

/// Maximum events read for one page of a webhook's pending deliveries.
const MAX_EVENTS: usize = 1_000;

/// Returns a page of a webhook's deliveries: its rows, merged with matching events that have no row
/// yet.
async fn of_webhook(
    app: &App,
    webhook: WebhookId,
    range: TimeRange,
    page_request: &PageRequest,
) -> ApiResult<Page<Seen>> {
    let key = |id: EventId| id.ulid().to_string();
    let stopped = app.table.stops(&[webhook]).await?(webhook);
    let rows = app
        .table
        .deliveries_of(webhook, range, page_request)
        .await?;
    let since = match rows.items.last().filter(|_| rows.next.is_some()) {
        Some(oldest) => oldest.id.event.made_at(),
        None => range.since,
    };
    let events_page = PageRequest {
        limit: MAX_EVENTS,
        ..page_request.clone()
    };
    let events = app
        .table
        .events(TimeRange { since, ..range }, &events_page)
        .await?;
    // Both lists are complete down to this key.
    let edge = rows.next.max(events.next);
    let known: BTreeSet<EventId> = rows.items.iter().map(|row| row.id.event).collect();
    let without_row = events.items.iter().filter(|dispatched| {
        dispatched.matches.contains(&webhook) && !known.contains(&dispatched.event.id)
    });
    let without_row = without_row.map(|dispatched| {
        Seen::without_row(
            dispatched,
            DeliveryId {
                event: dispatched.event.id,
                webhook,
            },
            stopped,
        )
    });
    let mut items: Vec<Seen> = rows
        .items
        .iter()
        .map(|row| Seen::of(row, stopped))
        .chain(without_row)
        .collect();
    items.retain(|seen| edge.as_ref().is_none_or(|edge| key(seen.id.event) >= *edge));
    items.sort_by_key(|seen| std::cmp::Reverse(seen.id.event.ulid()));
    let more = items.len() > page_request.limit;
    items.truncate(page_request.limit);
    let next = if more {
        items.last().map(|seen| key(seen.id.event))
    } else {
        edge
    };
    Ok(Page {
        items,
        next,
        response_bytes: rows.response_bytes,
    })
}

/// Reads a page with the cheapest query: one event's matches, the status index, one webhook's rows,
/// or a scan of events.
async fn find(app: &App, filter: &Filter, page_request: &PageRequest) -> ApiResult<Page<Seen>> {
    match *filter {
        Filter {
            event: Some(event), ..
        } => {
            let events = Page {
                items: Vec::from_iter(app.table.event(event).await?),
                next: None,
                response_bytes: 0,
            };
            matches(app, filter, events, page_request).await
        }
        Filter {
            webhook: Some(webhook),
            status: None,
            range,
            ..
        } => of_webhook(app, webhook, range, page_request).await,
        Filter {
            webhook: Some(webhook),
            status,
            range,
            ..
        } if status != Some(Status::Pending) => {
            let page = app
                .table
                .deliveries_of(webhook, range, page_request)
                .await?;
            let stopped = app.table.stops(&[webhook]).await?(webhook);
            Ok(page.map(|row| Seen::of(&row, stopped)))
        }
        Filter {
            webhook: None,
            status: Some(status @ (Status::Failed | Status::Blocked | Status::Retrying)),
            ..
        } => {
            let page = app.table.deliveries_with(status, page_request).await?;
            let ids: BTreeSet<WebhookId> = page.items.iter().map(|row| row.id.webhook).collect();
            let stops = app
                .table
                .stops(&ids.into_iter().collect::<Vec<_>>())
                .await?;
            Ok(page.map(|row| Seen::of(&row, stops(row.id.webhook))))
        }
        Filter { .. } => scan_events(app, filter, page_request).await,
    }
}

/// Lists deliveries by scanning events.
async fn scan_events(
    app: &App,
    filter: &Filter,
    page_request: &PageRequest,
) -> ApiResult<Page<Seen>> {
    let stopped_at = Stop::of(page_request);
    // The previous page may have ended within an event's matches: read that event again.
    let resumed = match stopped_at {
        Some(Stop { event, shown }) if shown > 0 => app.table.event(event).await?,
        _ => None,
    };
    let after = stopped_at.map(|stop| stop.event.ulid().to_string());
    let mut events = app
        .table
        .events(
            filter.range,
            &PageRequest {
                after,
                ..page_request.clone()
            },
        )
        .await?;
    events.items.splice(..0, resumed);
    matches(app, filter, events, page_request).await
}

/// The end of a page of matches: the event and the number of its matches already returned.
#[derive(Clone, Copy)]
struct Stop {
    event: EventId,
    shown: usize,
}

impl Stop {
    fn of(page_request: &PageRequest) -> Option<Self> {
        let after = page_request.after.as_deref()?;
        let (event, shown) = after.split_once('#').unwrap_or((after, "0"));
        Some(Self {
            event: EventId::from_ulid(event.parse().ok()?),
            shown: shown.parse().ok()?,
        })
    }
}

/// Returns the matches of these events, from the end of the previous page until the page is full.
async fn matches(
    app: &App,
    filter: &Filter,
    events: Page<Dispatched>,
    page_request: &PageRequest,
) -> ApiResult<Page<Seen>> {
    let stop = Stop::of(page_request);
    let all = events
        .items
        .iter()
        .flat_map(|event| (0..event.matches.len()).map(move |at| (event, at)));
    let wanted = |(event, at): &(&Dispatched, usize)| {
        stop.is_none_or(|stop| stop.event != event.event.id || stop.shown <= *at)
            && filter
                .webhook
                .is_none_or(|webhook| webhook == event.matches[*at])
    };
    let mut some: Vec<(&Dispatched, usize)> =
        all.filter(wanted).take(page_request.limit + 1).collect();
    let more = some.len() > page_request.limit;
    some.truncate(page_request.limit);
    let next = some
        .last()
        .filter(|_| more)
        .map(|(event, at)| format!("{}#{}", event.event.id.ulid(), at + 1));
    let some: Vec<_> = some
        .into_iter()
        .map(|(event, at)| (event, event.matches[at]))
        .collect();
    Ok(Page {
        items: seen(app, &some).await?,
        next: next.or(events.next),
        response_bytes: events.response_bytes,
    })
}

/// Returns the deliveries of an event as list items.
pub(super) async fn of_event(app: &App, event: &Dispatched) -> ApiResult<Vec<api::Delivery>> {
    let all: Vec<_> = event
        .matches
        .iter()
        .map(|webhook| (event, *webhook))
        .collect();
    Ok(seen(app, &all)
        .await?
        .iter()
        .map(api::Delivery::from)
        .collect())
}

/// Loads the deliveries of these matches.
async fn seen(app: &App, matches: &[(&Dispatched, WebhookId)]) -> ApiResult<Vec<Seen>> {
    let delivery = |event: &Dispatched, webhook| DeliveryId {
        event: event.event.id,
        webhook,
    };
    let ids: Vec<DeliveryId> = matches
        .iter()
        .map(|(event, webhook)| delivery(event, *webhook))
        .collect();
    let webhooks: BTreeSet<WebhookId> = ids.iter().map(|id| id.webhook).collect();
    let rows = app.table.deliveries(&ids).await?;
    let stops = app
        .table
        .stops(&webhooks.into_iter().collect::<Vec<_>>())
        .await?;
    let one = |(event, webhook): &(&Dispatched, WebhookId)| {
        let id = delivery(event, *webhook);
        rows.get(&id).map_or_else(
            || Seen::without_row(event, id, stops(*webhook)),
            |row| Seen::of(row, stops(*webhook)),
        )
    };
    Ok(matches.iter().map(one).collect())
}

async fn pending_or(app: &App, id: DeliveryId, row: Option<&Delivery>) -> ApiResult<Seen> {
    match row {
        Some(row) => Ok(Seen::of(
            row,
            app.table.stops(&[id.webhook]).await?(id.webhook),
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
    Ok(Seen::without_row(
        &dispatched,
        id,
        app.table.stops(&[id.webhook]).await?(id.webhook),
    ))
}

/// Reads the time range from `since` and `until`. Default: the retention period.
pub(super) fn time_range(app: &App, query: &mut Query) -> TimeRange {
    time_range_from(app, query, retention_start(app))
}

fn time_range_from(app: &App, query: &mut Query, since: Timestamp) -> TimeRange {
    TimeRange {
        since: query
            .filter("since", query::time)
            .map_or(since, |since| since.max(earliest_time(app))),
        until: query
            .filter("until", query::time)
            .unwrap_or(Timestamp::MAX)
            .min(clock::now()),
    }
}

/// The start of the retention period. Older items have expired unless a late retry extended them.
fn retention_start(app: &App) -> Timestamp {
    clock::now()
        .checked_sub(app.table.retention())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The earliest time that scans accept. A retry extends its event and delivery by another retention
/// period.
pub(super) fn earliest_time(app: &App) -> Timestamp {
    clock::now()
        .checked_sub(app.table.retention() * 2)
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
