//! Decides whether an attempt may start now or is postponed, because its webhook has a rate limit,
//! or because the endpoint hangs and would delay the rest of the batch. Postponed messages return
//! through `retries`.

use domain::{
    delivery::DeliveryTask,
    webhook::{Line, Webhook},
};
use jiff::Timestamp;
use platform::{clock, table::rate_limit::Slot};

use super::{App, DeliverError, send};

/// Waits for a slot within the webhook's rate limit. Returns true once the attempt may start.
/// Returns false if the slot is far off and the message was re-queued.
pub(super) async fn acquire(
    app: &App,
    webhook: &Webhook,
    message: &DeliveryTask,
) -> Result<bool, DeliverError> {
    let hangs = webhook
        .state
        .health
        .as_ref()
        .is_some_and(|health| health.hangs);
    if hangs && message.is_fresh() {
        let message = message.clone().postponed(clock::now());
        send(&app.retries, &message, 0).await?;
        return Ok(false);
    }
    let Some(limit) = webhook.settings.rate_limit_per_second else {
        return Ok(true);
    };
    let line = webhook.state.line;
    if let Some(place) = message.place_in(line, clock::now()) {
        return postpone(app, message, place, line, limit).await;
    }
    match app
        .table
        .acquire_slot(webhook.id, limit, line, message.line, clock::now())
        .await?
    {
        Slot::Granted(at) => {
            clock::sleep_until(at).await;
            Ok(true)
        }
        Slot::RetryAt(place, line) => postpone(app, message, place, line, limit).await,
    }
}

async fn postpone(
    app: &App,
    message: &DeliveryTask,
    place: Timestamp,
    line: Line,
    limit: u32,
) -> Result<bool, DeliverError> {
    let (message, delay_seconds) = message.clone().in_line(place, line, limit, clock::now());
    send(&app.retries, &message, delay_seconds).await?;
    Ok(false)
}
