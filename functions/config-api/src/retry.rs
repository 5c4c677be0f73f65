//! Asking for another try of a delivery, so that no crash leaves one that waits for a message
//! nobody sent.

use domain::delivery::{Delivery, HEAD_START, Message};
use jiff::{SignedDuration, Timestamp};
use platform::{
    queue::{Queue, QueueError},
    random,
    table::{Table, TableError, Written},
};

/// Why it was not asked for.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Whether a delivery that is pending since `queued_at` has waited so long that its first message
/// may be lost.
pub fn is_overdue(queued_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(queued_at) > SignedDuration::from_hours(1)
}

/// Asks for another try of `before`, whose row is `was`, with at least these `hops`. None:
/// something happened to it meanwhile, or its event has expired.
///
/// # Errors
/// When the table or the queue fails; asking again is safe.
pub async fn again(
    table: &Table,
    deliveries: &Queue,
    before: Delivery,
    was: Option<&Delivery>,
    hops: u8,
    now: Timestamp,
) -> Result<Option<Delivery>, RetryError> {
    if table.keep_event(before.id.event, now).await? == Written::Refused {
        return Ok(None);
    }
    let (row, message) = before.retried(hops, now, random::token());
    let replaces = message.replaces.is_some();
    if replaces {
        send(deliveries, &message, HEAD_START).await?;
    }
    if table.replace_delivery(&row, was).await? == Written::Refused {
        return Ok(None);
    }
    if !replaces {
        send(deliveries, &message, 0).await?;
    }
    Ok(Some(row))
}

async fn send(queue: &Queue, message: &Message, delay_seconds: u32) -> Result<(), RetryError> {
    let group = Some(message.delivery.webhook.to_string());
    Ok(queue.send_json(message, delay_seconds, group).await?)
}
