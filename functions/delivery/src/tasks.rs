//! Processes tasks: what deliveries and messages have in common.

use std::{collections::HashSet, fmt::Display};

use domain::attempt::{Arrival, Task};
use futures::future::join_all;
use platform::table::TableError;

use super::DeliverError;

/// A task that is due, with the queue message that it came in.
pub(super) struct Received<T> {
    /// ID of the queue message.
    pub(super) message_id: String,
    /// Text of the queue message.
    pub(super) body: String,
    pub(super) task: T,
}

/// A kind of tasks.
pub(super) trait Kind {
    type Task: Task;
    /// The rows that a batch of tasks needs.
    type Rows;

    /// Re-queues tasks that have to wait longer. Returns the others, and the IDs of the queue
    /// messages that failed.
    async fn requeue_waiting(
        &self,
        received: Vec<Received<Self::Task>>,
    ) -> (Vec<Received<Self::Task>>, Vec<String>) {
        (received, Vec::new())
    }

    /// Loads the rows of a batch.
    async fn load(&self, tasks: &[&Self::Task]) -> Result<Self::Rows, TableError>;

    /// Classifies a task by its row.
    async fn arrive(&self, rows: &Self::Rows, task: &Self::Task) -> Result<Arrival, TableError>;

    /// Makes the attempt, records it and performs the follow-up.
    async fn attempt(
        &self,
        rows: &Self::Rows,
        received: Received<Self::Task>,
    ) -> Result<(), DeliverError>;

    /// Repeats the follow-up of a recorded attempt.
    async fn repeat(&self, rows: &Self::Rows, task: &Self::Task) -> Result<(), DeliverError>;

    /// The delivery or message, for logs.
    fn subject(task: &Self::Task) -> impl Display;
}

/// Processes a batch of tasks concurrently. Returns the IDs of the queue messages that failed.
pub(super) async fn process_batch<K: Kind>(
    kind: &K,
    mut received: Vec<Received<K::Task>>,
) -> Vec<String> {
    // Concurrent duplicates would all find themselves awaited.
    let mut seen = HashSet::new();
    received.retain(|one| {
        let id = &one.task.attempt().id;
        seen.insert((
            K::subject(&one.task).to_string(),
            id.number,
            id.token.clone(),
        ))
    });
    let (received, mut failed) = kind.requeue_waiting(received).await;
    if received.is_empty() {
        return failed;
    }
    let tasks: Vec<&K::Task> = received.iter().map(|one| &one.task).collect();
    match kind.load(&tasks).await {
        Ok(rows) => {
            let each = received.into_iter().map(|one| process(kind, &rows, one));
            failed.extend(join_all(each).await.into_iter().flatten());
        }
        Err(error) => {
            tracing::error!(%error, "failed to read batch");
            failed.extend(received.into_iter().map(|one| one.message_id));
        }
    }
    failed
}

/// Processes one task. Returns the queue message's ID if it failed.
async fn process<K: Kind>(kind: &K, rows: &K::Rows, received: Received<K::Task>) -> Option<String> {
    let message_id = received.message_id.clone();
    let subject = K::subject(&received.task).to_string();
    let number = received.task.attempt().id.number;
    let result = match kind.arrive(rows, &received.task).await {
        Ok(Arrival::Stale) => Ok(()),
        Ok(Arrival::FollowUp) => kind.repeat(rows, &received.task).await,
        Ok(Arrival::Attempt) => Box::pin(kind.attempt(rows, received)).await,
        Err(error) => Err(error.into()),
    };
    result.err().map(|error| {
        error.log(&subject, number);
        message_id
    })
}
