//! Replays a webhook's deliveries or missed events in a time range, up to 500 per request.

mod input;

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    condition::Condition,
    delivery::{Cancellation, CancelledUntil, Delivery, DeliveryTask, Status},
    id::{DeliveryId, WebhookId},
    webhook::Webhook,
};
use futures::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use jiff::Timestamp;
use platform::{
    clock,
    encryption::AadContext,
    table::{
        events::Dispatched,
        pagination::{Page, PageRequest, TimeRange},
        webhooks,
    },
};
use secrecy::ExposeSecret;

use self::input::{Input, Position, Wanted};
use super::find;
use crate::{
    App, api,
    http::{
        ApiResult, JsonBody, PathId, Problem, auth::Principal, query::fill_page,
        time_range::earliest_time,
    },
    retry,
};

/// Maximum deliveries that one request re-queues.
const MAX_PER_REQUEST: usize = 500;
/// Number of deliveries queued concurrently.
const CONCURRENT: usize = 16;

/// Re-queues a webhook's deliveries with a status, or missed events, newest first.
///
/// Re-queues at most 500 per request; continue with `cursor`. Each behaves like a manual retry: it is
/// sent at once, without the webhook's delay. Deliveries that another event superseded are left out.
#[utoipa::path(post, path = "/v1/webhooks/{id}/replay", operation_id = "replayDeliveries", tag = "webhooks",
    security(("token" = ["webhooks:write"])),
    params(("id" = api::WebhookId, Path)), request_body = api::ReplayInput,
    responses((status = 202, body = api::Replayed), api::ConflictResponse, api::ErrorResponses))]
pub async fn replay(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<WebhookId>,
    body: JsonBody,
) -> ApiResult<(StatusCode, Json<api::Replayed>)> {
    let input = Input::parse(body.json_or_default()?)?;
    let now = clock::now();
    let webhook = find(&app, id).await?;
    if !webhook.settings.enabled {
        return Err(Problem::conflict("The webhook is disabled."));
    }
    let place = AadContext {
        resource: "cursor",
        id: &format!("replay of {}", webhook.id),
        field: "next",
    };
    let from = match &input.cursor {
        None => Position {
            wanted: input.wanted.unwrap_or(Wanted::Failed),
            since: None,
            until: now,
            after: None,
        },
        Some(cursor) => {
            let opened = app.keys.open(place, cursor).await.ok();
            let read = opened.and_then(|text| serde_json::from_str(text.expose_secret()).ok());
            read.ok_or_else(|| {
                Problem::bad_request("The cursor was not returned by a replay of this webhook.")
            })?
        }
    };
    let from = input.continue_from(from)?;
    let earliest = earliest_time(&app);
    let range = TimeRange {
        since: from.since.unwrap_or(earliest).max(earliest),
        until: from.until,
    };
    let page_request = PageRequest::new(from.after.clone(), MAX_PER_REQUEST);
    let (count, next) = match from.wanted.status() {
        Some(status) => {
            replay_status(
                &app,
                &webhook,
                status,
                range,
                page_request,
                caller.hops,
                now,
            )
            .await?
        }
        None => replay_missed(&app, &webhook, range, page_request, caller.hops, now).await?,
    };
    tracing::info!(webhook = %webhook.id, count, more = next.is_some(), "replayed");
    let next_cursor = match next {
        None => None,
        Some(after) => {
            let next = serde_json::to_string(&Position {
                after: Some(after),
                ..from
            })
            .map_err(Problem::internal)?;
            Some(app.keys.get().await?.seal(place, &next))
        }
    };
    Ok((
        StatusCode::ACCEPTED,
        Json(api::Replayed { count, next_cursor }),
    ))
}

/// Re-queues deliveries with this status.
async fn replay_status(
    app: &App,
    webhook: &Webhook,
    status: Status,
    range: TimeRange,
    page_request: PageRequest,
    hops: u8,
    now: Timestamp,
) -> ApiResult<(usize, Option<String>)> {
    let stopped = stopped(webhook);
    let read = |page_request: PageRequest| async move {
        Ok(app
            .table
            .deliveries_of(webhook.id, range, &page_request)
            .await?)
    };
    // What an event superseded is not sent again: the rule did what it should.
    let page = fill_page(page_request, read, |row: &Delivery| {
        let (seen, reason) = row.status_seen(stopped);
        seen == status && !matches!(reason, Some(Cancellation::Superseded(_)))
    })
    .await?;
    // Collected, because the compiler rejects a stream of closures that borrow.
    let again: Vec<_> = page
        .items
        .iter()
        .map(|row| {
            retry::requeue(
                &app.table,
                &app.deliveries,
                row.clone(),
                Some(row),
                hops,
                now,
            )
        })
        .collect();
    let queued: Vec<Option<Delivery>> = stream::iter(again)
        .buffer_unordered(CONCURRENT)
        .try_collect()
        .await?;
    // Deliveries that have changed in the meantime are skipped.
    Ok((queued.into_iter().flatten().count(), page.next))
}

