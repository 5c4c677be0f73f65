//! The representation of a delivery in lists and reads.

use domain::{
    delivery::{Cancellation, CancelledUntil, Delivery, Status},
    id::DeliveryId,
    time,
};
use jiff::Timestamp;
use platform::table::events::Dispatched;

use crate::api;

/// A delivery as clients see it.
pub(super) struct Seen {
    pub(super) id: DeliveryId,
    event_type: String,
    pub(super) status: Status,
    cancelled: Option<Cancellation>,
    attempts: u32,
    last_error: Option<String>,
    next_attempt_at: Option<Timestamp>,
    pub(super) updated_at: Timestamp,
}

impl Seen {
    pub(super) fn of(row: &Delivery, stopped: CancelledUntil) -> Self {
        let (status, cancelled) = row.status_seen(stopped);
        let awaited = row
            .progress
            .awaited
            .as_ref()
            .filter(|_| status == Status::Retrying);
        Self {
            id: row.id,
            event_type: row.event_type.to_string(),
            status,
            cancelled,
            attempts: row.progress.last.as_ref().map_or(0, |last| last.number),
            last_error: row.last_error.clone(),
            next_attempt_at: awaited.map(|awaited| awaited.due_at),
            updated_at: row.updated_at,
        }
    }

    /// Shows the delivery as cancelled.
    pub(super) fn cancel(&mut self, reason: Cancellation) {
        (self.status, self.cancelled) = (Status::Cancelled, Some(reason));
        self.next_attempt_at = None;
    }

    /// Returns a delivery that has no row yet.
    pub(super) fn without_row(
        dispatched: &Dispatched,
        id: DeliveryId,
        stopped: CancelledUntil,
    ) -> Self {
        let cancelled = stopped.cancels(dispatched.dispatched_at);
        Self {
            id,
            event_type: dispatched.event.kind.to_string(),
            status: cancelled.map_or(Status::Pending, |_| Status::Cancelled),
            cancelled,
            attempts: 0,
            last_error: None,
            next_attempt_at: cancelled.is_none().then(|| dispatched.due_at(id.webhook)),
            updated_at: dispatched.dispatched_at,
        }
    }
}

impl From<&Seen> for api::Delivery {
    fn from(seen: &Seen) -> Self {
        Self {
            id: seen.id.to_string(),
            webhook_id: seen.id.webhook.to_string(),
            event_id: seen.id.event.to_string(),
            event_type: seen.event_type.clone(),
            status: seen.status.into(),
            reason: seen.cancelled.map(|reason| reason.to_string()),
            attempt_count: seen.attempts,
            last_error: seen.last_error.clone(),
            next_attempt_at: seen.next_attempt_at.map(time::show_millis),
            updated_at: time::show_millis(seen.updated_at),
        }
    }
}
