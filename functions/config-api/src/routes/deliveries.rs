//! Deliveries: list, read with attempts, retry by hand.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
};
use domain::{
    delivery::{Attempt, Delivery, Message, Status, Stopped},
    id::{DeliveryId, EventId, WebhookId},
};
use http::StatusCode;
use jiff::Timestamp;
use platform::{
    clock,
    table::{
        events::Dispatched,
        walk::{Page, Slice, Span},
    },
};
use serde_json::{Value, json};

use crate::{
    App,
    http::{
        Answer, Document, Problem,
        query::{self, Query},
    },
    openapi::schema,
    retry,
};

const ROUTE: &str = "deliveries";

/// Lists deliveries, newest event first. A filtered page may be short.
#[utoipa::path(get, path = "/v1/deliveries", tag = "deliveries", security(("token" = ["deliveries:read"])),
    params(
        ("webhook_id" = Option<String>, Query, description = "Only to this webhook"),
        ("event_id" = Option<String>, Query, description = "Only of this event"),
        ("status" = Option<Status>, Query, description = "Only with this status"),
        ("since" = Option<String>, Query, description = "Event accepted at this RFC 3339 time or later"),
        ("until" = Option<String>, Query, description = "Event accepted at this RFC 3339 time or earlier"),
        schema::Paging,
    ),
    responses((status = 200, body = schema::List<schema::Delivery>), schema::Refused))]
pub async fn list(State(app): State<Arc<App>>, mut query: Query) -> Answer<Json<Value>> {
    let filter = Filter {
        webhook: query.filter("webhook_id", |text| Ok(text.parse()?)),
        event: query.filter("event_id", |text| Ok(text.parse()?)),
        status: query.filter("status", query::choice(&Status::ALL)),
        span: span(&app, &mut query),
    };
    let paging = query.paging()?;
    let slice = paging.slice(&app, ROUTE).await?;
    let (app, filter) = (&*app, &filter);
    let read = |slice: Slice| async move { find(app, filter, &slice).await };
    let Page { items, next } = query::filled(slice, read, |seen| filter.wants(seen)).await?;
    query::page(app, ROUTE, items.iter().map(Seen::view).collect(), next).await.map(Json)
}

/// Reads a delivery with its attempts.
#[utoipa::path(get, path = "/v1/deliveries/{id}", tag = "deliveries", security(("token" = ["deliveries:read"])),
    params(("id" = String, Path)),
    responses((status = 200, body = schema::DeliveryWithAttempts), schema::Refused))]
pub async fn get(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer<Json<Value>> {
    let id: DeliveryId = id.parse().map_err(|_| Problem::not_found("delivery"))?;
    let (seen, attempts) = match app.table.delivery_with_attempts(id).await? {
        Some((row, attempts)) => {
            let stops = app.table.stops(&[id.webhook]).await?;
            (Seen::of(&row, stops(id.webhook)), attempts)
        }
        None => (pending(&app, id).await?, Vec::new()),
    };
    Ok(Json(with_attempts(&seen, &attempts)))
}

/// Tries a delivery again, whatever became of it: it goes on with the next attempt number, the same `webhook-id` and a
/// fresh schedule.
#[utoipa::path(post, path = "/v1/deliveries/{id}/retry", tag = "deliveries",
    security(("token" = ["deliveries:retry"])), params(("id" = String, Path)),
    responses((status = 202, body = schema::Delivery), schema::Refused))]
pub async fn retry(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Document,
) -> Answer<(StatusCode, Json<Value>)> {
    body.nothing()?;
    let id: DeliveryId = id.parse().map_err(|_| Problem::not_found("delivery"))?;
    let now = clock::now();
    let was = app.table.delivery(id).await?;
    let seen = pending_or(&app, id, was.as_ref()).await?;
    if seen.status == Status::Pending {
        return Err(Problem::conflict("The delivery's first attempt has not been made yet"));
    }
    if app.table.stops(&[id.webhook]).await?(id.webhook).covers(now) {
        return Err(Problem::conflict("The webhook is deleted or disabled"));
    }
    let Some(dispatched) = app.table.event(id.event).await? else {
        return Err(Problem::conflict("The event has expired"));
    };
    let before = was.clone().unwrap_or_else(|| {
        let first = Message::first(id, String::new(), dispatched.dispatched_at, None);
        Delivery::cancelled(None, &first, &dispatched.event.kind, now)
    });
    match retry::again(&app.table, &app.deliveries, before, was.as_ref(), now).await? {
        Some(row) => Ok((StatusCode::ACCEPTED, Json(Seen::of(&row, Stopped::Never).view()))),
        None => Err(Problem::conflict("The delivery is being tried just now: try again")),
    }
}

