//! Deliveries of one event to one webhook, over as many attempts as the retry schedule allows.
//!
//! **A row names the single queue message that it waits for.** A message carries the delivery, an
//! attempt number and a random token. Recording attempt *n* stores the token of that attempt, and
//! the number and token of the next one. An arriving message is therefore one of three:
//!
//! - The awaited one ([`Arrival::Attempt`]).
//! - One whose attempt is recorded but whose follow-up may have been lost in a crash
//!   ([`Arrival::FollowUp`]).
//! - A stale copy ([`Arrival::Stale`]).
//!
//! A copy of a first message costs at most one repeated request. A manual retry sets a new awaited
//! pair, so that an older chain becomes stale. A repeated follow-up sends its message under a new
//! token, which becomes the awaited one. Two messages with the same token would both run to the end
//! of the schedule, and each attempt would be made twice.

mod events;
pub mod task;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    events::{delivery_failed, is_about_webhooks},
    task::{DeliveryTask, WRITE_AHEAD_DELAY_SECS},
};
use crate::{
    attempt::{Arrival, Attempt, AttemptToken, Failure, NextAttempt, Outcome},
    event::is_zero,
    id::DeliveryId,
    pattern::EventType,
    retry::{RetryPolicy, Schedule},
    webhook::health::DisabledReason,
};

/// Status of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No attempt has been made yet.
    Pending,
    /// An attempt succeeded.
    Succeeded,
    /// The last attempt failed or a manual retry was requested. The next attempt is scheduled.
    Retrying,
    /// The schedule ended without success.
    Failed,
    /// The request could not be built, or its target is not allowed.
    Blocked,
    /// The webhook was deleted or disabled before the delivery ended.
    Cancelled,
}

impl Status {
    /// Every status with its name.
    pub const ALL: [(&str, Self); 6] = [
        ("pending", Self::Pending),
        ("succeeded", Self::Succeeded),
        ("retrying", Self::Retrying),
        ("failed", Self::Failed),
        ("blocked", Self::Blocked),
        ("cancelled", Self::Cancelled),
    ];

    /// The status as it appears in the API.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, status)| *status == self)
            .map_or("", |(name, _)| name)
    }
}

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
    /// Number and token of the last recorded attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<AttemptToken>,
    /// Error of the last attempt; `None` if it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The queue message that this delivery waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaited: Option<NextAttempt>,
    /// Reason to disable the webhook after the last attempt, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stops: Option<DisabledReason>,
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

