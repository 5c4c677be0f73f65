//! What follows from a recorded attempt: the next message, or the events that tell of an end without success, and the
//! disabling of a webhook that is gone. All of it follows from the row, so that it can be repeated after a crash.

use domain::{
    audit::Actor,
    delivery::{Arrival, Attempt, Delivery, Message, Status, arrive, delivery_failed, is_about_webhooks},
    event::Event,
    webhook::{DisabledReason, Webhook},
};
use platform::{
    clock,
    queue::{Outgoing, ascii_json},
    random,
    table::{WriteError, Written, audit::entry},
};

use super::{App, DeliverError, send, webhook_of};

/// After the attempt was recorded.
pub(super) async fn first(
    app: &App,
    row: &Delivery,
    webhook: Option<&Webhook>,
    last: &Attempt,
) -> Result<(), DeliverError> {
    match row.awaited_message() {
        Some(message) => send(&app.retries, &message, message.delay(clock::now())).await,
        None => tell(app, row, webhook, Some(last)).await,
    }
}

/// After its message came again, unless the delivery has gone on since.
pub(super) async fn repeat(app: &App, message: &Message) -> Result<(), DeliverError> {
    let Some((row, attempts)) = app.table.delivery_with_attempts(message.delivery).await? else { return Ok(()) };
    if arrive(Some(&row), message) != Arrival::FollowUp {
        return Ok(());
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
    if !matches!(row.status, Status::Failed | Status::Blocked) {
        return Ok(());
    }
    let mut events = Vec::new();
    if row.gone {
        events.extend(disable(app, row).await?);
    }
    events.extend(delivery_failed(row, webhook.map_or("", |webhook| &webhook.settings.name), last));
    for event in events {
        app.events.send(Outgoing { body: ascii_json(&event)?, delay_seconds: 0, group: None }).await?;
    }
    Ok(())
}

/// How often disabling is tried on a webhook that somebody else is changing.
const TRIES: usize = 5;

/// Disables the webhook of a delivery that was answered with 410 Gone, and returns the event that tells of it.
async fn disable(app: &App, row: &Delivery) -> Result<Option<Event>, DeliverError> {
    for _ in 0..TRIES {
        let Some(webhook) = webhook_of(app, row).await? else { return Ok(None) };
        let stopped_since = webhook.state.stopped_at.is_some_and(|stopped_at| stopped_at >= row.updated_at);
        if stopped_since || !webhook.settings.enabled {
            // By this delivery or another one; or by an admin, who may have enabled it again.
            return Ok(disabled_event(row, &webhook));
        }
        let disabled = webhook.clone().disabled(DisabledReason::Gone, clock::now());
        let entry = entry(Actor::System, "webhook.disabled", &webhook.id, vec!["enabled".to_owned()]);
        match app.table.update_webhook(&webhook, &disabled, &app.keys, &entry).await {
            Ok(()) => {
                tracing::warn!(webhook = %webhook.id, "disabled: the receiver answered 410 Gone");
                return Ok(disabled_event(row, &disabled));
            }
            Err(WriteError::Changed | WriteError::NameTaken) => {}
            Err(WriteError::Table(error)) => return Err(error.into()),
        }
    }
    Err(DeliverError::Busy)
}

/// One event for one disabling, however many deliveries led to it.
fn disabled_event(row: &Delivery, webhook: &Webhook) -> Option<Event> {
    let ours = webhook.state.disabled_reason == Some(DisabledReason::Gone) && !is_about_webhooks(&row.event_type);
    webhook.disabled_event().filter(|_| ours)
}