/// Which deliveries are wanted.
struct Filter {
    webhook: Option<WebhookId>,
    event: Option<EventId>,
    status: Option<Status>,
    span: Span,
}

impl Filter {
    fn wants(&self, seen: &Seen) -> bool {
        self.webhook.is_none_or(|webhook| seen.id.webhook == webhook)
            && self.event.is_none_or(|event| seen.id.event == event)
            && self.status.is_none_or(|status| seen.status == status)
    }
}

/// The shortest way to a page: one event's matches, the index of a status, one webhook's rows, or else a walk over events.
async fn find(app: &App, filter: &Filter, slice: &Slice) -> Answer<Page<Seen>> {
    match *filter {
        Filter { event: Some(event), .. } => {
            let dispatched = app.table.event(event).await?;
            Ok(cut(seen(app, dispatched.as_slice()).await?, slice))
        }
        Filter { webhook: Some(webhook), status, span, .. } if status != Some(Status::Pending) => {
            let Page { items, next } = app.table.deliveries_of(webhook, span, slice).await?;
            let stopped = app.table.stops(&[webhook]).await?(webhook);
            Ok(Page { items: items.iter().map(|row| Seen::of(row, stopped)).collect(), next })
        }
        Filter {
            webhook: None, status: Some(status @ (Status::Failed | Status::Blocked | Status::Retrying)), ..
        } => {
            let Page { items, next } = app.table.deliveries_with(status, slice).await?;
            let ids: BTreeSet<WebhookId> = items.iter().map(|row| row.id.webhook).collect();
            let stops = app.table.stops(&ids.into_iter().collect::<Vec<_>>()).await?;
            let within = |row: &&Delivery| {
                let at = row.id.event.made_at();
                filter.span.since <= at && at <= filter.span.until
            };
            let items = items.iter().filter(within).map(|row| Seen::of(row, stops(row.id.webhook))).collect();
            Ok(Page { items, next })
        }
        Filter { span, .. } => walk(app, span, slice).await,
    }
}

/// Deliveries by their events. The cursor is an event, and how many of its deliveries were shown.
async fn walk(app: &App, span: Span, slice: &Slice) -> Answer<Page<Seen>> {
    let (after, shown) = match slice.after.as_deref().and_then(|after| after.split_once('#')) {
        Some((event, shown)) => (Some(event.to_owned()), shown.parse().unwrap_or(0)),
        None => (slice.after.clone(), 0),
    };
    let mut items = Vec::new();
    // The event that the last page stopped at comes first: its other deliveries are still to be shown.
    if let Some(event) = after.as_deref().filter(|_| shown > 0) {
        let event: Option<EventId> = format!("evt_{event}").parse().ok();
        let dispatched = match event {
            Some(event) => app.table.event(event).await?,
            None => None,
        };
        items.extend(seen(app, dispatched.as_slice()).await?.into_iter().skip(shown));
    }
    let events = app.table.events(span, &Slice { after, limit: slice.limit }).await?;
    items.extend(seen(app, &events.items).await?);
    if items.len() <= slice.limit {
        return Ok(Page { items, next: events.next });
    }
    items.truncate(slice.limit);
    let next = items.last().map(|last| {
        let before = items.iter().filter(|seen| seen.id.event == last.id.event).count();
        let skipped = slice.after.as_deref().filter(|after| after.starts_with(&last.id.event.ulid().to_string()));
        format!("{}#{}", last.id.event.ulid(), before + skipped.map_or(0, |_| shown))
    });
    Ok(Page { items, next })
}

fn cut(items: Vec<Seen>, slice: &Slice) -> Page<Seen> {
    let shown: usize = slice.after.as_deref().and_then(|after| after.parse().ok()).unwrap_or(0);
    let total = items.len();
    let items: Vec<Seen> = items.into_iter().skip(shown).take(slice.limit).collect();
    let shown = shown + items.len();
    Page { items, next: (shown < total).then(|| shown.to_string()) }
}

