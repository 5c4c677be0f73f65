//! Health of a webhook: records failures and recoveries, warns the owner, disables the webhook.

use domain::{
    attempt::{Attempt, Outcome},
    audit::Actor,
    delivery::{Delivery, is_about_webhooks},
    webhook::{Health, Webhook, health::DisabledReason},
};
use platform::{
    clock,
    table::{WriteError, audit::entry},
};

use super::{App, DeliverError, publish, webhook_of};

/// Records how an attempt changed the webhook's health. Writes nothing if it didn't. Errors are
/// only logged, because the next attempt makes up for them.
pub(super) async fn record(
    app: &App,
    webhook: &Webhook,
    row: &Delivery,
    made: &Attempt,
    outcome: &Outcome,
) {
    let before = webhook.state.health.as_ref();
    let mut after = Health::after(before, outcome, made.at);
    if let Some(health) = &mut after
        && health.should_warn(clock::now())
        && !is_about_webhooks(&row.event_type)
    {
        match publish(app, [webhook.failing_event(health, clock::now())]).await {
            Ok(()) => health.warned = true,
            Err(error) => {
                tracing::error!(webhook = %webhook.id, %error, "failed to publish warning");
            }
        }
    }
    if after.as_ref() == before {
        return;
    }
    // Condition failed: another attempt recorded the same, or the webhook changed since it was
    // read.
    if let Err(error) = app.table.record_health(webhook, after.as_ref()).await {
        tracing::error!(webhook = %webhook.id, %error, "failed to record health");
    }
}

/// Tries for disabling a webhook that is being changed concurrently.
const TRIES: usize = 5;

/// Disables the webhook if its delivery's last attempt requires it, and emits an event about it.
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
            // Already stopped by this or another delivery. Or an admin disabled it, and may have
            // enabled it again.
            return emit_disabled(app, row, &webhook, reason).await;
        }
        let health = webhook.state.health.as_ref();
        if reason == DisabledReason::Failing
            && !health.is_some_and(|health| health.should_disable(clock::now()))
        {
            // An attempt has succeeded in the meantime.
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
                return emit_disabled(app, row, &disabled, reason).await;
            }
            Err(WriteError::Changed | WriteError::NameTaken(_)) => {}
            Err(WriteError::Table(error)) => return Err(error.into()),
        }
    }
    Err(DeliverError::Busy)
}

/// Emits one event per disabling, however many deliveries led to it.
async fn emit_disabled(
    app: &App,
    row: &Delivery,
    webhook: &Webhook,
    reason: DisabledReason,
) -> Result<(), DeliverError> {
    let is_reported =
        webhook.state.disabled_reason == Some(reason) && !is_about_webhooks(&row.event_type);
    publish(app, webhook.disabled_event().filter(|_| is_reported)).await
}
