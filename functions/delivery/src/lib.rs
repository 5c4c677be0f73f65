//! From a message to one attempt, and from its outcome to what follows.
//!
//! In: batches of the queues `deliveries` and `retries`. Out: HTTP calls, delivery rows, messages
//! to `retries`, events about ends without success. Messages that came early are sent on without
//! any other call. For the rest there is one read for the whole batch, the attempts run side by
//! side, and each ends in one write. What a message means is decided by
//! [`domain::delivery::arrive`]; what a crash may have left undone is repeated when the message
//! comes again.
//!
//! The same queues bring what is to be sent through providers ([`errands`]) and what those report
//! ([`reports`]).

mod errands;
mod follow_up;
mod health;
mod pace;
mod reports;

use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use domain::{
    callback::Notice,
    delivery::{Arrival, Attempt, Delivery, Made, Message, arrive, message::Due},
    event::Event,
    message::{Errand, attempt::Due as ErrandDue},
    webhook::Webhook,
};
use futures::future::join_all;
use platform::{
    attempt::{self, Endpoint, Unsent},
    clock,
    deadline::Deadline,
    document::fault,
    egress::Egress,
    keyring::Keys,
    oauth::Tokens,
    queue::{Outgoing, Queue, QueueError, receipts::Receipts},
    random,
    table::{Table, TableError, Written, deliveries::Context},
};
use tokio::time::Instant;

/// What delivery works with.
pub struct App {
    /// The table.
    pub table: Table,
    /// The keyring.
    pub keys: Keys,
    /// Outgoing HTTP.
    pub egress: Egress,
    /// Where first attempts come from.
    pub deliveries: Queue,
    /// Where later attempts wait.
    pub retries: Queue,
    /// Where events about deliveries go.
    pub events: Queue,
    /// Where messages go that nobody can work on.
    pub dead: Queue,
    /// How the outside addresses us, without a slash at the end: where providers report to.
    pub public_url: String,
}

#[derive(Debug, thiserror::Error)]
enum DeliverError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Unsent(#[from] Unsent),
    #[error("it was changed by others meanwhile")]
    Busy,
}

impl DeliverError {
    /// Logs why a message failed, under what names it; that it did not fit the invocation is no
    /// error.
    fn log(&self, id: &dyn std::fmt::Display, number: u32) {
        match self {
            Self::Unsent(Unsent::NoTime) => {
                tracing::info!(%id, number, "handed back: no time is left for it")
            }
            error => tracing::error!(%id, number, %error, "message failed"),
        }
    }
}

/// What holds for a whole batch.
struct Batch {
    /// What was read for it.
    context: Context,
    /// When that was read, at the earliest.
    read_at: Instant,
    deadline: Deadline,
}

/// How old what was read of a webhook may be when the webhook is called, even if nothing was waited
/// for: it may have been stopped meanwhile.
const FRESH: Duration = Duration::from_secs(1);

/// A message of the batch, with the text that it came as.
struct Received {
    message_id: String,
    body: String,
    message: Message,
}

/// Works on a batch, and names the messages that have to come again. Calls that may last beyond the
/// `deadline` are not begun.
pub async fn handle(app: &App, batch: SqsEvent, deadline: Deadline) -> SqsBatchResponse {
    let receipts = Receipts::of(&batch);
    let now = clock::now();
    let mut due = Vec::with_capacity(batch.records.len());
    let mut rest = Vec::new();
    let (mut errands, mut notices) = (Vec::new(), Vec::new());
    let lost = || "it went round too often".to_owned();
    for record in batch.records {
        let (message_id, body) = (
            record.message_id.unwrap_or_default(),
            record.body.unwrap_or_default(),
        );
        let put_aside = match read(&body) {
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
                } => Rest::Wait(message, delay_seconds),
                Due::Lost => Rest::Bury(body, lost()),
            },
            Ok(Incoming::Errand(errand)) => match errand.due(now) {
                ErrandDue::Now(errand) => {
                    errands.push((message_id, errand));
                    continue;
                }
                ErrandDue::Later {
                    errand,
                    delay_seconds,
                } => Rest::WaitErrand(errand, delay_seconds),
                ErrandDue::Lost => Rest::Bury(body, lost()),
            },
            Ok(Incoming::Notice(notice)) => {
                notices.push((message_id, notice));
                continue;
            }
            Err(error) => Rest::Bury(body, fault(&error)),
        };
        rest.push((message_id, put_aside));
    }
    let (worked, sent, reported, put_aside) = futures::join!(
        work(app, due, deadline),
        errands::work(app, errands, deadline),
        join_all(
            notices
                .into_iter()
                .map(|(id, notice)| reports::one(app, id, notice))
        ),
        join_all(rest.into_iter().map(|(id, rest)| rest.act(app, id))),
    );
    let failed = worked
        .into_iter()
        .chain(sent)
        .chain(reported)
        .chain(put_aside)
        .flatten();
    receipts
        .response(&[&app.deliveries, &app.retries], failed)
        .await
}

/// What the queues bring.
enum Incoming {
    Delivery(Message),
    Errand(Errand),
    Notice(Notice),
}

/// Told apart by the field that names what it is about. Deliveries are most of it.
fn read(body: &str) -> serde_json::Result<Incoming> {
    serde_json::from_str(body)
        .map(Incoming::Delivery)
        .or_else(|error| {
            let errand = || serde_json::from_str(body).map(Incoming::Errand);
            let notice = || serde_json::from_str(body).map(Incoming::Notice);
            errand().or_else(|_| notice()).map_err(|_| error)
        })
}