/// Queues events that match the webhook now but were not dispatched to it, those that a stop
/// cancelled before their first attempt, and those whose first message seems to be lost.
async fn replay_missed(
    app: &App,
    webhook: &Webhook,
    range: TimeRange,
    page_request: PageRequest,
    hops: u8,
    now: Timestamp,
) -> ApiResult<(usize, Option<String>)> {
    let read = |page_request: PageRequest| async move {
        let Page {
            items,
            next,
            response_bytes,
        } = app.table.events(range, &page_request).await?;
        let unsent = items
            .iter()
            .filter(|dispatched| is_unsent(webhook, dispatched, now));
        let unsent: Vec<DeliveryId> = unsent
            .map(|dispatched| delivery(webhook, dispatched))
            .collect();
        let started = app.table.deliveries(&unsent).await?;
        let wanted = |dispatched: &Dispatched| {
            let id = delivery(webhook, dispatched);
            wants(webhook, dispatched) || (unsent.contains(&id) && !started.contains_key(&id))
        };
        Ok(Page {
            items: items.into_iter().filter(wanted).collect(),
            next,
            response_bytes,
        })
    };
    let Page { items, next, .. } = fill_page(page_request, read, |_| true).await?;
    let each: Vec<_> = items
        .iter()
        .map(|dispatched| deliver(app, webhook, dispatched, hops, now))
        .collect();
    let queued: Vec<bool> = stream::iter(each)
        .buffer_unordered(CONCURRENT)
        .try_collect()
        .await?;
    Ok((queued.into_iter().filter(|queued| *queued).count(), next))
}

fn wants(webhook: &Webhook, dispatched: &Dispatched) -> bool {
    let Dispatched { event, matches, .. } = dispatched;
    let settings = &webhook.settings;
    let meets = |conditions: &Condition| match event.parse() {
        Ok(event) => webhooks::wants(conditions, &event, webhook.id, Some(&settings.name)),
        Err(error) => {
            tracing::error!(event = %event.id, %error, "event could not be read");
            false
        }
    };
    !matches.contains(&webhook.id)
        && settings
            .events
            .iter()
            .any(|pattern| pattern.matches(&event.kind))
        && settings.conditions.as_ref().is_none_or(meets)
}

/// Whether the event matched the webhook, but its first attempt will not come: it is overdue, or the
/// webhook was stopped before it.
fn is_unsent(webhook: &Webhook, dispatched: &Dispatched, now: Timestamp) -> bool {
    dispatched.matches.contains(&webhook.id)
        && (retry::is_overdue(dispatched.due_at(webhook.id), now)
            || stopped(webhook).includes(dispatched.dispatched_at))
}

/// Which deliveries the webhook's last stop cancelled.
fn stopped(webhook: &Webhook) -> CancelledUntil {
    CancelledUntil::of(webhook.settings.enabled, webhook.state.stopped_at)
}

fn delivery(webhook: &Webhook, dispatched: &Dispatched) -> DeliveryId {
    DeliveryId {
        event: dispatched.event.id,
        webhook: webhook.id,
    }
}

/// Queues the event. Returns false if it was already queued.
async fn deliver(
    app: &App,
    webhook: &Webhook,
    dispatched: &Dispatched,
    hops: u8,
    now: Timestamp,
) -> ApiResult<bool> {
    let id = delivery(webhook, dispatched);
    let first = DeliveryTask::first(id, String::new(), now, None);
    let before = Delivery::new(&first, &dispatched.event.kind, now);
    let queued = retry::requeue(&app.table, &app.deliveries, before, None, hops, now)
        .await?
        .is_some();
    // Last, so that a repeated request gets here again until the match is stored.
    app.table.add_match(id).await?;
    Ok(queued)
}
