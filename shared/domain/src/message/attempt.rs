//! Attempts to send a message through its provider, and the queue messages that request them.
//!
//! As with deliveries, the row names the single queue message that it waits for (see
//! [`crate::delivery`]). It carries the message's ID, an attempt number and a random token. It uses
//! the same queues as deliveries and is identified by a field `message` instead of `delivery`.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Message, MessageRef, Status};
use crate::{
    attempt::{Arrival, Attempt, AttemptToken, NextAttempt, Outcome},
    retry::{RetryPolicy, Schedule, hop_delay},
};

/// How long sending is retried, from the first attempt.
const MAX_DURATION: SignedDuration = SignedDuration::from_hours(1);
/// Tolerance for late queue messages.
const LATE_TOLERANCE: SignedDuration = SignedDuration::from_mins(10);
/// Maximum number of re-queues. An hour takes 4 waits of 900 s. The rest allows for clock
/// differences and late queues.
const MAX_WAITS: u32 = 100;

/// Requests one attempt to send one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendTask {
    /// The message or call.
    pub message: MessageRef,
    /// Number of the attempt, and the token that makes this queue message unique.
    #[serde(flatten)]
    pub attempt_token: AttemptToken,
    /// When the attempt is due; `None` for immediately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// How often it arrived early and was re-queued.
    #[serde(default)]
    pub waits: u32,
    /// Token of the queue message that this one replaces. The row may still wait for that token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// Whether an arriving queue message is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// The attempt is due.
    Now(SendTask),
    /// It is early. Re-queue it with this delay and do nothing else.
    Later {
        /// Queue message to re-queue.
        task: SendTask,
        /// SQS `DelaySeconds`, at most 900.
        delay_seconds: u32,
    },
    /// It exceeded the maximum number of re-queues.
    Lost,
}

impl SendTask {
    pub(super) const fn new(
        message: MessageRef,
        attempt_token: AttemptToken,
        due_at: Option<Timestamp>,
    ) -> Self {
        Self {
            message,
            attempt_token,
            due_at,
            waits: 0,
            replaces: None,
        }
    }

    /// Whether the attempt is due at `now`.
    pub fn due(self, now: Timestamp) -> Due {
        match self.delay(now) {
            0 => Due::Now(self),
            _ if self.waits >= MAX_WAITS => Due::Lost,
            delay_seconds => Due::Later {
                task: Self {
                    waits: self.waits + 1,
                    ..self
                },
                delay_seconds,
            },
        }
    }

    /// The `DelaySeconds` to queue it with at `now`.
    pub fn delay(&self, now: Timestamp) -> u32 {
        self.due_at.map_or(0, |due_at| hop_delay(due_at, now))
    }

    fn matches(&self, next: &AttemptToken) -> bool {
        let tokens = [Some(&self.attempt_token.token), self.replaces.as_ref()];
        self.attempt_token.number == next.number && tokens.contains(&Some(&next.token))
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

/// Classifies a queue message by the row of its message. Without a row, the message has expired and
/// there is nothing to send.
pub fn arrive(row: Option<&Message>, task: &SendTask) -> Arrival {
    match row {
        Some(row)
            if row
                .awaited
                .as_ref()
                .is_some_and(|awaited| task.matches(&awaited.attempt_token)) =>
        {
            Arrival::Attempt
        }
        Some(row) if row.last.as_ref() == Some(&task.attempt_token) => Arrival::FollowUp,
        _ => Arrival::Stale,
    }
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
    /// if there is one. If a report changed the row during the attempt, the attempt is only
    /// recorded.
    #[must_use]
    pub fn record_attempt(
        mut self,
        task: &SendTask,
        made: CompletedAttempt,
        now: Timestamp,
        token: String,
    ) -> Self {
        let CompletedAttempt {
            attempt,
            outcome,
            provider_message_id,
        } = made;
        let (number, began) = (task.attempt_token.number, attempt.at);
        self.attempts.push(attempt);
        self.last = Some(task.attempt_token.clone());
        self.awaited = None;
        self.provider_message_id = provider_message_id.or(self.provider_message_id);
        let started_at = self.attempts.first().map_or(now, |first| first.at);
        let row = match (&outcome, next(started_at, (number, began), &outcome, now)) {
            (Outcome::Delivered { .. }, _) => self.mark_sent(now),
            (_, Some(due_at)) if self.status == Status::Queued => {
                let attempt_token = AttemptToken {
                    number: number.saturating_add(1),
                    token,
                };
                self.awaited = Some(NextAttempt {
                    attempt_token,
                    due_at,
                });
                self
            }
            (_, None) if self.status == Status::Queued => {
                self.step(Status::Failed, None, outcome.error(), now)
            }
            // The provider reported that it has the message, so the failed request does not matter.
            _ => self,
        };
        row.touched(now)
    }

    /// Returns the row of a message that its provider accepted. If it was cancelled during the
    /// attempt, it was still sent.
    fn mark_sent(self, now: Timestamp) -> Self {
        self.uncancelled().step(Status::Sent, None, None, now)
    }

    /// Whether it is too late for another attempt because the queue message was delayed, for
    /// example in a dead-letter queue.
    pub fn is_out_of_time(&self, now: Timestamp) -> bool {
        self.attempts
            .first()
            .is_some_and(|first| now.duration_since(first.at) > MAX_DURATION + LATE_TOLERANCE)
    }

    /// The queue message that this row waits for.
    pub fn task(&self) -> Option<SendTask> {
        let NextAttempt {
            attempt_token,
            due_at,
        } = self.awaited.clone()?;
        Some(SendTask::new(self.id, attempt_token, Some(due_at)))
    }

    /// Returns the awaited queue message under a new token, and the row that waits for it. It is
    /// queued before the row is written: it is the awaited one both before and after the write, so
    /// that a crash can't lose it. Queue messages with the old token become stale.
    pub fn reissue_task(&self, now: Timestamp, token: String) -> Option<(Self, SendTask)> {
        let (mut row, mut task) = (self.clone(), self.task()?);
        row.awaited.as_mut()?.attempt_token.token.clone_from(&token);
        task.replaces = Some(std::mem::replace(&mut task.attempt_token.token, token));
        Some((row.touched(now), task))
    }
}
