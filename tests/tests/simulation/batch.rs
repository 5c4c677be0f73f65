//! One invocation of a function: a process works on a batch until it is done, out of time, or
//! crashed by a fault.

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

/// The functions' timeout in the template.
const FUNCTION_TIMEOUT: Duration = Duration::from_mins(1);

/// The error of a process's clock: one offset, and later in the invocation another.
#[derive(Clone, Copy)]
pub(super) struct ClockError {
    pub(super) first: SignedDuration,
    pub(super) then: SignedDuration,
    /// When the offset changes.
    pub(super) after: Duration,
}

/// Works on a batch with this clock error.
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
    let response = RUNNING.scope(Arc::clone(&running), async {
        tokio::select! {
            biased;
            () = running.crash.notified() => Ok(None),
            response = handled => response.map(Some),
        }
    });
    let response = Box::pin(response).await;
    let (in_time, response) = (response.is_ok(), response.unwrap_or_default());
    let faults = {
        let mut records = history.records();
        let work = &mut records.work[running.number];
        // A process that exceeds its timeout was slowed down by a fault.
        work.faults += usize::from(response.is_none());
        work.faults
    };
    let process = response.map(|response| {
        let failed = response
            .batch_item_failures
            .into_iter()
            .map(|failure| failure.item_identifier)
            .collect();
        (process, failed)
    });
    // Batches are not received at the same instant.
    sleep(Duration::from_millis(between(1, 5))).await;
    Done::Batch {
        queue,
        batch,
        process,
        faults,
        in_time,
    }
}
