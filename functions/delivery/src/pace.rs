//! Whether an attempt may begin now, or has to wait for its turn: because its webhook has a limit
//! of its own, or because it hangs and would hold up the others in the batch. What waits comes back
//! through `retries`.

use domain::{
    delivery::Message,
    webhook::{Line, Webhook},
};
use jiff::Timestamp;
use platform::{clock, table::pace::Turn};

use super::{App, DeliverError, send};

/// Waits for the message's turn: true once its attempt may be made. False: its turn is far off, and
/// it was sent on.
pub(super) async fn keep(
    app: &App,
    webhook: &Webhook,
    message: &Message,
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
        return wait(app, message, place, line, limit).await;
    }
    match app
        .table
        .turn(webhook.id, limit, line, message.line, clock::now())
        .await?
    {
        Turn::At(at) => {
            clock::sleep_until(at).await;
            Ok(true)
        }
        Turn::Later(place, line) => wait(app, message, place, line, limit).await,
    }
}

async fn wait(
    app: &App,
    message: &Message,
    place: Timestamp,
    line: Line,
    limit: u32,
) -> Result<bool, DeliverError> {
    let (message, delay_seconds) = message.clone().in_line(place, line, limit, clock::now());
    send(&app.retries, &message, delay_seconds).await?;
    Ok(false)
}
