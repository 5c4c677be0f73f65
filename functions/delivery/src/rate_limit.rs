//! Decides whether an attempt may start now or is postponed, because its webhook has a rate limit,
//! or because the endpoint hangs and would delay the rest of the batch. Postponed messages return
//! through `retries`.

use domain::{
    delivery::DeliveryTask,
    webhook::{Line, Webhook},
};
use futures::future::join_all;
use jiff::Timestamp;
use platform::{
    clock,
    table::{rate_limit::Slot, webhooks},
};

use super::{App, DeliverError, queue_task, tasks::Received};

/// Waits for a slot within the webhook's rate limit. Returns true once the attempt may start.
/// Returns false if the slot is far off and the message was re-queued.
pub(super) async fn acquire(
    app: &App,
    webhook: &Webhook,
    task: &DeliveryTask,
) -> Result<bool, DeliverError> {
    let hangs = webhook
        .state
        .health
        .as_ref()
        .is_some_and(|health| health.hangs);
    if hangs && task.is_fresh() {
        let task = task.clone().postponed(clock::now());
        queue_task(&app.retries, &task, 0).await?;
        return Ok(false);
    }
    let Some(limit) = webhook.settings.rate_limit_per_second else {
        return Ok(true);
    };
    let line = webhook.state.line;
    match app
        .table
        .acquire_slot(webhook.id, limit, line, task.line, clock::now())
        .await?
    {
        Slot::Granted(at) => {
            clock::sleep_until(at).await;
            Ok(true)
        }
        Slot::RetryAt(place, line) => {
            postpone(app, task, place, line, limit).await?;
            Ok(false)
        }
    }
}

/// Re-queues the messages whose place in their webhook's line is still ahead. Reads only the
/// webhooks, because many messages check their line often. Returns the other messages, and the IDs
/// of those that failed.
pub(super) async fn requeue_waiting(
    app: &App,
    received: Vec<Received<DeliveryTask>>,
) -> (Vec<Received<DeliveryTask>>, Vec<String>) {
    let now = clock::now();
    let (waiting, mut due): (Vec<_>, Vec<_>) = received
        .into_iter()
        .partition(|received| received.task.is_in_line(now));
    if waiting.is_empty() {
        return (due, Vec::new());
    }
    let ids: Vec<_> = waiting
        .iter()
        .map(|one| one.task.delivery.webhook)
        .collect();
    let webhooks = match app.table.webhook_rows(&ids).await {
        Ok(webhooks) => webhooks,
        Err(error) => {
            tracing::error!(%error, "failed to read webhooks");
            return (due, waiting.into_iter().map(|one| one.message_id).collect());
        }
    };
    let each = waiting.into_iter().map(async |one| {
        let webhook = webhooks.get(&one.task.delivery.webhook).cloned();
        match requeue_in_line(app, webhook, &one.task, now).await {
            Ok(true) => Err(None),
            Ok(false) => Ok(one),
            Err(error) => {
                error.log(&one.task.delivery, one.task.attempt.id.number);
                Err(Some(one.message_id))
            }
        }
    });
    let mut failed = Vec::new();
    for result in join_all(each).await {
        match result {
            Ok(received) => due.push(received),
            Err(message_id) => failed.extend(message_id),
        }
    }
    (due, failed)
}

/// Re-queues the message if its place is still valid. Returns false if its line has ended.
async fn requeue_in_line(
    app: &App,
    webhook: Option<webhooks::WebhookRow>,
    task: &DeliveryTask,
    now: Timestamp,
) -> Result<bool, DeliverError> {
    let Some(row) = webhook.filter(|row| !row.cancelled_until().includes(task.queued_at)) else {
        return Ok(false);
    };
    let webhook = row.open(&app.keys).await?;
    let (line, limit) = (webhook.state.line, webhook.settings.rate_limit_per_second);
    match task.place_in(line, now).zip(limit) {
        Some((place, limit)) => {
            postpone(app, task, place, line, limit).await?;
            Ok(true)
        }
        None => Ok(false),
    }
}

async fn postpone(
    app: &App,
    task: &DeliveryTask,
    place: Timestamp,
    line: Line,
    limit: u32,
) -> Result<(), DeliverError> {
    let (task, delay_seconds) = task.clone().in_line(place, line, limit, clock::now());
    queue_task(&app.retries, &task, delay_seconds).await
}
