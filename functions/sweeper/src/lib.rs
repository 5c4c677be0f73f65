//! Finding deliveries that wait in vain, and sending what they wait for again.
//!
//! Once an hour the time comes in. A delivery whose next attempt is overdue by an hour has lost its message: it ended among
//! the dead letters, or was deleted with them. Such a delivery is sent its message again, under a new token, which then is
//! the awaited one: should the old message still live, it is a stale copy from then on. Deliveries of which no attempt was
//! ever made have no row to find them by: their first messages are in `dead` until they are redriven.

use domain::delivery::{Delivery, HEAD_START, Status};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use platform::{
    clock,
    queue::{Queue, QueueError},
    random,
    table::{Table, TableError, Written, walk::Slice},
};
use serde::{Deserialize, Serialize};

/// What the sweeper works with.
#[derive(Debug)]
pub struct App {
    /// The table.
    pub table: Table,
    /// Where later attempts wait.
    pub retries: Queue,
}

/// What the schedule sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// As of when: the time for which the schedule meant this run. Anything but an RFC 3339 time means now.
    pub now: String,
}

/// What came of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// How many deliveries were overdue.
    pub overdue: usize,
    /// How many were sent their message again; the others have gone on by themselves.
    pub sent: usize,
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
/// How many deliveries are read at once.
const PAGE: usize = 500;
/// How many deliveries are worked on side by side.
const CONCURRENT: usize = 16;

/// Sends every overdue delivery its message again. After an error the next run goes on.
pub async fn handle(app: &App, request: &Request) -> Result<Swept, SweepError> {
    let now = request.now.parse().unwrap_or_else(|_| clock::now());
    let before = now.checked_sub(PATIENCE).unwrap_or(Timestamp::MIN);
    let (mut swept, mut after) = (Swept::default(), None);
    loop {
        let page = app.table.deliveries_with(Status::Retrying, &Slice::new(after, PAGE)).await?;
        let is_overdue = |row: &Delivery| row.awaited.as_ref().is_some_and(|awaited| awaited.due_at <= before);
        let overdue = page.items.into_iter().filter(is_overdue);
        let results: Vec<Result<bool, SweepError>> =
            stream::iter(overdue.map(|row| revive(app, row))).buffer_unordered(CONCURRENT).collect().await;
        for result in results {
            swept.overdue += 1;
            swept.sent += usize::from(result?);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if swept.overdue > 0 {
        tracing::warn!(overdue = swept.overdue, sent = swept.sent, "swept");
    }
    Ok(swept)
}

/// The message goes out before its row is written: it answers both what is awaited before and after. It is due at once, and
/// not at the time for which the run was meant.
async fn revive(app: &App, row: Delivery) -> Result<bool, SweepError> {
    let Some((revived, message)) = row.revived(clock::now(), random::token()) else { return Ok(false) };
    let group = Some(row.id.webhook.to_string());
    app.retries.send_json(&message, HEAD_START, group).await?;
    Ok(app.table.record(&revived, Some(&row), None).await? == Written::Yes)
}