/// The ids of the messages that failed.
async fn work(app: &App, due: Vec<Received>, deadline: Deadline) -> Vec<Option<String>> {
    let messages: Vec<Message> = due
        .iter()
        .map(|received| received.message.clone())
        .collect();
    if messages.is_empty() {
        return Vec::new();
    }
    let read_at = Instant::now();
    match app.table.context(&messages).await {
        Ok(context) => {
            let batch = Batch {
                context,
                read_at,
                deadline,
            };
            join_all(due.into_iter().map(|received| one(app, &batch, received))).await
        }
        Err(error) => {
            tracing::error!(%error, "batch not read");
            due.into_iter()
                .map(|received| Some(received.message_id))
                .collect()
        }
    }
}

/// The message's id when it failed.
async fn one(app: &App, batch: &Batch, received: Received) -> Option<String> {
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
                let event = match &message.event {
                    Some(event) => Some(event.clone()),
                    None => stored.map(|stored| stored.event.parse()).transpose()?,
                };
                match event {
                    Some(mut event) => {
                        message.hops = message.hops.max(event.hops);
                        event.hops = message.hops;
                        Box::pin(deliver(app, batch, &message, &event)).await
                    }
                    None => bury(app, body, "its event is not there any more").await,
                }
            }
        }
    };
    work.await.err().map(|error| {
        error.log(&message.delivery, message.ticket.number);
        message_id
    })
}

/// Makes the attempt, unless the webhook was stopped; records what came of it; does what follows.
async fn deliver(
    app: &App,
    batch: &Batch,
    message: &Message,
    event: &Event,
) -> Result<(), DeliverError> {
    let was = batch.context.delivery(message.delivery);
    let webhook = match batch.context.webhook(message.delivery.webhook) {
        Some(row) if !row.stopped().covers(message.queued_at) => row.open(&app.keys).await?,
        _ => return cancel(app, was, message, event).await,
    };
    let timeout = attempt::timeout(&webhook);
    if !batch.deadline.leaves(timeout) {
        return Err(Unsent::NoTime.into());
    }
    if !pace::keep(app, &webhook, message).await? {
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
    // A turn, a service's row and a token are other calls, which take who knows how long.
    let called_others =
        webhook.settings.rate_limit_per_second.is_some() || endpoint.connection.is_some();
    let ready = async |call: Duration| {
        let stale = called_others || batch.read_at.elapsed() > FRESH;
        if stale
            && app
                .table
                .stopped(webhook.id)
                .await?
                .covers(message.queued_at)
        {
            return Err(Unsent::Stopped);
        }
        if batch.deadline.leaves(call) {
            Ok(())
        } else {
            Err(Unsent::NoTime)
        }
    };
    let (made, outcome) = match attempt::make(
        tokens,
        &endpoint,
        event,
        message.ticket.number,
        timeout,
        ready,
    )
    .await
    {
        Err(Unsent::Stopped) => return cancel(app, was, message, event).await,
        made => made?,
    };
    let row = Delivery::after(
        was.clone(),
        &Made {
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
            health::note(app, webhook, &row, &made, &outcome).await;
            follow_up::first(app, &row, Some(webhook), &made).await
        }
        Written::Refused => after_twin(app, message).await,
    }
}

async fn cancel(
    app: &App,
    was: Option<Delivery>,
    message: &Message,
    event: &Event,
) -> Result<(), DeliverError> {
    let row = Delivery::cancelled(was.clone(), message, &event.kind, clock::now());
    tracing::info!(delivery = %row.id, number = message.ticket.number, status = row.status.as_str(), "cancelled");
    // Refused: a twin came first, or a manual retry: either way this message has had its day.
    let (Written::Yes | Written::Refused) = app.table.record(&row, was.as_ref(), None).await?;
    Ok(())
}

/// Somebody else recorded since the batch was read. Were it this very message, its follow-up may be
/// missing.
async fn after_twin(app: &App, message: &Message) -> Result<(), DeliverError> {
    let row = app.table.delivery(message.delivery).await?;
    match arrive(row.as_ref(), message) {
        Arrival::FollowUp => follow_up::repeat(app, message).await,
        // It took the place of another message meanwhile: its attempt is still to be recorded.
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

/// What is done with messages that no attempt is made for.
enum Rest {
    Wait(Message, u32),
    WaitErrand(Errand, u32),
    Bury(String, String),
}

impl Rest {
    /// The message's id when it failed.
    async fn act(self, app: &App, message_id: String) -> Option<String> {
        let result = match self {
            Self::Wait(message, delay_seconds) => send(&app.retries, &message, delay_seconds).await,
            Self::WaitErrand(errand, delay_seconds) => {
                errands::queue(app, &errand, delay_seconds, None).await
            }
            Self::Bury(body, why) => bury(app, body, &why).await,
        };
        result.err().map(|error| {
            tracing::error!(%error, "message not sent on");
            message_id
        })
    }
}

/// Queues a message for its attempt.
async fn send(queue: &Queue, message: &Message, delay_seconds: u32) -> Result<(), DeliverError> {
    let group = Some(message.delivery.webhook.to_string());
    Ok(queue.send_json(message, delay_seconds, group).await?)
}

/// Sends what can't be worked on to `dead`, where an alarm watches.
async fn bury(app: &App, body: String, why: &str) -> Result<(), DeliverError> {
    tracing::error!(why, "message sent to the dead letters");
    Ok(app
        .dead
        .send(Outgoing {
            body,
            delay_seconds: 0,
            group: None,
        })
        .await?)
}

/// The webhook of a delivery whose row is known; none when it was deleted.
async fn webhook_of(app: &App, row: &Delivery) -> Result<Option<Webhook>, DeliverError> {
    Ok(app.table.webhook(row.id.webhook, &app.keys).await?)
}
