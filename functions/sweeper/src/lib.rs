//! Re-queues deliveries whose queue message was lost, once an hour.
//!
//! A delivery whose next attempt is more than an hour overdue is assumed to have lost its message. The sweeper
//! queues a new message with a new token. The old message, if it still exists, is obsolete from
//! then on. Then it moves the dead letters that SQS itself created back to their queues
//! ([`redrive`]), because deliveries without an attempt have no row to find them by. The run stops
//! before its deadline, and the next one resumes from there.

mod redrive;

use std::{collections::BTreeSet, time::Duration};

use domain::{
    delivery::{Delivery, WRITE_AHEAD_DELAY_SECS},
    id::WebhookId,
    queue_message::QueueMessage,
};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use platform::{
    clock,
    deadline::Deadline,
    queue::{Queue, QueueError},
    random,
    table::{
        Table, TableError, Written,
        overdue::{Overdue, SweeperPosition},
    },
};
use serde::{Deserialize, Serialize};

/// Dependencies of the sweeper.
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
    /// The dead-letter queue.
    pub dead: Queue,
}

/// The schedule's input.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The scheduled time of this run (RFC 3339). Any other text means the current time.
    pub now: String,
}

/// Result of a run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Number of overdue deliveries.
    pub overdue: usize,
    /// Number of deliveries that were re-queued. The others moved on by themselves.
    pub sent: usize,
    /// Number of dead letters that were moved back to their queues.
    pub redriven: usize,
}

/// Error of a run.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Reading or writing the table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A message could not be queued.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Time after which an overdue attempt counts as lost.
const OVERDUE_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Maximum number of deliveries that are processed concurrently.
const MAX_CONCURRENT_DELIVERIES: usize = 16;

/// Minimum time of a run that is reserved for dead letters.
const REDRIVE_TIME: Duration = Duration::from_secs(10);

/// Re-queues every overdue delivery, then redrives dead letters. A delivery that fails does not
/// stop the others, nor the redrive.
///
/// # Errors
///
/// If listing the overdue deliveries fails, the run ends without a redrive, and the next run
/// resumes from there. An error of a single delivery is returned at the end.
pub async fn handle(app: &App, request: &Request, deadline: Deadline) -> Result<Swept, SweepError> {
    let now = request.now.parse().unwrap_or_else(|_| clock::now());
    let before = now.checked_sub(OVERDUE_AFTER).unwrap_or(Timestamp::MIN);
    let mut swept = Swept::default();
    let start = app.table.sweeper_position().await?;
    let (mut listed, mut failure) = (Ok(()), None);
    let mut position = Some(start.clone());
    while let Some(from) = position.take_if(|_| deadline.leaves(REDRIVE_TIME)) {
        let overdue = match overdue(app, from.clone(), before).await {
            Ok(overdue) => overdue,
            Err(error) => {
                (position, listed) = (Some(from), Err(error));
                break;
            }
        };
        position = overdue.next;
        let requeued = stream::iter(overdue.rows.into_iter().map(|row| requeue(app, row)));
        for result in requeued
            .buffer_unordered(MAX_CONCURRENT_DELIVERIES)
            .collect::<Vec<_>>()
            .await
        {
            swept.overdue += 1;
            match result {
                Ok(sent) => swept.sent += usize::from(sent),
                Err(error) => {
                    tracing::error!(%error, "failed to re-queue overdue delivery");
                    failure = Some(error);
                }
            }
        }
    }
    // After the last page the scan starts over.
    let position = position.unwrap_or_default();
    if position != start {
        app.table.set_sweeper_position(&position).await?;
    }
    listed?;
    swept.redriven = redrive::run(app, deadline).await?;
    if swept != Swept::default() {
        tracing::warn!(
            overdue = swept.overdue,
            sent = swept.sent,
            redriven = swept.redriven,
            "swept"
        );
    }
    failure.map_or(Ok(swept), Err)
}

/// Returns the next overdue deliveries, without those that may be waiting for their webhook's rate
/// limit: a new message would move them to the end of the line, every time. A message that was lost
/// there is found once the line has ended.
async fn overdue(
    app: &App,
    from: SweeperPosition,
    before: Timestamp,
) -> Result<Overdue, TableError> {
    let mut overdue = app.table.overdue(from, before).await?;
    let webhooks: BTreeSet<WebhookId> = overdue.rows.iter().map(|row| row.id.webhook).collect();
    let ends = app.table.line_ends(webhooks).await?;
    let may_wait = |row: &Delivery| ends.get(&row.id.webhook).is_some_and(|end| *end >= before);
    overdue.rows.retain(|row| !may_wait(row));
    Ok(overdue)
}

/// Re-queues one delivery. The message is sent before the row is written. It matches both the old
/// and the new state of the row. It is due immediately, not at the scheduled time of the run.
async fn requeue(app: &App, row: Delivery) -> Result<bool, SweepError> {
    let Some((requeued, task)) = row.requeue_overdue(clock::now(), random::token()) else {
        return Ok(false);
    };
    let group = Some(row.id.webhook.to_string());
    app.retries
        .send_json(&QueueMessage::from(task), WRITE_AHEAD_DELAY_SECS, group)
        .await?;
    Ok(app.table.record(&requeued, Some(&row), None).await? == Written::Yes)
}
