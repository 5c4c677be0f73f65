//! What follows from a recorded attempt: the next message, or the event that tells of an end
//! without success, and the disabling of a webhook that is gone, or fails for too long. All of it
//! follows from the row, so that it can be repeated after a crash.

use domain::{
    delivery::{Arrival, Attempt, Delivery, Message, arrive, delivery_failed},
    webhook::Webhook,
};
use platform::{clock, random, table::Written};

use super::{
    App, DeliverError,
    health::{disable, publish},
    send, webhook_of,
};

/// After the attempt was recorded.
pub(super) async fn first(
    app: &App,
    row: &Delivery,
    webhook: Option<&Webhook>,
    last: &Attempt,
) -> Result<(), DeliverError> {
    if let Some(reason) = row.stops {
        disable(app, row, reason).await?;
    }
    match row.awaited_message() {
        Some(message) => send(&app.retries, &message, message.delay(clock::now())).await,
        None => tell(app, row, webhook, Some(last)).await,
    }
}

/// After its message came again, unless the delivery has gone on since.
pub(super) async fn repeat(app: &App, message: &Message) -> Result<(), DeliverError> {
    let Some((row, attempts)) = app.table.delivery_with_attempts(message.delivery).await? else {
        return Ok(());
    };
    if arrive(Some(&row), message) != Arrival::FollowUp {
        return Ok(());
    }
    if let Some(reason) = row.stops {
        disable(app, &row, reason).await?;
    }
    let Some((renewed, next)) = row.renewed(random::token()) else {
        let webhook = webhook_of(app, &row).await?;
        return tell(app, &row, webhook.as_ref(), attempts.last()).await;
    };
    send(&app.retries, &next, next.delay(clock::now())).await?;
    // Refused: somebody else went on from here, and this one dies.
    let (Written::Yes | Written::Refused) = app.table.record(&renewed, Some(&row), None).await?;
    Ok(())
}

/// Tells of an end without success.
async fn tell(
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
        Some(event) => publish(app, &event).await,
        None => Ok(()),
    }
}
