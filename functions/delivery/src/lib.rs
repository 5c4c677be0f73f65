//! Delivers webhooks: makes one attempt for each queue message and records it.
//!
//! Input: batches from the queues `deliveries` and `retries`. Output: HTTP requests, delivery rows,
//! messages on `retries`, and events about deliveries that ended without success. Messages that
//! arrive early are re-queued without a table read. For the others, one read loads the whole batch,
//! the attempts run concurrently, and each ends in one write. [`domain::delivery::arrive`] decides
//! what a message stands for. Steps that a crash may have skipped are repeated when the message is
//! redelivered.
//!
//! The same queues carry messages to be sent through providers ([`messages`]) and the providers'
//! reports ([`reports`]).

mod follow_up;
mod health;
mod messages;
mod rate_limit;
mod reports;

use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use domain::{
    attempt::{Arrival, Attempt},
    callback::CallbackReport,
    delivery::{CompletedAttempt, Delivery, DeliveryTask, arrive, task::Due},
    event::EventText,
    message::{SendTask, attempt::Due as SendDue},
    webhook::Webhook,
};
use futures::future::join_all;
use platform::{
    attempt::{self, Endpoint, NotAttempted},
    clock,
    deadline::Deadline,
    document::describe_json_error,
    egress::Egress,
    keyring::KeyringCache,
    oauth::Tokens,
    queue::{OutgoingMessage, Queue, QueueError, receipts::Receipts},
    random,
    table::{Table, TableError, Written, deliveries::BatchRows},
};
use tokio::time::Instant;

/// Dependencies of the delivery function.
pub struct App {
    /// The DynamoDB table.
    pub table: Table,
    /// Keyring that decrypts stored secrets.
    pub keys: KeyringCache,
    /// Client for outgoing HTTP requests.
    pub egress: Egress,
    /// Queue of first attempts.
    pub deliveries: Queue,
    /// Queue of later attempts.
    pub retries: Queue,
    /// Queue for events about deliveries.
    pub events: Queue,
    /// Dead-letter queue for messages that can't be processed.
    pub dead: Queue,
    /// Public base URL without a trailing slash. Providers send their reports to it.
    pub public_url: String,
}

#[derive(Debug, thiserror::Error)]
enum DeliverError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    NotAttempted(#[from] NotAttempted),
    #[error("concurrent updates: too many conflicts")]
    Busy,
}

impl DeliverError {
    /// Logs why a message failed. Running out of time is logged at `info`.
    fn log(&self, id: &dyn std::fmt::Display, number: u32) {
        match self {
            Self::NotAttempted(NotAttempted::NoTime) => {
                tracing::info!(%id, number, "returned to the queue: not enough time left");
            }
            error => tracing::error!(%id, number, %error, "message failed"),
        }
    }
}

/// State shared by all deliveries of a batch.
struct Batch {
    /// Rows that were read for the batch.
    context: BatchRows,
    /// Lower bound for the time of that read.
    read_at: Instant,
    deadline: Deadline,
}

/// Maximum age of a webhook's row when its request is sent. Older rows are re-read, because the
/// webhook may have been disabled or deleted in the meantime.
const MAX_ROW_AGE: Duration = Duration::from_secs(1);

/// A queue message of the batch, with its original text.
struct Received {
    message_id: String,
    body: String,
    message: DeliveryTask,
}

/// Processes a batch and returns the messages that SQS must redeliver. Requests that could outlast
/// the `deadline` are not started.
pub async fn handle(app: &App, batch: SqsEvent, deadline: Deadline) -> SqsBatchResponse {
    let receipts = Receipts::of(&batch);
    let now = clock::now();
    let mut due = Vec::with_capacity(batch.records.len());
    let mut deferred = Vec::new();
    let (mut sends, mut reports_due) = (Vec::new(), Vec::new());
    let exhausted = || "exceeded the maximum number of re-queues".to_owned();
    for record in batch.records {
        let (message_id, body) = (
            record.message_id.unwrap_or_default(),
            record.body.unwrap_or_default(),
        );
        let action = match read(&body) {
            Ok(Incoming::Delivery(message)) => match message.due(now) {
                Due::Now(message) => {
                    due.push(Received {
                        message_id,
                        body,
                        message,
                    });
                    continue;
                }
                Due::Later {
                    message,
                    delay_seconds,
                } => Deferred::Requeue(message, delay_seconds),
                Due::Lost => Deferred::DeadLetter(body, exhausted()),
            },
            Ok(Incoming::SendTask(task)) => match task.due(now) {
                SendDue::Now(task) => {
                    sends.push((message_id, task));
                    continue;
                }
                SendDue::Later {
                    task,
                    delay_seconds,
                } => Deferred::RequeueSend(task, delay_seconds),
                SendDue::Lost => Deferred::DeadLetter(body, exhausted()),
            },
            Ok(Incoming::CallbackReport(report)) => {
                reports_due.push((message_id, report));
                continue;
            }
            Err(error) => Deferred::DeadLetter(body, describe_json_error(&error)),
        };
        deferred.push((message_id, action));
    }
    let (worked, sent, reported, requeued) = futures::join!(
        process_batch(app, due, deadline),
        messages::process_batch(app, sends, deadline),
        join_all(
            reports_due
                .into_iter()
                .map(|(id, report)| reports::process(app, id, report))
        ),
        join_all(deferred.into_iter().map(|(id, action)| action.act(app, id))),
    );
    let failed = worked
        .into_iter()
        .chain(sent)
        .chain(reported)
        .chain(requeued)
        .flatten();
    receipts
        .response(&[&app.deliveries, &app.retries], failed)
        .await
}

