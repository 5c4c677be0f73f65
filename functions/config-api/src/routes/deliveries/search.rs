//! Finds the deliveries of a list.

use std::collections::BTreeSet;

use domain::{
    delivery::Status,
    id::{DeliveryId, EventId, WebhookId},
};
use platform::table::{
    events::Dispatched,
    pagination::{Page, PageRequest, TimeRange},
};

use super::{Filter, seen::Seen, superseded};
use crate::{App, http::ApiResult};

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
    let stopped = app.table.cancellations([webhook]).await?.of(webhook);
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
    superseded::cancel(app, &mut items, &events.items).await?;
    Ok(Page {
        items,
        next,
        response_bytes: rows.response_bytes,
    })
}

/// Reads a page with the cheapest query: one event's matches, the status index, one webhook's rows,
/// or a scan of events.
pub(super) async fn find(
    app: &App,
    filter: &Filter,
    page_request: &PageRequest,
) -> ApiResult<Page<Seen>> {
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
            // A stop cancels deliveries that have no row yet.
            status: None | Some(Status::Cancelled),
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
            let stopped = app.table.cancellations([webhook]).await?.of(webhook);
            Ok(page.map(|row| Seen::of(&row, stopped)))
        }
        Filter {
            webhook: None,
            status: Some(status @ (Status::Failed | Status::Blocked | Status::Retrying)),
            ..
        } => {
            let page = app.table.deliveries_with(status, page_request).await?;
            let ids: BTreeSet<WebhookId> = page.items.iter().map(|row| row.id.webhook).collect();
            let cancellations = app.table.cancellations(ids).await?;
            Ok(page.map(|row| Seen::of(&row, cancellations.of(row.id.webhook))))
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

/// Loads the deliveries of these matches.
pub(super) async fn seen(app: &App, matches: &[(&Dispatched, WebhookId)]) -> ApiResult<Vec<Seen>> {
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
    let cancellations = app.table.cancellations(webhooks).await?;
    let one = |(event, webhook): &(&Dispatched, WebhookId)| {
        let id = delivery(event, *webhook);
        rows.get(&id).map_or_else(
            || Seen::without_row(event, id, cancellations.of(*webhook)),
            |row| Seen::of(row, cancellations.of(*webhook)),
        )
    };
    let mut deliveries: Vec<Seen> = matches.iter().map(one).collect();
    let events = matches.iter().map(|(event, _)| *event);
    superseded::cancel(app, &mut deliveries, events).await?;
    Ok(deliveries)
}
