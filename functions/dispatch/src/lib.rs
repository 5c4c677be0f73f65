//! From an accepted event to its deliveries.
//!
//! In: batches of the queue `events`. Out: the event's row with the webhooks that matched, and one
//! message to `deliveries` for each. The row is written if absent and the messages are *always*
//! sent: a crash at any point is repaired by the redelivery, and once the row exists its matches
//! stand, nothing is evaluated anew.

mod matching;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::{
    delivery::Message,
    id::{DeliveryId, WebhookId},
    pattern::EventType,
};
use futures::future::join_all;
use platform::{
    clock,
    deadline::Deadline,
    document::fault,
    queue::{Outgoing, Queue, QueueError, ascii_json, receipts::Receipts},
    random,
    table::{
        Table, TableError,
        events::{Dispatched, EventText},
    },
};

/// What dispatch works with.
#[derive(Debug)]
pub struct App {
    /// The table.
    pub table: Table,
    /// Where events come from.
    pub events: Queue,
    /// Where attempts are asked for.
    pub deliveries: Queue,
    /// Where messages go that nobody can read.
    pub dead: Queue,
}

/// First messages carry an event of up to this many bytes, so that its delivery need not read it.
const MOST_CARRIED: usize = 32 * 1024;
/// The most bytes that the copies of one event take in its messages: a thousand matches must fit
/// the function's memory.
const MOST_COPIED: usize = 1 << 20;

#[derive(Debug, thiserror::Error)]
enum DispatchError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("the subscriptions of {0} could not be read")]
    Subscriptions(EventType),
    #[error("the invocation leaves no time for it")]
    NoTime,
}

/// Dispatches a batch, and names the messages that have to come again. What can't be done by the
/// `deadline` is not begun.
pub async fn handle(app: &App, batch: SqsEvent, deadline: Deadline) -> SqsBatchResponse {
    let receipts = Receipts::of(&batch);
    let mut failed = Vec::new();
    let mut events = Vec::with_capacity(batch.records.len());
    for record in batch.records {
        match serde_json::from_str::<EventText>(record.body.as_deref().unwrap_or_default()) {
            Ok(event) => events.push((record.message_id.unwrap_or_default(), event)),
            Err(error) => failed.extend(bury(app, record, &error).await),
        }
    }
    let texts: Vec<&EventText> = events.iter().map(|(_, event)| event).collect();
    let matches = matching::matches(app, &texts, deadline).await;
    let results = join_all(
        texts
            .into_iter()
            .zip(matches)
            .map(|(event, matches)| write(app, event, matches)),
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
                tracing::error!(event = %event.id, %error, "not dispatched");
                failed.push(message_id);
            }
        }
    }
    // One batch for all events: which of them got through a failure is unknown, so all that had
    // messages come again.
    if let Err(error) = app.deliveries.send_all(outgoing).await {
        tracing::error!(%error, "deliveries not queued");
        failed.extend(sent);
    }
    receipts.response(&[&app.events], failed).await
}

/// The event with its matches: those that stand in the table, or else those of now, which then
/// stand there.
async fn write(
    app: &App,
    event: &EventText,
    matches: Result<Vec<WebhookId>, DispatchError>,
) -> Result<Dispatched, DispatchError> {
    let dispatched = Dispatched {
        event: event.clone(),
        matches: matches?,
        dispatched_at: clock::now(),
    };
    Ok(app.table.put_event(dispatched).await?)
}

fn messages(dispatched: &Dispatched) -> Result<Vec<Outgoing>, DispatchError> {
    let Dispatched {
        event,
        matches,
        dispatched_at,
    } = dispatched;
    if matches.is_empty() {
        return Ok(Vec::new());
    }
    let carried = if event.data.len() <= MOST_CARRIED {
        Some(event.parse()?)
    } else {
        None
    };
    let carried = carried
        .map(|event| Ok::<_, QueueError>((ascii_json(&event)?.len(), event)))
        .transpose()?;
    let fits = |size: usize| size <= MOST_CARRIED && size * matches.len() <= MOST_COPIED;
    let carried = carried
        .filter(|(size, _)| fits(*size))
        .map(|(_, event)| event);
    let message = |webhook: &WebhookId| {
        let delivery = DeliveryId {
            event: event.id,
            webhook: *webhook,
        };
        let message = Message::first(delivery, random::token(), *dispatched_at, carried.clone());
        // A group of its own for each webhook: SQS's fair queues keep one with a backlog from
        // holding up the others.
        Ok(Outgoing {
            body: ascii_json(&message)?,
            delay_seconds: 0,
            group: Some(webhook.to_string()),
        })
    };
    matches.iter().map(message).collect()
}

/// Sends what can't be read to `dead`; its id comes back when that fails, so that nothing is lost.
async fn bury(app: &App, record: SqsMessage, error: &serde_json::Error) -> Option<String> {
    tracing::error!(
        message_id = record.message_id,
        error = fault(error),
        "not an event: sent to the dead letters"
    );
    let body = record.body.unwrap_or_default();
    let sent = app
        .dead
        .send(Outgoing {
            body,
            delay_seconds: 0,
            group: None,
        })
        .await;
    sent.err().and_then(|error| {
        tracing::error!(%error, "dead letter not sent");
        record.message_id
    })
}
