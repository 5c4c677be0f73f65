//! Attempts to send a message through its provider, and the queue messages that request them.
//!
//! As with deliveries, the row names the single queue message that it waits for (see
//! [`crate::delivery`]). It carries the message's ID, an attempt number and a random token. It uses
//! the same queues as deliveries and is identified by a field `message` instead of `delivery`.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Message, MessageRef, Status};
use crate::{
    delivery::{Arrival, Attempt, Awaited, Outcome, Ticket},
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
pub struct Errand {
    /// The message or call.
    pub message: MessageRef,
    /// Number of the attempt, and the token that makes this queue message unique.
    #[serde(flatten)]
    pub ticket: Ticket,
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
    Now(Errand),
    /// It is early. Re-queue it with this delay and do nothing else.
    Later {
        /// Queue message to re-queue.
        errand: Errand,
        /// SQS `DelaySeconds`, at most 900.
        delay_seconds: u32,
    },
    /// It exceeded the maximum number of re-queues.
    Lost,
}

impl Errand {
    pub(super) const fn new(
        message: MessageRef,
        ticket: Ticket,
        due_at: Option<Timestamp>,
    ) -> Self {
        Self {
            message,
            ticket,
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
                errand: Self {
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

    fn matches(&self, ticket: &Ticket) -> bool {
        let tokens = [Some(&self.ticket.token), self.replaces.as_ref()];
        self.ticket.number == ticket.number && tokens.contains(&Some(&ticket.token))
    }
}

/// A completed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The attempt's record.
    pub attempt: Attempt,
    /// The attempt's outcome. Only a 2xx status is a success.
    pub outcome: Outcome,
    /// The provider's own ID for the message, if the response contains one.
    pub provider_message_id: Option<String>,
}

/// Classifies a queue message by the row of its message. Without a row, the message has expired and
/// there is nothing to send.
pub fn arrive(row: Option<&Message>, errand: &Errand) -> Arrival {
    match row {
        Some(row)
            if row
                .awaited
                .as_ref()
                .is_some_and(|awaited| errand.matches(&awaited.ticket)) =>
        {
            Arrival::Attempt
        }
        Some(row) if row.last.as_ref() == Some(&errand.ticket) => Arrival::FollowUp,
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
    pub fn after(mut self, errand: &Errand, made: Made, now: Timestamp, token: String) -> Self {
        let Made {
            attempt,
            outcome,
            provider_message_id,
        } = made;
        let (number, began) = (errand.ticket.number, attempt.at);
        self.attempts.push(attempt);
        self.last = Some(errand.ticket.clone());
        self.awaited = None;
        self.provider_message_id = provider_message_id.or(self.provider_message_id);
        let started_at = self.attempts.first().map_or(now, |first| first.at);
        let row = match (&outcome, next(started_at, (number, began), &outcome, now)) {
            (Outcome::Delivered { .. }, _) => self.mark_sent(now),
            (_, Some(due_at)) if self.status == Status::Queued => {
                let ticket = Ticket {
                    number: number.saturating_add(1),
                    token,
                };
                self.awaited = Some(Awaited { ticket, due_at });
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
    fn mark_sent(mut self, now: Timestamp) -> Self {
        if self.is_cancelled() {
            (self.status, self.error) = (Status::Queued, None);
        }
        self.step(Status::Sent, None, None, now)
    }

    /// Whether it is too late for another attempt because the queue message was delayed, for
    /// example in a dead-letter queue.
    pub fn is_out_of_time(&self, now: Timestamp) -> bool {
        self.attempts
            .first()
            .is_some_and(|first| now.duration_since(first.at) > MAX_DURATION + LATE_TOLERANCE)
    }

    /// The queue message that this row waits for.
    pub fn errand(&self) -> Option<Errand> {
        let Awaited { ticket, due_at } = self.awaited.clone()?;
        Some(Errand::new(self.id, ticket, Some(due_at)))
    }

    /// Returns the awaited queue message under a new token, and the row that waits for it. It is
    /// queued before the row is written: it is the awaited one both before and after the write, so
    /// that a crash can't lose it. Queue messages with the old token become stale.
    pub fn renewed(&self, now: Timestamp, token: String) -> Option<(Self, Errand)> {
        let (mut row, mut errand) = (self.clone(), self.errand()?);
        row.awaited.as_mut()?.ticket.token.clone_from(&token);
        errand.replaces = Some(std::mem::replace(&mut errand.ticket.token, token));
        Some((row.touched(now), errand))
    }
}
