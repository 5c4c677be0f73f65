//! Sends messages and calls to their providers.
//!
//! The guarantees are those of webhooks: the row names the task that it awaits, an attempt is
//! recorded before its follow-up, and steps that a crash may have skipped are repeated when the
//! task is redelivered. A provider's report may change the row while an attempt runs. The attempt
//! is then added to the changed row.
//!
//! If a message fails at its provider, the write that records the last attempt passes it to the
//! provider's fallback, and the task for the first attempt there follows like a retry.

use std::{collections::HashMap, fmt::Display, time::Duration};

use domain::{
    attempt::Arrival,
    id::ProviderId,
    message::{CompletedAttempt, Fallback, Message, MessageRef, SendTask, attempt::arrive},
};
use jiff::Timestamp;
use platform::{
    clock,
    deadline::Deadline,
    oauth::Tokens,
    provider_client::{self, Connection},
    random,
    service_client::NotAttempted,
    table::{TableError, Written, providers::StoredProvider},
};

use super::{
    App, DeliverError, publish, queue,
    tasks::{Kind, Received},
};

/// Tries for updating a row that is being changed concurrently.
pub(super) const TRIES: usize = 5;
/// Tries for recording an attempt. High on purpose: giving up would call the provider again.
const RECORD_TRIES: usize = 50;

/// Processes send tasks.
pub(super) struct Messages<'a> {
    pub(super) app: &'a App,
    pub(super) deadline: Deadline,
}

/// The messages of a batch and their providers.
pub(super) struct Rows {
    messages: HashMap<MessageRef, Message>,
    providers: HashMap<ProviderId, StoredProvider>,
}

impl Kind for Messages<'_> {
    type Task = SendTask;
    type Rows = Rows;

    async fn load(&self, tasks: &[&SendTask]) -> Result<Rows, TableError> {
        let Self { app, .. } = self;
        let ids: Vec<_> = tasks.iter().map(|task| task.message).collect();
        let messages = app.table.messages_of(&ids).await?;
        let providers: Vec<_> = messages.values().map(|row| row.provider_id).collect();
        let providers = app.table.providers_of(&providers, &app.keys).await?;
        Ok(Rows {
            messages,
            providers,
        })
    }

    async fn arrive(&self, rows: &Rows, task: &SendTask) -> Result<Arrival, TableError> {
        let row = rows.messages.get(&task.message);
        if row.is_none() {
            // Missing or unreadable. Reading it separately fails this task only.
            self.app.table.message(task.message).await?;
        }
        Ok(arrive(row, task))
    }

    async fn attempt(&self, rows: &Rows, received: Received<SendTask>) -> Result<(), DeliverError> {
        let Some(row) = rows.messages.get(&received.task.message) else {
            return Ok(());
        };
        if !self.deadline.leaves(provider_client::TIMEOUT) {
            return Err(NotAttempted::NoTime.into());
        }
        let reread;
        let provider = if let Some(provider) = rows.providers.get(&row.provider_id) {
            Found::Provider(provider)
        } else {
            // Missing or unreadable, as above.
            let Self { app, .. } = self;
            let read = app.table.provider(row.provider_id, &app.keys).await;
            let successor = row.successor(row.fallback_provider_id);
            if is_unreadable(&read, successor) {
                Found::Unreadable
            } else {
                reread = read?;
                reread.as_ref().map_or(Found::Deleted, Found::Provider)
            }
        };
        self.attempt_through(row, provider, &received.task).await
    }

    async fn repeat(&self, rows: &Rows, task: &SendTask) -> Result<(), DeliverError> {
        match rows.messages.get(&task.message) {
            Some(row) => repeat(self.app, row).await,
            None => Ok(()),
        }
    }

    fn subject(task: &SendTask) -> impl Display {
        task.message
    }
}

