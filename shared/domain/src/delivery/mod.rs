//! Deliveries of one event to one webhook, over as many attempts as the retry schedule allows.
//!
//! A row and the queue messages for its attempts follow the protocol of [`crate::attempt`]. A copy
//! of a first message costs at most one repeated request. A manual retry sets a new awaited
//! attempt, so that an older chain becomes stale.

mod events;
mod status;
pub mod task;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    events::{delivery_failed, is_about_webhooks},
    status::{Cancellation, CancelledUntil, Status},
    task::{DeliveryTask, WRITE_AHEAD_DELAY_SECS},
};
use crate::{
    attempt::{
        Arrival, Attempt, AttemptRequest, AttemptToken, Failure, NextAttempt, Outcome, Progress,
    },
    event::is_zero,
    id::DeliveryId,
    pattern::EventType,
    retry::{RetryPolicy, Schedule},
    webhook::health::DisabledReason,
};

/// A delivery row. It exists from the first recorded attempt or cancellation on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The event and the webhook.
    pub id: DeliveryId,
    /// The event's type.
    pub event_type: EventType,
    /// Current status.
    pub status: Status,
    /// When dispatch or a manual retry requested the current chain of attempts.
    pub queued_at: Timestamp,
    /// The current chain: its first attempt number and start time.
    pub schedule: Chain,
    /// The last and the next attempt.
    #[serde(flatten)]
    pub progress: Progress,
    /// Error of the last attempt; `None` if it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Reason to disable the webhook after the last attempt, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stops: Option<DisabledReason>,
    /// Why it was cancelled. `None` in rows of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Cancellation>,
    /// The first attempt, if it succeeded or is small. All others have rows of their own, because
    /// this row is rewritten on every attempt and 49 responses of 16 KiB exceed DynamoDB's limit of
    /// 400 KB per item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempt: Option<Attempt>,
    /// The larger of the event's `hops` and those of the API request for the last manual retry.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u8,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

/// One run of the retry schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Number of its first attempt.
    pub first_number: u32,
    /// Start of that attempt; `None` until it is made.
    pub started_at: Option<Timestamp>,
}

/// Classifies a task by the delivery's row, if one exists.
pub fn arrive(row: Option<&Delivery>, task: &DeliveryTask) -> Arrival {
    match row {
        Some(row) => row.progress.arrive(&task.attempt),
        None if task.attempt.id.number == 1 => Arrival::Attempt,
        None => Arrival::Stale,
    }
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The attempt succeeded.
    Done,
    /// Another attempt at this time.
    Retry {
        /// When that attempt is due.
        at: Timestamp,
    },
    /// No further attempt. The delivery ends with this status.
    Dead(Status),
}

/// Decides what follows an attempt of `chain` that started at `began` and ended at `now`.
pub fn next(
    policy: &RetryPolicy,
    chain: Chain,
    (number, began): (u32, Timestamp),
    outcome: &Outcome,
    now: Timestamp,
) -> Next {
    let failure = match outcome {
        Outcome::Delivered { .. } => return Next::Done,
        Outcome::Blocked { .. } => return Next::Dead(Status::Blocked),
        Outcome::Failed(Failure::Status { code: 410, .. }) => return Next::Dead(Status::Failed),
        Outcome::Failed(failure) => failure,
    };
    let schedule = Schedule {
        started_at: chain.started_at.unwrap_or(now),
        attempts_made: number.saturating_sub(chain.first_number).saturating_add(1),
        last_at: began,
    };
    policy
        .next(&schedule, now, failure.retry_after())
        .map_or(Next::Dead(Status::Failed), |at| Next::Retry { at })
}

/// A completed attempt and the task that requested it.
#[derive(Debug)]
pub struct CompletedAttempt<'a> {
    /// The task that requested the attempt.
    pub task: &'a DeliveryTask,
    /// The event's type.
    pub event_type: &'a EventType,
    /// The attempt's record.
    pub attempt: &'a Attempt,
    /// The attempt's outcome.
    pub outcome: &'a Outcome,
    /// Reason to disable the webhook, if any.
    pub stops: Option<DisabledReason>,
}

impl Delivery {
    /// Returns the row after an attempt that ended at `now`. `token` is for the next message, if
    /// there is one.
    pub fn record_attempt(
        before: Option<Self>,
        made: &CompletedAttempt<'_>,
        policy: &RetryPolicy,
        now: Timestamp,
        token: String,
    ) -> Self {
        let CompletedAttempt {
            task,
            event_type,
            attempt,
            outcome,
            stops,
        } = *made;
        let id = &task.attempt.id;
        let fresh = Chain {
            first_number: id.number,
            started_at: None,
        };
        let schedule = before.as_ref().map_or(fresh, |row| row.schedule);
        let schedule = Chain {
            started_at: schedule.started_at.or(Some(attempt.at)),
            ..schedule
        };
        let (status, due_at) = match next(policy, schedule, (id.number, attempt.at), outcome, now) {
            Next::Done => (Status::Succeeded, None),
            Next::Dead(status) => (status, None),
            Next::Retry { at } => (Status::Retrying, Some(at)),
        };
        let first_attempt = match before.and_then(|row| row.first_attempt) {
            None if id.number == 1 && (status == Status::Succeeded || attempt.is_small()) => {
                Some(attempt.clone())
            }
            first_attempt => first_attempt,
        };
        Self {
            id: task.delivery,
            event_type: event_type.clone(),
            status,
            queued_at: task.queued_at,
            schedule,
            progress: Progress::recorded(id, due_at, token),
            last_error: outcome.error(),
            stops,
            cancelled: None,
            first_attempt,
            hops: task.hops,
            updated_at: now,
        }
    }

