//! Errands: messages and calls on their way to their providers.
//!
//! What webhooks have holds here as well: the row names the errand that it waits for, an attempt is
//! recorded before anything follows from it, and what a crash may have left undone is repeated when
//! the errand comes again. A provider's report may change the row while an attempt runs: then the
//! attempt goes on record beside it.

use std::collections::HashSet;

use domain::{
    delivery::Arrival,
    event::Event,
    id::ProviderId,
    message::{Errand, Made, Message, attempt::arrive},
};
use futures::future::join_all;
use platform::{
    attempt::Unsent,
    clock,
    deadline::Deadline,
    messenger, random,
    table::{TableError, Written, providers::Stored},
};

use super::{App, DeliverError};

/// How often a row is read anew that somebody else is changing.
pub(super) const TRIES: usize = 5;
/// As often is it tried to record an attempt: were that given up, the provider would be called
/// again.
const RECORD_TRIES: usize = 50;

/// Works on the errands of a batch, and names those that failed by their messages' ids.
pub(super) async fn work(
    app: &App,
    mut errands: Vec<(String, Errand)>,
    deadline: Deadline,
) -> Vec<Option<String>> {
    // Copies side by side would all find that they are awaited.
    let mut seen = HashSet::new();
    errands.retain(|(_, errand)| seen.insert((errand.message, errand.ticket.token.clone())));
    if errands.is_empty() {
        return Vec::new();
    }
    match context(app, &errands).await {
        Ok((rows, providers)) => {
            let each = errands.into_iter().map(async |(message_id, errand)| {
                let row = rows.get(&errand.message);
                let provider = row.and_then(|row| providers.get(&row.provider_id));
                let result = one(app, row, provider, &errand, deadline).await;
                result.err().map(|error| {
                    error.log(&errand.message, errand.ticket.number);
                    message_id
                })
            });
            join_all(each).await
        }
        Err(error) => {
            tracing::error!(%error, "errands not read");
            errands
                .into_iter()
                .map(|(message_id, _)| Some(message_id))
                .collect()
        }
    }
}

type Context = (
    std::collections::HashMap<domain::message::MessageRef, Message>,
    std::collections::HashMap<ProviderId, Stored>,
);

/// Two reads for the whole batch: the messages, then their providers.
async fn context(app: &App, errands: &[(String, Errand)]) -> Result<Context, TableError> {
    let ids: Vec<_> = errands.iter().map(|(_, errand)| errand.message).collect();
    let rows = app.table.messages_of(&ids).await?;
    let providers: Vec<_> = rows.values().map(|row| row.provider_id).collect();
    let providers = app.table.providers_of(&providers, &app.keys).await?;
    Ok((rows, providers))
}

async fn one(
    app: &App,
    row: Option<&Message>,
    provider: Option<&Stored>,
    errand: &Errand,
    deadline: Deadline,
) -> Result<(), DeliverError> {
    // Not there, or unreadable: then reading it by itself fails, and this errand alone.
    let Some(row) = row else {
        return Ok(app.table.message(errand.message).await.map(drop)?);
    };
    if provider.is_none() {
        app.table.provider(row.provider_id, &app.keys).await?;
    }
    match arrive(Some(row), errand) {
        Arrival::Stale => Ok(()),
        Arrival::FollowUp => repeat(app, row).await,
        Arrival::Attempt if !deadline.leaves(messenger::TIMEOUT) => Err(Unsent::NoTime.into()),
        Arrival::Attempt => attempt(app, row, provider, errand).await,
    }
}

/// Makes the attempt, records what came of it, and does what follows.
async fn attempt(
    app: &App,
    row: &Message,
    provider: Option<&Stored>,
    errand: &Errand,
) -> Result<(), DeliverError> {
    let number = errand.ticket.number;
    let made = match provider {
        _ if row.is_out_of_time(clock::now()) => messenger::unmade(number, "its hour has passed"),
        Some(provider) => {
            messenger::send(
                &app.egress,
                provider,
                &app.public_url,
                row,
                number,
                messenger::TIMEOUT,
            )
            .await?
        }
        None => messenger::unmade(number, "the provider was deleted"),
    };
    log(row, &made);
    let mut was = row.clone();
    for _ in 0..RECORD_TRIES {
        let row = was
            .clone()
            .after(errand, made.clone(), clock::now(), random::token());
        if app.table.update_message(&row, &was).await? == Written::Yes {
            return first(app, &row).await;
        }
        // A report changed it meanwhile, or a twin recorded this attempt.
        let Some(now) = app.table.message(errand.message).await? else {
            return Ok(());
        };
        if now.attempts.iter().any(|attempt| attempt.number == number) {
            return match arrive(Some(&now), errand) {
                Arrival::FollowUp => repeat(app, &now).await,
                Arrival::Attempt | Arrival::Stale => Ok(()),
            };
        }
        was = now;
    }
    Err(DeliverError::Busy)
}

/// After the attempt was recorded.
async fn first(app: &App, row: &Message) -> Result<(), DeliverError> {
    if let Some(next) = row.errand() {
        queue(app, &next, next.delay(clock::now()), Some(row)).await?;
    }
    publish(app, row.events()).await
}

/// After its errand came again.
async fn repeat(app: &App, row: &Message) -> Result<(), DeliverError> {
    if let Some((renewed, next)) = row.renewed(clock::now(), random::token()) {
        queue(app, &next, next.delay(clock::now()), Some(row)).await?;
        // Refused: somebody else went on from here, and this one dies.
        let (Written::Yes | Written::Refused) = app.table.update_message(&renewed, row).await?;
    }
    publish(app, row.events()).await
}

/// Queues an errand. Each provider has a group of its own: one with a backlog does not hold up the
/// others.
pub(super) async fn queue(
    app: &App,
    errand: &Errand,
    delay_seconds: u32,
    row: Option<&Message>,
) -> Result<(), DeliverError> {
    let group = row.map(|row| row.provider_id.to_string());
    Ok(app.retries.send_json(errand, delay_seconds, group).await?)
}

/// Publishes events. To do so again does no harm: their ids follow from what they tell of.
pub(super) async fn publish(app: &App, events: Vec<Event>) -> Result<(), DeliverError> {
    for event in events {
        app.events.send_json(&event, 0, None).await?;
    }
    Ok(())
}

fn log(row: &Message, made: &Made) {
    let Made { attempt, .. } = made;
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