impl Messages<'_> {
    /// Makes the attempt through this provider, or none if that is impossible. Records it and
    /// performs the follow-up.
    async fn attempt_through(
        &self,
        row: &Message,
        provider: Found<'_>,
        task: &SendTask,
    ) -> Result<(), DeliverError> {
        let Self { app, .. } = self;
        let successor = row.successor(match provider {
            Found::Provider(stored) => stored.provider.settings.fallback_provider_id,
            Found::Deleted | Found::Unreadable => row.fallback_provider_id,
        });
        let blocked = |reason: &str| provider_client::blocked(task.attempt.id.number, reason);
        let mut fallback = None;
        let made = match provider {
            _ if row.is_out_of_time(clock::now()) => {
                blocked("more than 1 hour has passed since the first attempt")
            }
            Found::Provider(stored) => {
                let connection = Connection::of(stored, &app.table, &app.keys).await;
                if let Some(reason) = rejection(row, stored) {
                    blocked(&reason)
                } else if is_unreadable(&connection, successor) {
                    blocked("the account's settings can't be read")
                } else {
                    let connection = connection?;
                    // A failed read after the request would discard the attempt, and the request
                    // would be repeated.
                    if row.may_be_last(task, clock::now()) {
                        fallback = Some(self.fallback(successor, provider).await?);
                    }
                    self.send(row, &connection, task.attempt.id.number).await?
                }
            }
            Found::Deleted => blocked("the provider was deleted"),
            Found::Unreadable => blocked("the provider's settings can't be read"),
        };
        log(row, &made);
        let now = clock::now();
        let fallback = match fallback {
            Some(read) => read,
            // No request was sent.
            None if row.fails_after(task, &made, now) => self.fallback(successor, provider).await?,
            None => None,
        };
        record(
            app,
            row,
            task,
            Recorded {
                made,
                fallback,
                now,
            },
        )
        .await
    }

    /// Reads the provider that takes over from `provider`.
    async fn fallback(
        &self,
        successor: Option<ProviderId>,
        provider: Found<'_>,
    ) -> Result<Option<Fallback>, TableError> {
        let Some(id) = successor else {
            return Ok(None);
        };
        let read = self.app.table.fallback(id, &self.app.keys).await?;
        Ok(read.map(|fallback| Fallback {
            from_before: match provider {
                Found::Provider(stored) => stored.provider.settings.from.clone(),
                Found::Deleted | Found::Unreadable => None,
            },
            ..fallback
        }))
    }

    /// Sends the message to its provider.
    async fn send(
        &self,
        row: &Message,
        connection: &Connection<'_>,
        number: u32,
    ) -> Result<CompletedAttempt, DeliverError> {
        let Self { app, deadline } = self;
        let tokens = Tokens {
            table: &app.table,
            keys: &app.keys,
            egress: &app.egress,
            hops: row.hops,
        };
        // Reading an account and getting a token take an unbounded time.
        let ready = async |call: Duration| {
            if deadline.leaves(call) {
                Ok(())
            } else {
                Err(NotAttempted::NoTime)
            }
        };
        let sent = provider_client::send(tokens, connection, &app.public_url, row, number, ready);
        Ok(sent.await?)
    }
}

/// What was found of an attempt's provider.
#[derive(Clone, Copy)]
enum Found<'a> {
    Provider(&'a StoredProvider),
    Deleted,
    /// Its settings are unreadable, and there is a fallback.
    Unreadable,
}

/// Whether a provider or its account is unreadable and there is a fallback. Without one, the task
/// fails, because a later release may be able to read it.
fn is_unreadable<T>(read: &Result<T, TableError>, successor: Option<ProviderId>) -> bool {
    match read {
        Err(error) if error.is_of_one_row() && successor.is_some() => {
            tracing::error!(%error, "message goes on at the fallback");
            true
        }
        _ => false,
    }
}

/// Why a fallback provider can't send a message that was written for another one.
fn rejection(row: &Message, stored: &StoredProvider) -> Option<String> {
    if row.earlier.is_empty() {
        return None;
    }
    let errors = stored.provider.check_message(&row.content).err()?;
    let first = errors.0.first()?;
    let field = first.pointer.trim_start_matches('/');
    Some(format!("`{field}` {}", first.detail))
}

/// An attempt that was made until `now`, and the provider that takes over if it was the last one.
struct Recorded {
    made: CompletedAttempt,
    fallback: Option<Fallback>,
    now: Timestamp,
}

/// Records an attempt and performs the follow-up.
async fn record(
    app: &App,
    row: &Message,
    task: &SendTask,
    Recorded {
        made,
        fallback,
        now: ended_at,
    }: Recorded,
) -> Result<(), DeliverError> {
    let number = task.attempt.id.number;
    let mut was = row.clone();
    for _ in 0..RECORD_TRIES {
        let (made, fallback) = (made.clone(), fallback.clone());
        let row = was
            .clone()
            .record_attempt(task, made, fallback, ended_at, random::token());
        if app.table.update_message(&row, &was).await? == Written::Yes {
            if row.provider_id != was.provider_id {
                tracing::warn!(message = %row.id, provider = %row.provider_id, "fallback provider takes over");
            }
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
        queue_task(app, row, next).await?;
    }
    publish(app, row.events()).await
}

/// Follow-up of a recorded attempt whose task was redelivered.
async fn repeat(app: &App, row: &Message) -> Result<(), DeliverError> {
    if let Some((reissued, next)) = row.reissue_task(clock::now(), random::token()) {
        queue_task(app, row, next).await?;
        // Condition failed: another invocation continued from here; the queued task is obsolete.
        let (Written::Yes | Written::ConditionFailed) =
            app.table.update_message(&reissued, row).await?;
    }
    publish(app, row.events()).await
}

/// Queues a task.
async fn queue_task(app: &App, row: &Message, task: SendTask) -> Result<(), DeliverError> {
    let delay_seconds = task.attempt.delay(clock::now());
    let group = Some(row.provider_id.to_string());
    queue(&app.retries, task, delay_seconds, group).await
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
