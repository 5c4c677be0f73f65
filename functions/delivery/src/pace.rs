//! Whether an attempt may begin now, or has to wait for its turn: because its webhook has a limit of its own, or because
//! it hangs and would hold up the others in the batch. What waits comes back through `retries`.

use domain::{delivery::Message, webhook::Webhook};
use platform::{clock, table::pace::Turn};

use super::{App, DeliverError, send};

/// What is done with a message.
pub(super) enum Pace {
    /// Its attempt is made.
    Go,
    /// It was sent on.
    Postponed,
    /// Its webhook was stopped while it waited.
    Stopped,
}

/// Waits for the message's turn, or sends it on where that is far off.
pub(super) async fn keep(app: &App, webhook: &Webhook, message: &Message) -> Result<Pace, DeliverError> {
    let hangs = webhook.state.health.as_ref().is_some_and(|health| health.hangs);
    if hangs && message.is_fresh() {
        let message = message.clone().postponed(clock::now());
        send(&app.retries, &message, 0).await?;
        return Ok(Pace::Postponed);
    }
    let Some(limit) = webhook.settings.rate_limit_per_second else { return Ok(Pace::Go) };
    match app.table.turn(webhook.id, limit, !message.is_fresh(), clock::now()).await? {
        Turn::At(at) if at <= clock::now() => Ok(Pace::Go),
        Turn::At(at) => {
            clock::sleep_until(at).await;
            let stopped = app.table.stops(&[webhook.id]).await?;
            Ok(if stopped(webhook.id).covers(message.queued_at) { Pace::Stopped } else { Pace::Go })
        }
        Turn::Later(at) => {
            let message = message.clone().postponed(at);
            send(&app.retries, &message, message.delay(clock::now())).await?;
            Ok(Pace::Postponed)
        }
    }
}
