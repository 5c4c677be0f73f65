//! Deliveries that an event superseded, while they wait for their delay and have no row.

use std::collections::HashMap;

use domain::{
    delivery::{Cancellation, Status},
    id::{EventId, WebhookId},
    webhook::{Webhook, delay},
};
use futures::{StreamExt, TryStreamExt, stream};
use platform::table::events::Dispatched;

use super::seen::Seen;
use crate::{App, http::ApiResult};

/// Maximum number of concurrent queries.
const MAX_CONCURRENT_READS: usize = 16;

/// Cancels those of `deliveries` that an event superseded. Reads nothing unless some wait for their
/// delay.
pub(super) async fn cancel<'a>(
    app: &App,
    deliveries: &mut [Seen],
    events: impl IntoIterator<Item = &'a Dispatched>,
) -> ApiResult<()> {
    let events: HashMap<EventId, &Dispatched> = events
        .into_iter()
        .filter(|dispatched| !dispatched.delays.is_empty())
        .map(|dispatched| (dispatched.event.id, dispatched))
        .collect();
    let waiting = |seen: &&mut Seen| {
        let dispatched = events.get(&seen.id.event);
        let delay = dispatched.and_then(|dispatched| dispatched.delay_ends_at(seen.id.webhook));
        seen.status == Status::Pending && delay.is_some()
    };
    let waiting: Vec<&mut Seen> = deliveries.iter_mut().filter(waiting).collect();
    if waiting.is_empty() {
        return Ok(());
    }
    let ids: Vec<WebhookId> = waiting.iter().map(|seen| seen.id.webhook).collect();
    let mut webhooks = HashMap::new();
    for (id, row) in app.table.webhook_rows(&ids).await? {
        webhooks.insert(id, row.open(&app.keys).await?);
    }
    // Collected, because the compiler rejects a stream of closures that borrow.
    let mut reads = Vec::with_capacity(waiting.len());
    for seen in waiting {
        let found = webhooks
            .get(&seen.id.webhook)
            .zip(events.get(&seen.id.event));
        reads.extend(found.map(|(webhook, dispatched)| read(app, seen, webhook, dispatched)));
    }
    stream::iter(reads)
        .buffer_unordered(MAX_CONCURRENT_READS)
        .try_collect()
        .await
}

async fn read(
    app: &App,
    seen: &mut Seen,
    webhook: &Webhook,
    dispatched: &Dispatched,
) -> ApiResult<()> {
    if let Some(by) = superseded_by(app, webhook, dispatched).await? {
        seen.cancel(Cancellation::Superseded(by));
    }
    Ok(())
}

async fn superseded_by(
    app: &App,
    webhook: &Webhook,
    dispatched: &Dispatched,
) -> ApiResult<Option<EventId>> {
    let unless = webhook.settings.delay.unless.as_ref();
    let data = dispatched.event.parse().ok().map(|event| event.data);
    let fingerprint = unless
        .zip(data)
        .and_then(|(unless, data)| delay::fingerprint(&unless.key, &data));
    let ends_at = dispatched.delay_ends_at(webhook.id);
    let Some((fingerprint, ends_at)) = fingerprint.zip(ends_at) else {
        return Ok(None);
    };
    let event = dispatched.event.id;
    Ok(app
        .table
        .superseded_by(webhook.id, &fingerprint, event, ends_at)
        .await?)
}
