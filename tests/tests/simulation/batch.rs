//! One invocation of a function: a process works on a batch until it is done, out of time, or ended
//! by a fault.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use platform::clock::{self, Jump};
use tests::fake::{
    sqs::{Message, Name},
    system::{deadline, sqs_event},
};
use tokio::time::{sleep, timeout};

use super::{
    chance::between,
    history::{History, RUNNING},
    system::Done,
};

/// A process that works on batches.
pub(super) type Process = Box<(dispatch::App, delivery::App)>;

/// How long a function may take, as the template has it.
const FUNCTION_TIMEOUT: Duration = Duration::from_mins(1);

/// How a process's clock is wrong: it is off by one amount, and later in the invocation by another.
#[derive(Clone, Copy)]
pub(super) struct ClockError {
    pub(super) first: SignedDuration,
    pub(super) then: SignedDuration,
    /// When it is corrected from the one to the other.
    pub(super) after: Duration,
}

/// Works on a batch, by a clock that is wrong.
pub(super) async fn work(
    history: History,
    process: Process,
    clock_error: ClockError,
    queue: Name,
    batch: Vec<Message>,
) -> Done {
    let running = history.begin_batch(&batch);
    let records = sqs_event(&batch);
    let handled = async {
        match queue {
            Name::Events => dispatch::handle(&process.0, records, deadline()).await,
            _ => delivery::handle(&process.1, records, deadline()).await,
        }
    };
    let jump = Jump {
        after: clock_error.after,
        by: clock_error.then - clock_error.first,
    };
    let handled = timeout(
        FUNCTION_TIMEOUT,
        clock::jumping(clock::now() + clock_error.first, jump, handled),
    );
    let answer = RUNNING.scope(Arc::clone(&running), async {
        tokio::select! {
            biased;
            () = running.crash.notified() => Ok(None),
            answer = handled => answer.map(Some),
        }
    });
    let answer = Box::pin(answer).await;
    let (in_time, answer) = (answer.is_ok(), answer.unwrap_or_default());
    let faults = {
        let mut records = history.records();
        let work = &mut records.work[running.number];
        // A process that takes too long was slowed down.
        work.faults += usize::from(answer.is_none());
        work.faults
    };
    let process = answer.map(|answer| {
        let failed = answer
            .batch_item_failures
            .into_iter()
            .map(|failure| failure.item_identifier)
            .collect();
        (process, failed)
    });
    // The next batch is not asked for at the same moment.
    sleep(Duration::from_millis(between(1, 5))).await;
    Done::Batch {
        queue,
        batch,
        process,
        faults,
        in_time,
    }
}
