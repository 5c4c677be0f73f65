//! Re-queues, once an hour, what an outage left behind.
//!
//! A delivery whose next attempt is overdue by an hour has lost its message. It is sent that
//! message again, under a new token, which then is the awaited one: should the old message still
//! live, it is a stale copy from then on. Then the dead letters that SQS itself moved go back to
//! their queues ([`redrive`]): deliveries of which no attempt was made have no row to find them by.
//! The run ends in time for its deadline; the next one goes on where it ended.

mod redrive;

use std::time::Duration;

use domain::delivery::{Delivery, HEAD_START};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use platform::{
    clock,
    deadline::Deadline,
    queue::{Queue, QueueError},
    random,
    table::{Table, TableError, Written},
};
use serde::{Deserialize, Serialize};

/// What the sweeper works with.
#[derive(Debug)]
pub struct App {
    /// The table.
    pub table: Table,
    /// Where events wait to be dispatched.
    pub events: Queue,
    /// Where first attempts wait.
    pub deliveries: Queue,
    /// Where later attempts wait.
    pub retries: Queue,
    /// The dead letters.
    pub dead: Queue,
}

/// What the schedule sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// As of when: the time for which the schedule meant this run. Anything but an RFC 3339 time
    /// means now.
    pub now: String,
}

/// What came of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// How many deliveries were overdue.
    pub overdue: usize,
    /// How many were sent their message again; the others have gone on by themselves.
    pub sent: usize,
    /// How many dead letters were sent back to their queues.
    pub redriven: usize,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A message could not be queued.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// How long after its time an attempt counts as lost.
const PATIENCE: SignedDuration = SignedDuration::from_hours(1);
/// How many deliveries are worked on side by side.
const CONCURRENT: usize = 16;

/// What is left of a run for the dead letters, at least.
const REDRIVE_TIME: Duration = Duration::from_secs(10);

/// Sends every overdue delivery its message again, then redrives dead letters. A delivery that
/// fails holds up no other one and no dead letter. Where the walk itself fails the next run goes on
/// from there, and dead letters stay where they are.
pub async fn handle(app: &App, request: &Request, deadline: Deadline) -> Result<Swept, SweepError> {
    let now = request.now.parse().unwrap_or_else(|_| clock::now());
    let before = now.checked_sub(PATIENCE).unwrap_or(Timestamp::MIN);
    let mut swept = Swept::default();
    let start = app.table.sweeper_position().await?;
    let (mut walked, mut failure) = (Ok(()), None);
    let mut position = Some(start.clone());
    while let Some(from) = position.take_if(|_| deadline.leaves(REDRIVE_TIME)) {
        let overdue = match app.table.overdue(from.clone(), before).await {
            Ok(overdue) => overdue,
            Err(error) => {
                (position, walked) = (Some(from), Err(error));
                break;
            }
        };
        position = overdue.next;
        let revived = stream::iter(overdue.rows.into_iter().map(|row| revive(app, row)));
        for result in revived
            .buffer_unordered(CONCURRENT)
            .collect::<Vec<_>>()
            .await
        {
            swept.overdue += 1;
            match result {
                Ok(sent) => swept.sent += usize::from(sent),
                Err(error) => {
                    tracing::error!(%error, "overdue delivery not re-queued");
                    failure = Some(error);
                }
            }
        }
    }
    // At its end the walk begins anew.
    let position = position.unwrap_or_default();
    if position != start {
        app.table.set_sweeper_position(&position).await?;
    }
    walked?;
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

/// The message goes out before its row is written: it answers both what is awaited before and
/// after. It is due at once, and not at the time for which the run was meant.
async fn revive(app: &App, row: Delivery) -> Result<bool, SweepError> {
    let Some((revived, message)) = row.revived(clock::now(), random::token()) else {
        return Ok(false);
    };
    let group = Some(row.id.webhook.to_string());
    app.retries.send_json(&message, HEAD_START, group).await?;
    Ok(app.table.record(&revived, Some(&row), None).await? == Written::Yes)
}
