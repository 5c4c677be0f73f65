//! Creates the deliveries of accepted events.
//!
//! Input: batches from the queue `events`. Output: the event's row with the webhooks that match,
//! and one message for each match, to `deliveries` or, with a delay, to `retries`. The row is
//! written only if absent, and the messages are *always* sent. A crash at any point is repaired by
//! redelivery. Once the row exists, its matches and their delays are final. An event that ends
//! delays is recorded as such before its row is written.

mod matching;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::{
    delivery::DeliveryTask,
    event::EventText,
    id::{DeliveryId, WebhookId},
    pattern::EventType,
    queue_message::QueueMessage,
};
use futures::{StreamExt, TryStreamExt, future::join_all, stream};
use platform::{
    clock,
    deadline::Deadline,
    document::describe_json_error,
    queue::{OutgoingMessage, Queue, QueueError, ascii_json, receipts::Receipts},
    random,
    table::{Table, TableError, events::Dispatched},
};

use self::matching::Found;

/// Dependencies of the dispatch function.
#[derive(Debug)]
pub struct App {
    /// The DynamoDB table.
    pub table: Table,
    /// Queue of accepted events.
    pub events: Queue,
    /// Queue of first attempts and manual retries.
    pub deliveries: Queue,
    /// Queue of later attempts, and of first ones with a delay.
    pub retries: Queue,
    /// Dead-letter queue for unreadable messages.
    pub dead: Queue,
}

/// Maximum size in bytes of an event that the delivery message includes. Larger ones are read from
/// the table.
const MAX_INLINE_EVENT_BYTES: usize = 32 * 1024;
/// Maximum size in bytes of all copies of one event in its messages. Bounds the memory for a
/// thousand matches.
const MAX_COPIES_BYTES: usize = 1 << 20;
/// Maximum number of concurrent writes about the delays that an event ends.
const MAX_CONCURRENT_RECORDS: usize = 16;

#[derive(Debug, thiserror::Error)]
enum DispatchError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("failed to read the subscriptions of {0}")]
    Subscriptions(EventType),
    #[error("the event's data is not JSON")]
    Data,
    #[error("not enough time left in this invocation")]
    NoTime,
}

/// Dispatches a batch and returns the messages that SQS must redeliver. Work that can't finish by
/// the `deadline` is not started.
pub async fn handle(app: &App, batch: SqsEvent, deadline: Deadline) -> SqsBatchResponse {
    let receipts = Receipts::of(&batch);
    let mut failed = Vec::new();
    let mut events = Vec::with_capacity(batch.records.len());
    for record in batch.records {
        match serde_json::from_str::<EventText>(record.body.as_deref().unwrap_or_default()) {
            Ok(event) => events.push((record.message_id.unwrap_or_default(), event)),
            Err(error) => failed.extend(dead_letter(app, record, &error).await),
        }
    }
    let texts: Vec<&EventText> = events.iter().map(|(_, event)| event).collect();
    let found = matching::find(app, &texts, deadline).await;
    let results = join_all(
        texts
            .into_iter()
            .zip(found)
            .map(|(event, found)| put_event(app, event, found)),
    )
    .await;
    let mut outgoing = Vec::new();
    let mut sent = Vec::with_capacity(events.len());
    for ((message_id, event), result) in events.into_iter().zip(results) {
        match result.and_then(|dispatched| Ok((messages(&dispatched)?, dispatched))) {
            Ok((messages, dispatched)) => {
                tracing::info!(event = %event.id, kind = %event.kind, matches = dispatched.matches.len(), "dispatched");
                if !messages.is_empty() {
                    sent.push(message_id);
                }
                outgoing.extend(messages);
            }
            Err(error) => {
                tracing::error!(event = %event.id, %error, "failed to dispatch event");
                failed.push(message_id);
            }
        }
    }
    // The messages of all events are sent together. After a failure it is unknown which events were
    // queued, so all events with messages are redelivered.
    if let Err(error) = send(app, outgoing).await {
        tracing::error!(%error, "failed to queue deliveries");
        failed.extend(sent);
    }
    receipts.response(&[&app.events], failed).await
}

/// Records the delays that the event ends, and writes it with its matches unless it exists. Returns
/// the stored matches.
async fn put_event(
    app: &App,
    event: &EventText,
    found: Result<Found, DispatchError>,
) -> Result<Dispatched, DispatchError> {
    let (found, now) = (found?, clock::now());
    let records: Vec<_> = (found.superseding.iter())
        .map(|(webhook, fingerprint)| {
            app.table
                .record_superseding(*webhook, fingerprint, event.id, now)
        })
        .collect();
    stream::iter(records)
        .buffer_unordered(MAX_CONCURRENT_RECORDS)
        .try_collect::<()>()
        .await?;
    let dispatched = Dispatched {
        event: event.clone(),
        matches: found.matches(),
        dispatched_at: now,
        delays: found.delays(),
    };
    Ok(app.table.put_event(dispatched).await?)
}

/// Sends first attempts. Those with a delay wait in the queue `retries`.
async fn send(app: &App, messages: Vec<OutgoingMessage>) -> Result<(), QueueError> {
    let (delayed, due): (Vec<_>, Vec<_>) = messages
        .into_iter()
        .partition(|message| message.delay_seconds > 0);
    app.deliveries.send_all(due).await?;
    Ok(app.retries.send_all(delayed).await?)
}

fn messages(dispatched: &Dispatched) -> Result<Vec<OutgoingMessage>, DispatchError> {
    let Dispatched {
        event,
        matches,
        dispatched_at,
        ..
    } = dispatched;
    if matches.is_empty() {
        return Ok(Vec::new());
    }
    // A large event is not serialized only to learn its size.
    let size = if event.data.len() <= MAX_INLINE_EVENT_BYTES {
        ascii_json(event)?.len()
    } else {
        event.data.len()
    };
    let is_inline = size <= MAX_INLINE_EVENT_BYTES && size * matches.len() <= MAX_COPIES_BYTES;
    let inline = is_inline.then(|| event.clone());
    let message = |webhook: &WebhookId| {
        let delivery = DeliveryId {
            event: event.id,
            webhook: *webhook,
        };
        let task = DeliveryTask::first(delivery, random::token(), *dispatched_at, inline.clone());
        let task = match dispatched.delay_ends_at(*webhook) {
            Some(ends_at) => task.delayed(ends_at, dispatched.due_at(*webhook)),
            None => task,
        };
        let delay_seconds = task.attempt.delay(clock::now());
        // Each webhook has its own message group, so that a backlog at one does not delay the
        // others (SQS fair queues).
        Ok(OutgoingMessage {
            body: ascii_json(&QueueMessage::from(task))?,
            delay_seconds,
            group: Some(webhook.to_string()),
        })
    };
    matches.iter().map(message).collect()
}

/// Sends an unreadable message to `dead`. Returns its ID if that fails, so that SQS redelivers it.
async fn dead_letter(app: &App, record: SqsMessage, error: &serde_json::Error) -> Option<String> {
    tracing::error!(
        message_id = record.message_id,
        error = describe_json_error(error),
        "not an event: message dead-lettered"
    );
    let body = record.body.unwrap_or_default();
    let sent = app
        .dead
        .send(OutgoingMessage {
            body,
            delay_seconds: 0,
            group: None,
        })
        .await;
    sent.err().and_then(|error| {
        tracing::error!(%error, "failed to send dead letter");
        record.message_id
    })
}
