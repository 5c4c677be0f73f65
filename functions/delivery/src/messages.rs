//! Sends messages and calls to their providers.
//!
//! The guarantees are those of webhooks: the row names the task that it awaits, an attempt is
//! recorded before its follow-up, and steps that a crash may have skipped are repeated when the
//! task is redelivered. A provider's report may change the row while an attempt runs. The attempt
//! is then added to the changed row.

use std::collections::HashSet;

use domain::{
    attempt::Arrival,
    event::Event,
    id::ProviderId,
    message::{CompletedAttempt, Message, SendTask, attempt::arrive},
};
use futures::future::join_all;
use platform::{
    attempt::NotAttempted,
    clock,
    deadline::Deadline,
    provider_client, random,
    table::{TableError, Written, providers::StoredProvider},
};

use super::{App, DeliverError};

/// Tries for updating a row that is being changed concurrently.
pub(super) const TRIES: usize = 5;
/// Tries for recording an attempt. High on purpose: giving up would call the provider again.
const RECORD_TRIES: usize = 50;

/// Processes the send tasks of a batch. Returns the IDs of the queue messages that failed.
pub(super) async fn process_batch(
    app: &App,
    mut tasks: Vec<(String, SendTask)>,
    deadline: Deadline,
) -> Vec<Option<String>> {
    // Concurrent duplicates would all find themselves awaited.
    let mut seen = HashSet::new();
    tasks.retain(|(_, task)| seen.insert((task.message, task.attempt_token.token.clone())));
    if tasks.is_empty() {
        return Vec::new();
    }
    match context(app, &tasks).await {
        Ok((rows, providers)) => {
            let each = tasks.into_iter().map(async |(message_id, task)| {
                let row = rows.get(&task.message);
                let provider = row.and_then(|row| providers.get(&row.provider_id));
                let result = process(app, row, provider, &task, deadline).await;
                result.err().map(|error| {
                    error.log(&task.message, task.attempt_token.number);
                    message_id
                })
            });
            join_all(each).await
        }
        Err(error) => {
            tracing::error!(%error, "failed to read messages");
            tasks
                .into_iter()
                .map(|(message_id, _)| Some(message_id))
                .collect()
        }
    }
}

type Context = (
    std::collections::HashMap<domain::message::MessageRef, Message>,
    std::collections::HashMap<ProviderId, StoredProvider>,
);

/// Loads the messages and their providers, in two reads for the whole batch.
async fn context(app: &App, tasks: &[(String, SendTask)]) -> Result<Context, TableError> {
    let ids: Vec<_> = tasks.iter().map(|(_, task)| task.message).collect();
    let rows = app.table.messages_of(&ids).await?;
    let providers: Vec<_> = rows.values().map(|row| row.provider_id).collect();
    let providers = app.table.providers_of(&providers, &app.keys).await?;
    Ok((rows, providers))
}

async fn process(
    app: &App,
    row: Option<&Message>,
    provider: Option<&StoredProvider>,
    task: &SendTask,
    deadline: Deadline,
) -> Result<(), DeliverError> {
    // Missing or unreadable. Reading it separately fails this task only.
    let Some(row) = row else {
        return Ok(app.table.message(task.message).await.map(drop)?);
    };
    if provider.is_none() {
        app.table.provider(row.provider_id, &app.keys).await?;
    }
    match arrive(Some(row), task) {
        Arrival::Stale => Ok(()),
        Arrival::FollowUp => repeat(app, row).await,
        Arrival::Attempt if !deadline.leaves(provider_client::TIMEOUT) => {
            Err(NotAttempted::NoTime.into())
        }
        Arrival::Attempt => attempt(app, row, provider, task).await,
    }
}

/// Makes the attempt, records it and performs the follow-up.
async fn attempt(
    app: &App,
    row: &Message,
    provider: Option<&StoredProvider>,
    task: &SendTask,
) -> Result<(), DeliverError> {
    let number = task.attempt_token.number;
    let made = match provider {
        _ if row.is_out_of_time(clock::now()) => {
            provider_client::unmade(number, "the message is older than 1 hour")
        }
        Some(provider) => {
            provider_client::send(
                &app.egress,
                provider,
                &app.public_url,
                row,
                number,
                provider_client::TIMEOUT,
            )
            .await?
        }
        None => provider_client::unmade(number, "the provider was deleted"),
    };
    log(row, &made);
    let mut was = row.clone();
    for _ in 0..RECORD_TRIES {
        let row = was
            .clone()
            .record_attempt(task, made.clone(), clock::now(), random::token());
        if app.table.update_message(&row, &was).await? == Written::Yes {
            return first(app, &row).await;
        }
        // A report changed the row in the meantime, or a duplicate recorded this attempt.
        let Some(now) = app.table.message(task.message).await? else {
            return Ok(());
        };
        if now.attempts.iter().any(|attempt| attempt.number == number) {
            return match arrive(Some(&now), task) {
                Arrival::FollowUp => repeat(app, &now).await,
                Arrival::Attempt | Arrival::Stale => Ok(()),
            };
        }
        was = now;
    }
    Err(DeliverError::Busy)
}

/// Follow-up of an attempt that was just recorded.
async fn first(app: &App, row: &Message) -> Result<(), DeliverError> {
    if let Some(next) = row.task() {
        queue(app, &next, next.delay(clock::now()), Some(row)).await?;
    }
    publish(app, row.events()).await
}

/// Follow-up of a recorded attempt whose task was redelivered.
async fn repeat(app: &App, row: &Message) -> Result<(), DeliverError> {
    if let Some((renewed, next)) = row.reissue_task(clock::now(), random::token()) {
        queue(app, &next, next.delay(clock::now()), Some(row)).await?;
        // Condition failed: another invocation continued from here; the queued task is obsolete.
        let (Written::Yes | Written::ConditionFailed) =
            app.table.update_message(&renewed, row).await?;
    }
    publish(app, row.events()).await
}

/// Queues a send task. Each provider has its own message group, so that a backlog at one does not
/// delay the others (SQS fair queues).
pub(super) async fn queue(
    app: &App,
    task: &SendTask,
    delay_seconds: u32,
    row: Option<&Message>,
) -> Result<(), DeliverError> {
    let group = row.map(|row| row.provider_id.to_string());
    Ok(app.retries.send_json(task, delay_seconds, group).await?)
}

/// Publishes events. Idempotent: an event's ID is derived from what it reports.
pub(super) async fn publish(app: &App, events: Vec<Event>) -> Result<(), DeliverError> {
    for event in events {
        app.events.send_json(&event, 0, None).await?;
    }
    Ok(())
}

fn log(row: &Message, made: &CompletedAttempt) {
    let CompletedAttempt { attempt, .. } = made;
    tracing::info!(
        message = %row.id,
        provider = %row.provider_id,
        number = attempt.number,
        status_code = attempt.status_code,
        error = attempt.error,
        duration_ms = attempt.duration_ms,
        "attempt"
    );
}