/// Classifies a message by the delivery's row, if one exists.
pub fn arrive(row: Option<&Delivery>, message: &DeliveryTask) -> Arrival {
    match row {
        None if message.attempt_token.number == 1 => Arrival::Attempt,
        Some(row)
            if row
                .awaited
                .as_ref()
                .is_some_and(|awaited| message.answers(&awaited.attempt_token)) =>
        {
            Arrival::Attempt
        }
        Some(row) if row.last.as_ref() == Some(&message.attempt_token) => Arrival::FollowUp,
        _ => Arrival::Stale,
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

/// A completed attempt and the message that requested it.
#[derive(Debug)]
pub struct CompletedAttempt<'a> {
    /// The queue message.
    pub message: &'a DeliveryTask,
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
            message,
            event_type,
            attempt,
            outcome,
            stops,
        } = *made;
        let number = message.attempt_token.number;
        let schedule = before.as_ref().map_or(
            Chain {
                first_number: number,
                started_at: None,
            },
            |row| row.schedule,
        );
        let schedule = Chain {
            started_at: schedule.started_at.or(Some(attempt.at)),
            ..schedule
        };
        let (status, awaited) = match next(policy, schedule, (number, attempt.at), outcome, now) {
            Next::Done => (Status::Succeeded, None),
            Next::Dead(status) => (status, None),
            Next::Retry { at } => {
                let attempt_token = AttemptToken {
                    number: number.saturating_add(1),
                    token,
                };
                (
                    Status::Retrying,
                    Some(NextAttempt {
                        attempt_token,
                        due_at: at,
                    }),
                )
            }
        };
        let first_attempt = match before.and_then(|row| row.first_attempt) {
            None if number == 1 && (status == Status::Succeeded || attempt.is_small()) => {
                Some(attempt.clone())
            }
            first_attempt => first_attempt,
        };
        Self {
            id: message.delivery,
            event_type: event_type.clone(),
            status,
            queued_at: message.queued_at,
            schedule,
            last: Some(message.attempt_token.clone()),
            last_error: outcome.error(),
            awaited,
            stops,
            first_attempt,
            hops: message.hops,
            updated_at: now,
        }
    }

    /// Returns the row of a delivery cancelled before the attempt that `message` requests.
    pub fn cancelled(
        before: Option<Self>,
        message: &DeliveryTask,
        event_type: &EventType,
        now: Timestamp,
    ) -> Self {
        let fresh = Self {
            id: message.delivery,
            event_type: event_type.clone(),
            status: Status::Cancelled,
            queued_at: message.queued_at,
            schedule: Chain {
                first_number: message.attempt_token.number,
                started_at: None,
            },
            last: None,
            last_error: None,
            awaited: None,
            stops: None,
            first_attempt: None,
            hops: message.hops,
            updated_at: now,
        };
        before.map_or(fresh, |row| Self {
            status: Status::Cancelled,
            awaited: None,
            updated_at: now,
            ..row
        })
    }

    /// Returns the row and the message of a manual retry: the next attempt number under a new
    /// schedule.
    ///
    /// The retry has at least the `hops` of the API request for it, so that a webhook that requests
    /// its own retries eventually stops. Messages of an older chain become stale. If the row
    /// already waits for a message, the new one replaces it: sent before the row is written, it is
    /// the awaited one both before and after the write, so that a crash can't lose it.
    pub fn manual_retry(self, hops: u8, now: Timestamp, token: String) -> (Self, DeliveryTask) {
        let hops = self.hops.max(hops);
        let number = self
            .last
            .as_ref()
            .map_or(1, |last| last.number.saturating_add(1));
        let message = DeliveryTask {
            delivery: self.id,
            attempt_token: AttemptToken { number, token },
            queued_at: now,
            due_at: None,
            waits: 0,
            replaces: self.awaited.map(|awaited| awaited.attempt_token.token),
            line: None,
            hops,
            event: None,
        };
        let row = Self {
            status: Status::Retrying,
            queued_at: now,
            schedule: Chain {
                first_number: number,
                started_at: None,
            },
            awaited: Some(NextAttempt {
                attempt_token: message.attempt_token.clone(),
                due_at: now,
            }),
            stops: None,
            hops,
            updated_at: now,
            ..self
        };
        (row, message)
    }

    /// Start of the retention period. The current chain of attempts may begin long after the event
    /// was created, and still has to find its data.
    pub fn kept_from(&self) -> Timestamp {
        let started_at = self.schedule.started_at.unwrap_or(self.updated_at);
        self.id.event.made_at().max(self.queued_at).max(started_at)
    }

    /// The queue message that this row waits for.
    pub fn awaited_task(&self) -> Option<DeliveryTask> {
        let NextAttempt {
            attempt_token,
            due_at,
        } = self.awaited.clone()?;
        Some(DeliveryTask {
            delivery: self.id,
            attempt_token,
            queued_at: self.queued_at,
            due_at: Some(due_at),
            waits: 0,
            replaces: None,
            line: None,
            hops: self.hops,
            event: None,
        })
    }

    /// Returns the awaited message under a new token, and the row that waits for it. The message is
    /// sent before the row is written: it is the awaited one both before and after the write, so
    /// that a crash can't lose it. Messages with the old token become stale.
    pub fn reissue_task(&self, token: String) -> Option<(Self, DeliveryTask)> {
        let (mut row, mut message) = (self.clone(), self.awaited_task()?);
        row.awaited.as_mut()?.attempt_token.token.clone_from(&token);
        message.replaces = Some(std::mem::replace(&mut message.attempt_token.token, token));
        Some((row, message))
    }

    /// Like [`Delivery::reissue_task`], but due `now`. For deliveries whose message was lost.
    pub fn requeue_overdue(&self, now: Timestamp, token: String) -> Option<(Self, DeliveryTask)> {
        let (mut row, mut message) = self.reissue_task(token)?;
        (row.awaited.as_mut()?.due_at, row.updated_at) = (now, now);
        message.due_at = Some(now);
        Some((row, message))
    }

    /// The status to show to clients. A delivery queued before its webhook was disabled is shown as
    /// cancelled, even if no message has arrived to record that yet.
    pub fn status_seen(&self, stopped: CancelledUntil) -> Status {
        match self.status {
            Status::Retrying if stopped.includes(self.queued_at) => Status::Cancelled,
            status => status,
        }
    }
}

/// Which queued deliveries of a webhook are cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelledUntil {
    /// None: the webhook was never disabled.
    Never,
    /// Those queued up to this time.
    Until(Timestamp),
    /// All: the webhook is deleted or disabled.
    Always,
}

impl CancelledUntil {
    /// Derived from the state of an existing webhook.
    pub fn of(enabled: bool, stopped_at: Option<Timestamp>) -> Self {
        match (enabled, stopped_at) {
            (false, _) => Self::Always,
            (true, Some(stopped_at)) => Self::Until(stopped_at),
            (true, None) => Self::Never,
        }
    }

    /// Whether a delivery queued at this time is cancelled.
    pub fn includes(self, queued_at: Timestamp) -> bool {
        match self {
            Self::Never => false,
            Self::Until(stopped_at) => queued_at <= stopped_at,
            Self::Always => true,
        }
    }
}

#[cfg(test)]
mod tests;
