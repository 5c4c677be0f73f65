//! Re-queues deliveries. A crash at any point leaves no delivery that waits for a message that was
//! never sent.

use domain::{
    delivery::{Delivery, DeliveryTask, WRITE_AHEAD_DELAY_SECS},
    queue_message::QueueMessage,
};
use jiff::{SignedDuration, Timestamp};
use platform::{
    queue::{Queue, QueueError},
    random,
    table::{Table, TableError, Written},
};

/// Error of a retry request.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Whether a delivery has been pending for more than an hour, so that its first message may be
/// lost.
pub fn is_overdue(queued_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(queued_at) > SignedDuration::from_hours(1)
}

/// Re-queues the delivery `before` with at least `hops`. `was` is its stored row, if there is one.
/// Returns `None` if the row has changed in the meantime or the event has expired.
///
/// # Errors
/// Fails if the table or the queue fails. Repeating the request is safe.
pub async fn requeue(
    table: &Table,
    deliveries: &Queue,
    before: Delivery,
    was: Option<&Delivery>,
    hops: u8,
    now: Timestamp,
) -> Result<Option<Delivery>, RetryError> {
    if table.extend_event(before.id.event, now).await? == Written::ConditionFailed {
        return Ok(None);
    }
    let (row, task) = before.manual_retry(hops, now, random::token());
    let replaces = task.attempt.replaces.is_some();
    if replaces {
        send(deliveries, task.clone(), WRITE_AHEAD_DELAY_SECS).await?;
    }
    if table.replace_delivery(&row, was).await? == Written::ConditionFailed {
        return Ok(None);
    }
    if !replaces {
        send(deliveries, task, 0).await?;
    }
    Ok(Some(row))
}

async fn send(queue: &Queue, task: DeliveryTask, delay_seconds: u32) -> Result<(), RetryError> {
    let group = Some(task.delivery.webhook.to_string());
    Ok(queue
        .send_json(&QueueMessage::from(task), delay_seconds, group)
        .await?)
}