/// Content of a queue message.
enum Incoming {
    Delivery(DeliveryTask),
    SendTask(SendTask),
    CallbackReport(CallbackReport),
}

/// Parses a queue message. The kinds differ in a required field. Deliveries are the most frequent
/// and come first.
fn read(body: &str) -> serde_json::Result<Incoming> {
    serde_json::from_str(body)
        .map(Incoming::Delivery)
        .or_else(|error| {
            let task = || serde_json::from_str(body).map(Incoming::SendTask);
            let report = || serde_json::from_str(body).map(Incoming::CallbackReport);
            task().or_else(|_| report()).map_err(|_| error)
        })
}

/// Processes delivery messages. Returns the IDs of those that failed.
async fn process_batch(app: &App, due: Vec<Received>, deadline: Deadline) -> Vec<Option<String>> {
    let (due, mut failed) = rate_limit::requeue_waiting(app, due).await;
    let messages: Vec<DeliveryTask> = due
        .iter()
        .map(|received| received.message.clone())
        .collect();
    if messages.is_empty() {
        return failed;
    }
    let read_at = Instant::now();
    match app.table.load_batch(&messages).await {
        Ok(context) => {
            let batch = Batch {
                context,
                read_at,
                deadline,
            };
            let each = due
                .into_iter()
                .map(|received| process(app, &batch, received));
            failed.extend(join_all(each).await);
        }
        Err(error) => {
            tracing::error!(%error, "failed to read batch");
            failed.extend(due.into_iter().map(|received| Some(received.message_id)));
        }
    }
    failed
}

/// Processes one delivery message. Returns its ID if it failed.
async fn process(app: &App, batch: &Batch, received: Received) -> Option<String> {
    let Received {
        message_id,
        body,
        mut message,
    } = received;
    let context = &batch.context;
    let work = async {
        context.check(&message)?;
        match arrive(context.delivery(message.delivery).as_ref(), &message) {
            Arrival::Stale => Ok(()),
            Arrival::FollowUp => follow_up::repeat(app, &message).await,
            Arrival::Attempt => {
                let stored = context.event(message.delivery.event);
                let event = message.event.as_ref();
                match event
                    .or(stored.map(|dispatched| &dispatched.event))
                    .cloned()
                {
                    Some(mut event) => {
                        message.hops = message.hops.max(event.hops);
                        event.hops = message.hops;
                        Box::pin(deliver(app, batch, &message, &event)).await
                    }
                    None => dead_letter(app, body, "its event has expired").await,
                }
            }
        }
    };
    work.await.err().map(|error| {
        error.log(&message.delivery, message.attempt_token.number);
        message_id
    })
}

