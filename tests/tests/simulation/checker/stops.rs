//! Deleting and disabling stop every call that has not begun: a process that reads a stopped
//! webhook does not call it, and one that reads a re-enabled webhook does not call it for
//! deliveries queued before the stop.

use std::time::Duration;

use domain::id::WebhookId;
use tests::fake::State;
use tokio::time::Instant;

use super::{Broken, Past, calls::delivery, kept, plain};

/// Maximum age of a webhook's row when the webhook is called.
const CACHE_TTL: Duration = Duration::from_secs(1);

/// A time during which a webhook is disabled or deleted.
pub(super) struct Stop {
    /// Start.
    pub(super) at: Instant,
    /// End, if it was enabled again.
    pub(super) until: Option<Instant>,
    /// Whether Tieline disabled it, not an admin.
    pub(super) by_tieline: bool,
    /// Whether the webhook was deleted during this time.
    pub(super) deleted: bool,
}

pub(super) fn check(past: &Past<'_>) -> Result<(), Broken> {
    for call in &past.records.calls {
        let Some(id) = delivery(past, call) else {
            continue;
        };
        let reads = past.records.work[call.by]
            .reads
            .iter()
            .filter(|(webhook, at)| *webhook == id.webhook && *at <= call.began);
        let read_at = reads
            .map(|(_, at)| *at)
            .max()
            .expect("a webhook is read before it is called");
        let queued = past.events[&id.event].0;
        let retried = past.records.retried.get(&id).into_iter().flatten();
        let queued_last = retried
            .filter(|at| **at <= read_at)
            .copied()
            .chain([queued])
            .max()
            .expect("one");
        let covers = |stop: &&Stop| {
            let queued_before = queued_last + past.slack() < stop.at;
            let covered_at =
                |at: Instant| stop.until.is_none_or(|until| until > at) || queued_before;
            // A row older than that is read again right before the call.
            (stop.at < read_at && covered_at(read_at))
                || (stop.at + CACHE_TTL < call.began && covered_at(call.began))
        };
        let by = past.stops[&id.webhook].iter().find(covers);
        kept(
            by.is_none(),
            "no call begins after its webhook was stopped",
            || {
                format!(
                    "{} of {id} was called {:?} later",
                    call.name,
                    by.map(|stop| call.at - stop.at)
                )
            },
        )?;
    }
    Ok(())
}

/// The times during which a webhook was stopped.
pub(super) fn stops(state: &State, webhook: WebhookId) -> Vec<Stop> {
    let key = (format!("webhook#{webhook}"), "webhook".to_owned());
    let mut stops: Vec<Stop> = Vec::new();
    for made in state.table.writes().iter().filter(|made| made.key == key) {
        let row = made.item.as_ref().map(plain).unwrap_or_default();
        let deleted = made.item.is_none();
        let open = stops.last_mut().filter(|stop| stop.until.is_none());
        match (open, row["enabled"] == true) {
            (Some(stop), true) => stop.until = Some(made.at),
            (Some(stop), false) => stop.deleted |= deleted,
            (None, false) => {
                let by_tieline = row["disabled_reason"].is_string();
                stops.push(Stop {
                    at: made.at,
                    until: None,
                    by_tieline,
                    deleted,
                });
            }
            (None, true) => {}
        }
    }
    stops
}
