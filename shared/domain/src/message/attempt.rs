//! Attempts to send a message through its provider. The row and the queue messages for its attempts
//! follow the protocol of [`crate::attempt`].

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Fallback, Message, MessageRef, Status};
use crate::{
    attempt::{Arrival, Attempt, AttemptRequest, Failure, Outcome, Progress, Task},
    retry::{RetryPolicy, Schedule},
};

/// How long sending through a provider is retried, from the first attempt.
const MAX_DURATION: SignedDuration = SignedDuration::from_hours(1);
/// Maximum duration of an attempt, including what is read before it.
const MAX_ATTEMPT: SignedDuration = SignedDuration::from_mins(1);
/// Tolerance for late queue messages.
const LATE_TOLERANCE: SignedDuration = SignedDuration::from_mins(10);

/// Requests one attempt to send one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendTask {
    /// The message or call.
    pub message: MessageRef,
    /// The requested attempt.
    #[serde(flatten)]
    pub attempt: AttemptRequest,
}

impl Task for SendTask {
    /// An hour takes 4 waits of 900 s. The rest allows for clock differences and late queues.
    const MAX_WAITS: u32 = 100;

    fn attempt(&self) -> &AttemptRequest {
        &self.attempt
    }

    fn attempt_mut(&mut self) -> &mut AttemptRequest {
        &mut self.attempt
    }
}

/// A completed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedAttempt {
    /// The attempt's record.
    pub attempt: Attempt,
    /// The attempt's outcome. Only a 2xx status is a success.
    pub outcome: Outcome,
    /// The provider's own ID for the message, if the response contains one.
    pub provider_message_id: Option<String>,
}

/// Classifies a task by the row of its message. Without a row, the message has expired and there is
/// nothing to send.
pub fn arrive(row: Option<&Message>, task: &SendTask) -> Arrival {
    row.map_or(Arrival::Stale, |row| row.progress.arrive(&task.attempt))
}

/// Returns the time of the next attempt after `number` attempts since `started_at`, the last of
/// which started at `began` and failed with `outcome` at `now`. `None` after an hour, or if a retry
/// can't succeed.
pub fn next(
    started_at: Timestamp,
    (number, began): (u32, Timestamp),
    outcome: &Outcome,
    now: Timestamp,
) -> Option<Timestamp> {
    let Outcome::Failed(failure) = outcome else {
        return None;
    };
    let schedule = Schedule {
        started_at,
        attempts_made: number,
        last_at: began,
    };
    let end = started_at
        .checked_add(MAX_DURATION)
        .unwrap_or(Timestamp::MAX);
    let planned = RetryPolicy::Standard
        .next(&schedule, now, None)
        .filter(|planned| *planned <= end)?;
    let asked = RetryPolicy::Standard.next(&schedule, now, failure.retry_after());
    Some(asked.map_or(planned, |asked| asked.min(end).max(planned)))
}

impl Message {
    /// Returns the row after an attempt that ended at `now`. `token` is for the next queue message,
    /// if there is one. If this was the last attempt through its provider, `fallback` takes over. If
    /// a report changed the row during the attempt, the attempt is only recorded.
    #[must_use]
    pub fn record_attempt(
        mut self,
        task: &SendTask,
        made: CompletedAttempt,
        fallback: Option<Fallback>,
        now: Timestamp,
        token: String,
    ) -> Self {
        let CompletedAttempt {
            attempt,
            outcome,
            provider_message_id,
        } = made;
        let (id, began) = (&task.attempt.id, attempt.at);
        self.attempts.push(attempt);
        // Otherwise an earlier provider got the message back during the attempt.
        if self.provider_of(id.number).0 == self.provider_id {
            self.provider_message_id = provider_message_id.or(self.provider_message_id);
        }
        let started_at = self.first_attempt().map_or(now, |first| first.at);
        let number = id.number.saturating_sub(self.earlier_attempts());
        // Otherwise the provider reported that it has the message, so a failure does not matter.
        let is_queued = self.is_queued();
        let retry_at = next(started_at, (number, began), &outcome, now).filter(|_| is_queued);
        let is_sent = matches!(outcome, Outcome::Delivered { .. });
        let fails = is_queued && !is_sent && retry_at.is_none();
        let fallback = fallback.filter(|_| fails);
        let due_at = fallback.as_ref().map_or(retry_at, |_| Some(now));
        self.progress = Progress::recorded(id, due_at, token);
        let row = match fallback {
            _ if is_sent => self.mark_sent(now),
            Some(fallback) => self.passed_to(fallback, id.number),
            None if fails => self.step(Status::Failed, None, outcome.error(), now),
            None => self,
        };
        row.touched(now)
    }

    /// Whether the message would fail after this attempt, so that its successor is needed.
    pub fn fails_after(&self, task: &SendTask, made: &CompletedAttempt, now: Timestamp) -> bool {
        let row = self.clone();
        let row = row.record_attempt(task, made.clone(), None, now, String::new());
        self.is_queued() && row.status == Status::Failed
    }

    /// Whether the attempt of `task`, made at `now`, is the last one through its provider if it gets
    /// no response. One that is close to the end of the hour counts too.
    pub fn may_be_last(&self, task: &SendTask, now: Timestamp) -> bool {
        let ended_at = now.checked_add(MAX_ATTEMPT).unwrap_or(Timestamp::MAX);
        let started_at = self.first_attempt().map_or(now, |first| first.at);
        let number = task
            .attempt
            .id
            .number
            .saturating_sub(self.earlier_attempts());
        let outcome = Outcome::Failed(Failure::Timeout);
        next(started_at, (number, ended_at), &outcome, ended_at).is_none()
    }

    /// Whether no provider has accepted it yet, and no client has cancelled it.
    pub(super) fn is_queued(&self) -> bool {
        self.status == Status::Queued
    }

    /// Returns the row of a message that its provider accepted. If it was cancelled during the
    /// attempt, it was still sent.
    fn mark_sent(self, now: Timestamp) -> Self {
        self.uncancelled().step(Status::Sent, None, None, now)
    }

    /// Whether it is too late for another attempt because the queue message was delayed, for
    /// example in a dead-letter queue.
    pub fn is_out_of_time(&self, now: Timestamp) -> bool {
        self.first_attempt()
            .is_some_and(|first| now.duration_since(first.at) > MAX_DURATION + LATE_TOLERANCE)
    }

    /// The task that this row waits for.
    pub fn task(&self) -> Option<SendTask> {
        let attempt = self.progress.request()?;
        Some(SendTask {
            message: self.id,
            attempt,
        })
    }

    /// Returns the row that waits for its next attempt under a new token, and the task for it, which
    /// is queued first ([`Progress::reissue`]).
    pub fn reissue_task(&self, now: Timestamp, token: String) -> Option<(Self, SendTask)> {
        let mut row = self.clone();
        let attempt = row.progress.reissue(token)?;
        let task = SendTask {
            message: self.id,
            attempt,
        };
        Some((row.touched(now), task))
    }
}
