//! What follows from a recorded attempt: the next message, or the events that tell of an end without success, and the
//! disabling of a webhook that is gone. All of it follows from the row, so that it can be repeated after a crash.

use domain::{
    audit::Actor,
    delivery::{Attempt, Delivery, Status, delivery_failed, derived_event_id, is_about_webhooks},
    event::Event,
    id::DeliveryId,
    pattern::EventType,
    webhook::{DisabledReason, Webhook},
};
use platform::{
    clock,
    queue::{Outgoing, ascii_json},
    table::{WriteError, audit::entry},
};

use super::{App, DeliverError, send, webhook_of};

/// After the attempt was recorded.
pub(super) async fn first(
    app: &App,
    row: &Delivery,
    webhook: Option<&Webhook>,
    last: &Attempt,
) -> Result<(), DeliverError> {
    follow(app, row, webhook, Some(last)).await
}

/// After its message came again, with the row as it is by now.
pub(super) async fn repeat(app: &App, id: DeliveryId) -> Result<(), DeliverError> {
    let Some((row, attempts)) = app.table.delivery_with_attempts(id).await? else { return Ok(()) };
    let webhook = webhook_of(app, &row).await?;
    follow(app, &row, webhook.as_ref(), attempts.last()).await
}

async fn follow(
    app: &App,
    row: &Delivery,
    webhook: Option<&Webhook>,
    last: Option<&Attempt>,
) -> Result<(), DeliverError> {
    if let Some(message) = row.awaited_message() {
        return send(&app.retries, &message, message.delay(clock::now())).await;
    }
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
        if webhook.settings.enabled {
            let disabled = webhook.clone().disabled(DisabledReason::Gone, clock::now());
            let entry = entry(Actor::System, "webhook.disabled", &webhook.id, vec!["enabled".to_owned()]);
            match app.table.update_webhook(&webhook, &disabled, &app.keys, &entry).await {
                Ok(()) => {}
                Err(WriteError::Changed | WriteError::NameTaken) => continue,
                Err(WriteError::Table(error)) => return Err(error.into()),
            }
            tracing::warn!(webhook = %webhook.id, "disabled: the receiver answered 410 Gone");
        } else if webhook.state.disabled_reason != Some(DisabledReason::Gone) {
            return Ok(None);
        }
        return Ok(disabled_event(row, &webhook));
    }
    Err(DeliverError::Busy)
}

fn disabled_event(row: &Delivery, webhook: &Webhook) -> Option<Event> {
    let number = row.last.as_ref()?.number;
    (!is_about_webhooks(&row.event_type)).then(|| Event {
        id: derived_event_id(row.id, "webhook.disabled", number, row.updated_at),
        kind: EventType::webhook_disabled(),
        timestamp: row.updated_at,
        data: serde_json::json!({
            "webhook_id": webhook.id,
            "webhook_name": webhook.settings.name,
            "reason": DisabledReason::Gone,
        }),
        hops: 0,
    })
}
