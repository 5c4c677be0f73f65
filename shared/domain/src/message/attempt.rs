//! Attempts to hand a message to its provider, and the errands on the queues that ask for them.
//!
//! As with deliveries, the row names the one errand that it waits for (see [`crate::delivery`]): an
//! errand carries the message's id, the number of the attempt and a random token. An errand lies on
//! the same queues as the messages of deliveries; it has a field `message` where those have
//! `delivery`.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Message, MessageRef, Status};
use crate::{
    delivery::{Arrival, Attempt, Awaited, Outcome, Ticket},
    retry::{RetryPolicy, Schedule, hop_delay},
};

/// For how long a message is tried, from its first attempt on.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);
/// How late a queue may be, in good faith.
const LATENESS: SignedDuration = SignedDuration::from_mins(10);
/// An hour is 4 waits of 900 s; some more for clocks that differ and queues that are late.
const MOST_WAITS: u32 = 100;

/// Asks for one attempt to send one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// Which message or call.
    pub message: MessageRef,
    /// The number of the attempt and the token that tells this errand from its like.
    #[serde(flatten)]
    pub ticket: Ticket,
    /// When the attempt is due, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// How often it was sent on because it arrived early.
    #[serde(default)]
    pub waits: u32,
    /// The token that the row awaited when this errand was queued in place of another; it may do so
    /// still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// What an arriving errand's time says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Its attempt is due.
    Now(Errand),
    /// It came early: to be queued again with this delay, without any other call.
    Later {
        /// What to queue.
        errand: Errand,
        /// SQS's `DelaySeconds`, at most 900.
        delay_seconds: u32,
    },
    /// It went round more often than any schedule needs.
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
            _ if self.waits >= MOST_WAITS => Due::Lost,
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

    fn answers(&self, ticket: &Ticket) -> bool {
        let tokens = [Some(&self.ticket.token), self.replaces.as_ref()];
        self.ticket.number == ticket.number && tokens.contains(&Some(&ticket.token))
    }
}

/// An attempt that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The record of it.
    pub attempt: Attempt,
    /// How it ended. Only a status of 2xx is a success.
    pub outcome: Outcome,
    /// The provider's own id of the message, where its answer holds one.
    pub provider_message_id: Option<String>,
}

/// Decides about an errand by the row of its message. Without a row there is nothing to send any
/// more: it expired.
pub fn arrive(row: Option<&Message>, errand: &Errand) -> Arrival {
    match row {
        Some(row)
            if row
                .awaited
                .as_ref()
                .is_some_and(|awaited| errand.answers(&awaited.ticket)) =>
        {
            Arrival::Attempt
        }
        Some(row) if row.last.as_ref() == Some(&errand.ticket) => Arrival::FollowUp,
        _ => Arrival::Stale,
    }
}

/// When to try again after `number` attempts since `started_at`, the last of which began at `began`
/// and failed with `outcome` at `now`; `None` when an hour has passed, or when it is of no use.
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
    let end = started_at.checked_add(LONGEST).unwrap_or(Timestamp::MAX);
    let planned = RetryPolicy::Standard
        .next(&schedule, now, None)
        .filter(|planned| *planned <= end)?;
    let asked = RetryPolicy::Standard.next(&schedule, now, failure.retry_after());
    Some(asked.map_or(planned, |asked| asked.min(end).max(planned)))
}

impl Message {
    /// The row after an attempt that ended at `now`. `token` is for the errand that comes next, if
    /// one does. A report may have moved the row on while the attempt ran: then the attempt is on
    /// record and nothing else follows from it.
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
            (Outcome::Delivered { .. }, _) => self.sent(now),
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
            // The provider has it, by its own word: that one call failed does not matter.
            _ => self,
        };
        row.touched(now)
    }

    /// The row of a message that its provider has taken. Cancelled while the attempt was in flight,
    /// it was sent all the same.
    fn sent(mut self, now: Timestamp) -> Self {
        if self.is_cancelled() {
            (self.status, self.error) = (Status::Queued, None);
        }
        self.step(Status::Sent, None, None, now)
    }

    /// Whether it is too late to try once more: its errand has lain for long, among the dead
    /// letters, say.
    pub fn is_out_of_time(&self, now: Timestamp) -> bool {
        self.attempts
            .first()
            .is_some_and(|first| now.duration_since(first.at) > LONGEST + LATENESS)
    }

    /// The errand that this row waits for.
    pub fn errand(&self) -> Option<Errand> {
        let Awaited { ticket, due_at } = self.awaited.clone()?;
        Some(Errand::new(self.id, ticket, Some(due_at)))
    }

    /// The errand that this row waits for, under another token, and the row that waits for that
    /// one. Queued before the row is written, it is never lost: it is the awaited one before and
    /// after. What was queued under the old token dies.
    pub fn renewed(&self, now: Timestamp, token: String) -> Option<(Self, Errand)> {
        let (mut row, mut errand) = (self.clone(), self.errand()?);
        row.awaited.as_mut()?.ticket.token.clone_from(&token);
        errand.replaces = Some(std::mem::replace(&mut errand.ticket.token, token));
        Some((row.touched(now), errand))
    }
}
