//! Applies status reports from providers to messages and calls.
//!
//! A report that arrives before its message is recorded waits on the queue for up to 15 minutes.
//! Reports may be repeated and arrive in any order. A report's changes are saved to the row before
//! its event is published, and processing it again results in the same event.

use domain::{
    callback::{CallbackReport, Named},
    message::{Message, Report, Reported},
    secrets::redact::Redactor,
};
use platform::{clock, provider_client, table::Written};

use super::{App, DeliverError, messages::TRIES, publish, queue};

/// Processes a report. Returns the queue message's ID if that failed.
pub(super) async fn process(
    app: &App,
    message_id: String,
    queued: CallbackReport,
) -> Option<String> {
    let result = apply(app, &queued).await;
    result.err().map(|error| {
        tracing::error!(provider = %queued.provider, %error, "failed to process report");
        message_id
    })
}

async fn apply(app: &App, queued: &CallbackReport) -> Result<(), DeliverError> {
    let mut report = queued.callback.report.clone();
    if !matches!(report, Report::Status { .. })
        && let Some(provider) = app.table.provider(queued.provider, &app.keys).await?
    {
        report = report.redacted(&Redactor::new(provider_client::secrets(&provider)));
    }
    for _ in 0..TRIES {
        let Some(row) = find(app, queued).await? else {
            return requeue(app, queued).await;
        };
        let reported = row.reported(queued.provider, &report, queued.received_at);
        let Reported {
            row: changed,
            event,
        } = match reported {
            Ok(reported) => reported,
            Err(why) => {
                tracing::info!(message = %row.id, provider = %queued.provider, %why, "report ignored");
                return Ok(());
            }
        };
        if let Some(changed) = changed {
            if app.table.update_message(&changed, &row).await? == Written::ConditionFailed {
                continue;
            }
            tracing::info!(message = %row.id, status = changed.status.as_str(), "report applied");
        }
        let events = event.map(|mut event| {
            event.hops = event.hops.max(queued.hops);
            event
        });
        return publish(app, events).await;
    }
    Err(DeliverError::Busy)
}

async fn find(app: &App, queued: &CallbackReport) -> Result<Option<Message>, DeliverError> {
    let (ours, theirs) = match &queued.callback.id {
        Named::Ours(id) => (app.table.message(*id).await?, id.to_string()),
        Named::Theirs(theirs) => (None, theirs.clone()),
    };
    if ours
        .as_ref()
        .is_some_and(|row| row.provider_id == queued.provider)
    {
        return Ok(ours);
    }
    // A provider's own IDs may look like message IDs.
    match app.table.message_known_as(queued.provider, &theirs).await? {
        Some(id) => Ok(app.table.message(id).await?),
        None => Ok(ours),
    }
}

async fn requeue(app: &App, queued: &CallbackReport) -> Result<(), DeliverError> {
    let Some(delay_seconds) = queued.wait(clock::now()) else {
        tracing::warn!(provider = %queued.provider, "report dropped: no message with this ID within 15 minutes");
        return Ok(());
    };
    let group = Some(queued.provider.to_string());
    queue(&app.retries, queued.clone(), delay_seconds, group).await
}