/// The deliveries of these events, as a list shows them.
pub(super) async fn of_events(app: &App, events: &[Dispatched]) -> Answer<Vec<Value>> {
    Ok(seen(app, events).await?.into_iter().map(|seen| seen.view()).collect())
}

async fn seen(app: &App, events: &[Dispatched]) -> Answer<Vec<Seen>> {
    let ids = |event: &Dispatched| {
        let of = event.event.id;
        event.matches.clone().into_iter().map(move |webhook| DeliveryId { event: of, webhook })
    };
    let all: Vec<DeliveryId> = events.iter().flat_map(ids).collect();
    let webhooks: BTreeSet<WebhookId> = all.iter().map(|id| id.webhook).collect();
    let rows = app.table.deliveries(&all).await?;
    let stops = app.table.stops(&webhooks.into_iter().collect::<Vec<_>>()).await?;
    let one = |event: &Dispatched, id: DeliveryId| match rows.get(&id) {
        Some(row) => Seen::of(row, stops(id.webhook)),
        None => Seen::unmade(event, id, stops(id.webhook)),
    };
    Ok(events
        .iter()
        .flat_map(|event| ids(event).map(move |id| (event, id)))
        .map(|(event, id)| one(event, id))
        .collect())
}

/// A delivery as readers see it.
struct Seen {
    id: DeliveryId,
    event_type: String,
    status: Status,
    attempts: u32,
    next_attempt_at: Option<Timestamp>,
    updated_at: Timestamp,
}

impl Seen {
    fn of(row: &Delivery, stopped: Stopped) -> Self {
        let status = row.status_seen(stopped);
        let awaited = row.awaited.as_ref().filter(|_| status == Status::Retrying);
        Self {
            id: row.id,
            event_type: row.event_type.to_string(),
            status,
            attempts: row.last.as_ref().map_or(0, |last| last.number),
            next_attempt_at: awaited.map(|awaited| awaited.due_at),
            updated_at: row.updated_at,
        }
    }

    /// One that has no row yet.
    fn unmade(dispatched: &Dispatched, id: DeliveryId, stopped: Stopped) -> Self {
        let cancelled = stopped.covers(dispatched.dispatched_at);
        Self {
            id,
            event_type: dispatched.event.kind.to_string(),
            status: if cancelled { Status::Cancelled } else { Status::Pending },
            attempts: 0,
            next_attempt_at: (!cancelled).then_some(dispatched.dispatched_at),
            updated_at: dispatched.dispatched_at,
        }
    }

    fn view(&self) -> Value {
        json!({
            "id": self.id,
            "webhook_id": self.id.webhook,
            "event_id": self.id.event,
            "event_type": self.event_type,
            "status": self.status,
            "attempt_count": self.attempts,
            "next_attempt_at": self.next_attempt_at,
            "updated_at": self.updated_at,
        })
    }
}

fn with_attempts(seen: &Seen, attempts: &[Attempt]) -> Value {
    let mut view = seen.view();
    view["attempts"] = json!(attempts);
    view
}

async fn pending_or(app: &App, id: DeliveryId, row: Option<&Delivery>) -> Answer<Seen> {
    match row {
        Some(row) => Ok(Seen::of(row, app.table.stops(&[id.webhook]).await?(id.webhook))),
        None => pending(app, id).await,
    }
}

/// A delivery without a row exists when its event names its webhook.
async fn pending(app: &App, id: DeliveryId) -> Answer<Seen> {
    let dispatched = app.table.event(id.event).await?.filter(|event| event.matches.contains(&id.webhook));
    let dispatched = dispatched.ok_or_else(|| Problem::not_found("delivery"))?;
    Ok(Seen::unmade(&dispatched, id, app.table.stops(&[id.webhook]).await?(id.webhook)))
}

/// The span that `since` and `until` ask for; by default all that is kept.
pub(super) fn span(app: &App, query: &mut Query) -> Span {
    let now = clock::now();
    let oldest = now.checked_sub(app.table.retention()).unwrap_or(Timestamp::UNIX_EPOCH);
    Span {
        since: query.filter("since", query::time).unwrap_or(oldest).max(oldest),
        until: query.filter("until", query::time).unwrap_or(Timestamp::MAX).min(now),
    }
}
