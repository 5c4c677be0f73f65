//! Moves dead letters back to the queue that SQS moved them from.
//!
//! Messages that a function dead-lettered itself stay, and so do those that were redriven
//! [`MAX_REDRIVES`] times: the message causes the failure, not an outage.

use std::time::Duration;

use futures::{StreamExt, stream};
use platform::{
    deadline::Deadline,
    queue::{Queue, QueueError, redrive::DeadLetter},
};

use super::App;

/// Maximum number of redrives of a dead letter. Each allows 200 more receives, over hours.
const MAX_REDRIVES: u32 = 3;
/// Maximum number of dead letters per run.
const MAX_LETTERS: usize = 20_000;
/// Upper bound for the time that ten letters take.
const BATCH_TIME: Duration = Duration::from_secs(5);

/// Redrives all eligible dead letters and returns their number. The others become visible again at
/// the end.
pub(super) async fn run(app: &App, deadline: Deadline) -> Result<usize, QueueError> {
    let (mut sent, mut left) = (0, Vec::new());
    let mut result = Ok(());
    while result.is_ok() && sent + left.len() < MAX_LETTERS && deadline.leaves(BATCH_TIME) {
        let letters = app.dead.dead_letters().await?;
        if letters.is_empty() {
            break;
        }
        let each = letters
            .into_iter()
            .map(async |letter| match destination(app, &letter) {
                None => Ok(Some(letter)),
                Some(queue) => queue.redrive(&letter, &app.dead).await.map(|()| None),
            });
        for done in stream::iter(each)
            .buffer_unordered(10)
            .collect::<Vec<_>>()
            .await
        {
            match done {
                Ok(None) => sent += 1,
                Ok(Some(letter)) => left.push(letter),
                Err(error) => result = Err(error),
            }
        }
    }
    app.dead.release(&left).await?;
    result.map(|()| sent)
}

/// The source queue of a letter, or none if the letter stays.
fn destination<'a>(app: &'a App, letter: &DeadLetter) -> Option<&'a Queue> {
    let queues = [&app.events, &app.deliveries, &app.retries];
    queues
        .into_iter()
        .find(|queue| letter.came_from(queue))
        .filter(|_| letter.redrives < MAX_REDRIVES)
}
