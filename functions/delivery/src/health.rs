//! Keeping a webhook's health: noting that it begins to fail, or is well again; warning its owner;
//! disabling it.

use domain::{
    audit::Actor,
    delivery::{Attempt, Delivery, Outcome, is_about_webhooks},
    event::Event,
    webhook::{DisabledReason, Health, Webhook},
};
use platform::{
    clock,
    table::{WriteError, audit::entry},
};

use super::{App, DeliverError, webhook_of};

/// Notes what an attempt tells of its webhook; nothing as long as that stays as it is. What fails
/// here is noted by the next attempt, which finds the same.
pub(super) async fn note(
    app: &App,
    webhook: &Webhook,
    row: &Delivery,
    made: &Attempt,
    outcome: &Outcome,
) {
    let before = webhook.state.health.as_ref();
    let mut after = Health::after(before, outcome, made.at);
    if let Some(health) = &mut after
        && health.is_to_be_told(clock::now())
        && !is_about_webhooks(&row.event_type)
    {
        match publish(app, &webhook.failing_event(health, clock::now())).await {
            Ok(()) => health.warned = true,
            Err(error) => tracing::error!(webhook = %webhook.id, %error, "not warned"),
        }
    }
    if after.as_ref() == before {
        return;
    }
    // Refused: another attempt has told the same, or it has changed since it was read.
    if let Err(error) = app.table.note_health(webhook, after.as_ref()).await {
        tracing::error!(webhook = %webhook.id, %error, "health not noted");
    }
}

/// How often disabling is tried on a webhook that somebody else is changing.
const TRIES: usize = 5;

/// Disables the webhook whose delivery's last attempt asks for it, and tells of it.
pub(super) async fn disable(
    app: &App,
    row: &Delivery,
    reason: DisabledReason,
) -> Result<(), DeliverError> {
    for _ in 0..TRIES {
        let Some(webhook) = webhook_of(app, row).await? else {
            return Ok(());
        };
        let stopped_since = webhook
            .state
            .stopped_at
            .is_some_and(|stopped_at| stopped_at >= row.updated_at);
        if stopped_since || !webhook.settings.enabled {
            // By this delivery or another one; or by an admin, who may have enabled it again.
            return tell(app, row, &webhook, reason).await;
        }
        let health = webhook.state.health.as_ref();
        if reason == DisabledReason::Failing
            && !health.is_some_and(|health| health.is_beyond_hope(clock::now()))
        {
            // It has succeeded meanwhile.
            return Ok(());
        }
        let disabled = webhook.clone().disabled(reason, clock::now());
        let entry = entry(
            Actor::System,
            "webhook.disabled",
            &webhook.id,
            vec!["enabled".to_owned()],
        );
        match app
            .table
            .update_webhook(&webhook, &disabled, &app.keys, &entry)
            .await
        {
            Ok(()) => {
                tracing::warn!(webhook = %webhook.id, ?reason, "disabled");
                return tell(app, row, &disabled, reason).await;
            }
            Err(WriteError::Changed | WriteError::NameTaken(_)) => {}
            Err(WriteError::Table(error)) => return Err(error.into()),
        }
    }
    Err(DeliverError::Busy)
}

/// One event for one disabling, however many deliveries led to it.
async fn tell(
    app: &App,
    row: &Delivery,
    webhook: &Webhook,
    reason: DisabledReason,
) -> Result<(), DeliverError> {
    let ours = webhook.state.disabled_reason == Some(reason) && !is_about_webhooks(&row.event_type);
    match webhook.disabled_event().filter(|_| ours) {
        Some(event) => publish(app, &event).await,
        None => Ok(()),
    }
}

/// Puts an event on its queue.
pub(super) async fn publish(app: &App, event: &Event) -> Result<(), DeliverError> {
    Ok(app.events.send_json(event, 0, None).await?)
}
