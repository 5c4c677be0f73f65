//! Delivers webhooks, messages and calls: makes one attempt for each queue message and records it.
//!
//! Input: batches from the queues `deliveries` and `retries`. Output: HTTP requests, rows, messages
//! on `retries`, and events about deliveries and messages. A task that arrives early is re-queued
//! without a table read. For the others, one read loads the whole batch, the attempts run
//! concurrently, and each ends in one write ([`tasks`]). Steps that a crash may have skipped are
//! repeated when the task is redelivered.
//!
//! [`deliveries`] sends events to webhooks, [`messages`] sends messages and calls through providers,
//! and [`reports`] applies the providers' reports.

mod deliveries;
mod follow_up;
mod health;
mod messages;
mod rate_limit;
mod reports;
mod tasks;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use domain::{
    attempt::{Due, Task},
    delivery::{Delivery, DeliveryTask},
    event::Event,
    queue_message::QueueMessage,
    webhook::Webhook,
};
use futures::future::join_all;
use platform::{
    clock,
    deadline::Deadline,
    document::describe_json_error,
    egress::Egress,
    keyring::KeyringCache,
    queue::{OutgoingMessage, Queue, QueueError, receipts::Receipts},
    service_client::NotAttempted,
    table::{Table, TableError},
};

use self::{deliveries::Deliveries, messages::Messages, tasks::Received};

/// Dependencies of the delivery function.
pub struct App {
    /// The DynamoDB table.
    pub table: Table,
    /// Keyring that decrypts stored secrets.
    pub keys: KeyringCache,
    /// Client for outgoing HTTP requests.
    pub egress: Egress,
    /// Queue of first attempts and manual retries.
    pub deliveries: Queue,
    /// Queue of later attempts, and of first ones with a delay.
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
    #[error("the row was changed concurrently")]
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

/// Processes a batch and returns the messages that SQS must redeliver. Requests that could outlast
/// the `deadline` are not started.
pub async fn handle(app: &App, batch: SqsEvent, deadline: Deadline) -> SqsBatchResponse {
    let receipts = Receipts::of(&batch);
    let (mut deliveries, mut sends) = (Vec::new(), Vec::new());
    let (mut reports, mut deferred) = (Vec::new(), Vec::new());
    for record in batch.records {
        let message_id = record.message_id.unwrap_or_default();
        let body = record.body.unwrap_or_default();
        let group = record.attributes.get("MessageGroupId").cloned();
        match QueueMessage::parse(&body) {
            Ok(QueueMessage::Delivery(task)) => match Received::of(message_id, body, group, task) {
                Ok(received) => deliveries.push(received),
                Err(action) => deferred.push(action),
            },
            Ok(QueueMessage::Send(task)) => match Received::of(message_id, body, group, task) {
                Ok(received) => sends.push(received),
                Err(action) => deferred.push(action),
            },
            Ok(QueueMessage::Report(report)) => reports.push((message_id, report)),
            Err(error) => {
                let reason = describe_json_error(&error);
                deferred.push((message_id, Deferred::DeadLetter(body, reason)));
            }
        }
    }
    let (kind, other) = (Deliveries { app, deadline }, Messages { app, deadline });
    let (delivered, sent, reported, requeued) = futures::join!(
        tasks::process_batch(&kind, deliveries),
        tasks::process_batch(&other, sends),
        join_all(
            reports
                .into_iter()
                .map(|(id, report)| reports::process(app, id, report))
        ),
        join_all(deferred.into_iter().map(|(id, action)| action.act(app, id))),
    );
    let failed = reported.into_iter().chain(requeued).flatten();
    let failed = delivered.into_iter().chain(sent).chain(failed);
    receipts
        .response(&[&app.deliveries, &app.retries], failed)
        .await
}

impl<T: Task + Into<QueueMessage>> Received<T> {
    /// The task if it is due; otherwise the ID of the queue message and what to do with it.
    fn of(
        message_id: String,
        body: String,
        group: Option<String>,
        task: T,
    ) -> Result<Self, (String, Deferred)> {
        match task.due(clock::now()) {
            Due::Now(task) => Ok(Self {
                message_id,
                body,
                task,
            }),
            Due::Later {
                task,
                delay_seconds,
            } => {
                let message = Box::new(task.into());
                Err((
                    message_id,
                    Deferred::Requeue {
                        message,
                        delay_seconds,
                        group,
                    },
                ))
            }
            Due::Lost => {
                let reason = "exceeded the maximum number of re-queues".to_owned();
                Err((message_id, Deferred::DeadLetter(body, reason)))
            }
        }
    }
}

/// Handling of queue messages that need no attempt now.
enum Deferred {
    Requeue {
        message: Box<QueueMessage>,
        delay_seconds: u32,
        /// Its message group, which it keeps.
        group: Option<String>,
    },
    DeadLetter(String, String),
}

impl Deferred {
    /// Performs it. Returns the queue message's ID if that failed.
    async fn act(self, app: &App, message_id: String) -> Option<String> {
        let result = match self {
            Self::Requeue {
                message,
                delay_seconds,
                group,
            } => queue(&app.retries, *message, delay_seconds, group).await,
            Self::DeadLetter(body, why) => dead_letter(app, body, &why).await,
        };
        result.err().map(|error| {
            tracing::error!(%error, "failed to re-queue or dead-letter message");
            message_id
        })
    }
}

/// Queues a message. Each webhook and provider has its own message group, so that a backlog at one
/// does not delay the others (SQS fair queues).
async fn queue(
    queue: &Queue,
    message: impl Into<QueueMessage>,
    delay_seconds: u32,
    group: Option<String>,
) -> Result<(), DeliverError> {
    Ok(queue
        .send_json(&message.into(), delay_seconds, group)
        .await?)
}

/// Queues a task of a delivery.
async fn queue_task(
    to: &Queue,
    task: &DeliveryTask,
    delay_seconds: u32,
) -> Result<(), DeliverError> {
    let group = Some(task.delivery.webhook.to_string());
    queue(to, task.clone(), delay_seconds, group).await
}

/// Loads the webhook of a delivery. None if it was deleted.
async fn webhook_of(app: &App, row: &Delivery) -> Result<Option<Webhook>, DeliverError> {
    Ok(app.table.webhook(row.id.webhook, &app.keys).await?)
}

/// Publishes events. Idempotent: an event's ID is derived from its cause.
async fn publish(app: &App, events: impl IntoIterator<Item = Event>) -> Result<(), DeliverError> {
    for event in events {
        app.events.send_json(&event, 0, None).await?;
    }
    Ok(())
}

/// Sends a message that can't be processed to `dead`, which has an alarm.
async fn dead_letter(app: &App, body: String, why: &str) -> Result<(), DeliverError> {
    app.dead
        .send(OutgoingMessage {
            body,
            delay_seconds: 0,
            group: None,
        })
        .await?;
    tracing::error!(why, "message dead-lettered");
    Ok(())
}