    /// Returns a row without attempts, for a delivery that has none yet.
    pub fn new(task: &DeliveryTask, event_type: &EventType, now: Timestamp) -> Self {
        Self {
            id: task.delivery,
            event_type: event_type.clone(),
            status: Status::Pending,
            queued_at: task.queued_at,
            schedule: Chain {
                first_number: task.attempt.id.number,
                started_at: None,
            },
            progress: Progress::default(),
            last_error: None,
            stops: None,
            cancelled: None,
            first_attempt: None,
            hops: task.hops,
            updated_at: now,
        }
    }

    /// Returns the row of a delivery cancelled before its next attempt.
    #[must_use]
    pub fn cancelled(mut self, reason: Cancellation, now: Timestamp) -> Self {
        self.progress.awaited = None;
        Self {
            status: Status::Cancelled,
            cancelled: Some(reason),
            updated_at: now,
            ..self
        }
    }

    /// Returns the row and the task of a manual retry: the next attempt number under a new schedule.
    ///
    /// The retry has at least the `hops` of the API request for it, so that a webhook that requests
    /// its own retries eventually stops. Tasks of an older chain become stale. If the row already
    /// waits for a task, the new one replaces it: sent before the row is written, it is the awaited
    /// one both before and after the write, so that a crash can't lose it.
    pub fn manual_retry(self, hops: u8, now: Timestamp, token: String) -> (Self, DeliveryTask) {
        let hops = self.hops.max(hops);
        let Progress { last, awaited } = self.progress;
        let id = AttemptToken {
            number: last
                .as_ref()
                .map_or(1, |last| last.number.saturating_add(1)),
            token,
        };
        let row = Self {
            status: Status::Retrying,
            queued_at: now,
            schedule: Chain {
                first_number: id.number,
                started_at: None,
            },
            progress: Progress {
                last,
                awaited: Some(NextAttempt {
                    id: id.clone(),
                    due_at: now,
                }),
            },
            stops: None,
            cancelled: None,
            hops,
            updated_at: now,
            ..self
        };
        let attempt = AttemptRequest {
            replaces: awaited.map(|awaited| awaited.id.token),
            ..AttemptRequest::new(id, None)
        };
        let task = row.task(attempt);
        (row, task)
    }

    /// Start of the retention period. The current chain of attempts may begin long after the event
    /// was created, and still has to find its data.
    pub fn kept_from(&self) -> Timestamp {
        let started_at = self.schedule.started_at.unwrap_or(self.updated_at);
        self.id.event.made_at().max(self.queued_at).max(started_at)
    }

    /// The task that this row waits for.
    pub fn awaited_task(&self) -> Option<DeliveryTask> {
        Some(self.task(self.progress.request()?))
    }

    fn task(&self, attempt: AttemptRequest) -> DeliveryTask {
        DeliveryTask {
            delivery: self.id,
            attempt,
            queued_at: self.queued_at,
            delay_ends_at: None,
            line: None,
            hops: self.hops,
            event: None,
        }
    }

    /// Returns the row that waits for its next attempt under a new token, and the task for it, which
    /// is queued first ([`Progress::reissue`]).
    pub fn reissue_task(&self, token: String) -> Option<(Self, DeliveryTask)> {
        let mut row = self.clone();
        let task = self.task(row.progress.reissue(token)?);
        Some((row, task))
    }

    /// Like [`Delivery::reissue_task`], but due `now`. For deliveries whose task was lost.
    pub fn requeue_overdue(&self, now: Timestamp, token: String) -> Option<(Self, DeliveryTask)> {
        let (mut row, mut task) = self.reissue_task(token)?;
        (row.progress.awaited.as_mut()?.due_at, row.updated_at) = (now, now);
        task.attempt.due_at = Some(now);
        Some((row, task))
    }

    /// The status to show to clients, and why it was cancelled. A delivery queued before its webhook
    /// was disabled is shown as cancelled, even if no message has arrived to record that yet.
    pub fn status_seen(&self, stopped: CancelledUntil) -> (Status, Option<Cancellation>) {
        match (self.status, stopped.cancels(self.queued_at)) {
            (Status::Retrying, Some(reason)) => (Status::Cancelled, Some(reason)),
            (status, _) => (status, self.cancelled),
        }
    }
}

#[cfg(test)]
mod tests;
