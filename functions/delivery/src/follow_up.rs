//! Follow-up of a recorded attempt: the next queue message, or the event about an end without
//! success, and disabling a webhook that is gone or has failed for too long. All of it is derived
//! from the row, so that it can be repeated after a crash.

use domain::{
    attempt::{Arrival, Attempt},
    delivery::{Delivery, DeliveryTask, WRITE_AHEAD_DELAY_SECS, arrive, delivery_failed},
    webhook::Webhook,
};
use platform::{clock, random, table::Written};

use super::{App, DeliverError, health::disable, publish, queue_task, webhook_of};

/// Follow-up of an attempt that was just recorded.
pub(super) async fn first(
    app: &App,
    row: &Delivery,
    webhook: &Webhook,
    last: &Attempt,
) -> Result<(), DeliverError> {
    if let Some(reason) = row.stops {
        disable(app, row, reason).await?;
    }
    match row.awaited_task() {
        Some(task) => queue_task(&app.retries, &task, task.attempt.delay(clock::now())).await,
        None => emit_failure(app, row, Some(webhook), Some(last)).await,
    }
}

/// Follow-up of an attempt whose message was redelivered. Does nothing if the delivery has moved
/// on.
pub(super) async fn repeat(app: &App, task: &DeliveryTask) -> Result<(), DeliverError> {
    let Some((row, attempts)) = app.table.delivery_with_attempts(task.delivery).await? else {
        return Ok(());
    };
    if arrive(Some(&row), task) != Arrival::FollowUp {
        return Ok(());
    }
    if let Some(reason) = row.stops {
        disable(app, &row, reason).await?;
    }
    let Some((reissued, next)) = row.reissue_task(random::token()) else {
        let webhook = webhook_of(app, &row).await?;
        return emit_failure(app, &row, webhook.as_ref(), attempts.last()).await;
    };
    let delay_seconds = next.attempt.delay(clock::now()).max(WRITE_AHEAD_DELAY_SECS);
    queue_task(&app.retries, &next, delay_seconds).await?;
    // Condition failed: another invocation continued from here; the queued message is obsolete.
    let (Written::Yes | Written::ConditionFailed) =
        app.table.record(&reissued, Some(&row), None).await?;
    Ok(())
}

/// Publishes the event about an end without success, if there is one.
async fn emit_failure(
    app: &App,
    row: &Delivery,
    webhook: Option<&Webhook>,
    last: Option<&Attempt>,
) -> Result<(), DeliverError> {
    match delivery_failed(
        row,
        webhook.map_or("", |webhook| &webhook.settings.name),
        last,
    ) {
        Some(event) => publish(app, [event]).await,
        None => Ok(()),
    }
}
