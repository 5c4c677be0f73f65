//! Events about the end of a delivery. Their IDs derive from their cause, so that a repeat has the
//! same ID.

use super::{Delivery, Status};
use crate::{
    attempt::Attempt,
    event::{Event, derived_id},
    pattern::EventType,
};

/// Whether the event is about a webhook's own failures. Deliveries of such events create no further
/// events.
pub fn is_about_webhooks(kind: &EventType) -> bool {
    kind.as_str().starts_with("webhook.")
}

/// The event for a delivery that ended without success; `None` if the delivery is neither
/// `failed` nor `blocked`, or if its own event is about webhooks.
pub fn delivery_failed(
    row: &Delivery,
    webhook_name: &str,
    last: Option<&Attempt>,
) -> Option<Event> {
    let number = row.progress.last.as_ref()?.number;
    let over = matches!(row.status, Status::Failed | Status::Blocked)
        && !is_about_webhooks(&row.event_type);
    over.then(|| Event {
        id: derived_id(
            &EventType::delivery_failed(),
            &format!("{}|{number}", row.id),
            row.updated_at,
        ),
        kind: EventType::delivery_failed(),
        timestamp: row.updated_at,
        data: serde_json::json!({
            "delivery_id": row.id,
            "webhook_id": row.id.webhook,
            "webhook_name": webhook_name,
            "event_id": row.id.event,
            "event_type": row.event_type,
            "status": row.status,
            "attempts": number,
            "status_code": last.and_then(|attempt| attempt.status_code),
            "error": last.and_then(|attempt| attempt.error.clone()),
        }),
        hops: row.hops,
    })
}