/// Makes the attempt unless the webhook was stopped, records it and performs the follow-up.
async fn deliver(
    app: &App,
    batch: &Batch,
    message: &DeliveryTask,
    event: &EventText,
) -> Result<(), DeliverError> {
    let was = batch.context.delivery(message.delivery);
    let webhook = match batch.context.webhook(message.delivery.webhook) {
        Some(row) if !row.stopped().includes(message.queued_at) => row.open(&app.keys).await?,
        _ => return cancel(app, was, message, event).await,
    };
    let timeout = attempt::timeout(&webhook);
    if !batch.deadline.leaves(timeout) {
        return Err(NotAttempted::NoTime.into());
    }
    if !rate_limit::acquire(app, &webhook, message).await? {
        return Ok(());
    }
    let endpoint = Endpoint::of(webhook, &app.table, &app.keys).await?;
    let (tokens, webhook) = (
        Tokens {
            table: &app.table,
            keys: &app.keys,
            egress: &app.egress,
            hops: event.hops,
        },
        &endpoint.webhook,
    );
    // Acquiring a slot, reading a service and getting a token take an unbounded time.
    let waited = webhook.settings.rate_limit_per_second.is_some() || endpoint.connection.is_some();
    let ready = async |call: Duration| {
        let stale = waited || batch.read_at.elapsed() > MAX_ROW_AGE;
        if stale
            && app
                .table
                .stopped(webhook.id)
                .await?
                .includes(message.queued_at)
        {
            return Err(NotAttempted::Stopped);
        }
        if batch.deadline.leaves(call) {
            Ok(())
        } else {
            Err(NotAttempted::NoTime)
        }
    };
    let (made, outcome) = match attempt::make(
        tokens,
        &endpoint,
        event,
        message.attempt_token.number,
        timeout,
        ready,
    )
    .await
    {
        Err(NotAttempted::Stopped) => return cancel(app, was, message, event).await,
        made => made?,
    };
    let row = Delivery::record_attempt(
        was.clone(),
        &CompletedAttempt {
            message,
            event_type: &event.kind,
            attempt: &made,
            outcome: &outcome,
            stops: webhook.stopped_by(&outcome, clock::now()),
        },
        &webhook.settings.retry,
        clock::now(),
        random::token(),
    );
    log(&row, &made);
    match app.table.record(&row, was.as_ref(), Some(&made)).await? {
        Written::Yes => {
            health::record(app, webhook, &row, &made, &outcome).await;
            follow_up::first(app, &row, Some(webhook), &made).await
        }
        Written::ConditionFailed => handle_conflict(app, message).await,
    }
}

async fn cancel(
    app: &App,
    was: Option<Delivery>,
    message: &DeliveryTask,
    event: &EventText,
) -> Result<(), DeliverError> {
    let row = Delivery::cancelled(was.clone(), message, &event.kind, clock::now());
    tracing::info!(delivery = %row.id, number = message.attempt_token.number, status = row.status.as_str(), "cancelled");
    // Condition failed: a duplicate or a manual retry won the race; this message is obsolete.
    let (Written::Yes | Written::ConditionFailed) =
        app.table.record(&row, was.as_ref(), None).await?;
    Ok(())
}

/// Handles a row that changed since the batch was read. If a duplicate of this message recorded it,
/// the follow-up may be missing.
async fn handle_conflict(app: &App, message: &DeliveryTask) -> Result<(), DeliverError> {
    let row = app.table.delivery(message.delivery).await?;
    match arrive(row.as_ref(), message) {
        Arrival::FollowUp => follow_up::repeat(app, message).await,
        // This message became the awaited one in the meantime. Its attempt is not recorded yet.
        Arrival::Attempt => Err(DeliverError::Busy),
        Arrival::Stale => Ok(()),
    }
}

fn log(row: &Delivery, made: &Attempt) {
    tracing::info!(
        delivery = %row.id,
        webhook = %row.id.webhook,
        event = %row.id.event,
        number = made.number,
        status_code = made.status_code,
        error = made.error,
        duration_ms = made.duration_ms,
        status = row.status.as_str(),
        "attempt"
    );
}

/// Handling of messages that need no attempt now.
enum Deferred {
    Requeue(DeliveryTask, u32),
    RequeueSend(SendTask, u32),
    DeadLetter(String, String),
}

impl Deferred {
    /// Performs it. Returns the message's ID if that failed.
    async fn act(self, app: &App, message_id: String) -> Option<String> {
        let result = match self {
            Self::Requeue(message, delay_seconds) => {
                send(&app.retries, &message, delay_seconds).await
            }
            Self::RequeueSend(task, delay_seconds) => {
                messages::queue(app, &task, delay_seconds, None).await
            }
            Self::DeadLetter(body, why) => dead_letter(app, body, &why).await,
        };
        result.err().map(|error| {
            tracing::error!(%error, "message not re-queued");
            message_id
        })
    }
}

/// Queues a message for its attempt.
async fn send(
    queue: &Queue,
    message: &DeliveryTask,
    delay_seconds: u32,
) -> Result<(), DeliverError> {
    let group = Some(message.delivery.webhook.to_string());
    Ok(queue.send_json(message, delay_seconds, group).await?)
}

/// Sends a message that can't be processed to `dead`, which has an alarm.
async fn dead_letter(app: &App, body: String, why: &str) -> Result<(), DeliverError> {
    tracing::error!(why, "message dead-lettered");
    Ok(app
        .dead
        .send(OutgoingMessage {
            body,
            delay_seconds: 0,
            group: None,
        })
        .await?)
}

/// Loads the webhook of a delivery. None if it was deleted.
async fn webhook_of(app: &App, row: &Delivery) -> Result<Option<Webhook>, DeliverError> {
    Ok(app.table.webhook(row.id.webhook, &app.keys).await?)
}
