//! Sends dead letters back to the queue that SQS moved them from.
//!
//! Whatever a function sent to the dead letters by its own judgement stays there, and so does what
//! came back too often: it is the message that makes the function fail, not the times.

use std::time::Duration;

use futures::{StreamExt, stream};
use platform::{
    deadline::Deadline,
    queue::{Queue, QueueError, redrive::DeadLetter},
};

use super::App;

/// How often a dead letter is sent back; each time it is received two hundred more times, over
/// hours.
const MAX_REDRIVES: u32 = 3;
/// How many dead letters a run looks at, at most.
const MAX_LETTERS: usize = 20_000;
/// What ten letters may take.
const STEP: Duration = Duration::from_secs(5);

/// Sends back what can be, and returns how many that were. What stays becomes visible again at the
/// end.
pub(super) async fn run(app: &App, deadline: Deadline) -> Result<usize, QueueError> {
    let (mut sent, mut left) = (0, Vec::new());
    let mut result = Ok(());
    while result.is_ok() && sent + left.len() < MAX_LETTERS && deadline.leaves(STEP) {
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

/// The queue that a letter goes back to; none when it stays.
fn destination<'a>(app: &'a App, letter: &DeadLetter) -> Option<&'a Queue> {
    let queues = [&app.events, &app.deliveries, &app.retries];
    queues
        .into_iter()
        .find(|queue| letter.came_from(queue))
        .filter(|_| letter.redrives < MAX_REDRIVES)
}
