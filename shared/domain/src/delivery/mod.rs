//! Deliveries: one event on its way to one webhook, over as many attempts as its schedule allows.
//!
//! **The row names the one message that it waits for.** A message carries the delivery, the number
//! of the attempt that it asks for and a random token. Recording attempt *n* stores the token that
//! it ran under, and the number and token of the next. So an arriving message is either the awaited
//! one ([`Arrival::Attempt`]), one whose attempt was recorded but whose follow-up may have been
//! lost in a crash ([`Arrival::FollowUp`]), or a stale copy ([`Arrival::Stale`]). A copy of a first
//! message costs at most one repeated call, and a manual retry sets a new awaited pair, so that an
//! older chain dies by itself. A follow-up that is repeated sends its message under a new token,
//! which then is the awaited one: were there two under one token, both would live on to the
//! schedule's end, and each attempt would be called twice.

pub mod attempt;
pub mod message;
mod told;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    attempt::{Attempt, Failure, Outcome},
    message::{HEAD_START, Message},
    told::{delivery_failed, derived_event_id, is_about_webhooks},
};
use crate::{
    event::is_zero,
    id::DeliveryId,
    pattern::EventType,
    retry::{RetryPolicy, Schedule},
    webhook::DisabledReason,
};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = DeliveryStatus)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No attempt has been made yet.
    Pending,
    /// An attempt succeeded.
    Succeeded,
    /// The last attempt failed, or another was asked for; the next one has its time.
    Retrying,
    /// The schedule ended without success.
    Failed,
    /// The request could not be made, or its target is refused.
    Blocked,
    /// The webhook was deleted or disabled before the delivery came to an end.
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

    /// Its name.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, status)| *status == self)
            .map_or("", |(name, _)| name)
    }
}

/// A delivery as it is kept once something happened to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Which event to which webhook.
    pub id: DeliveryId,
    /// The event's type.
    pub event_type: EventType,
    /// Where it stands.
    pub status: Status,
    /// When the present chain of attempts was asked for: by dispatch, or by a manual retry.
    pub queued_at: Timestamp,
    /// The number of the first attempt of the present chain, and when that was made.
    pub schedule: Chain,
    /// The last attempt on record and the token that it ran under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Ticket>,
    /// Why that attempt was no success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The message that this delivery waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaited: Option<Awaited>,
    /// Why the last attempt is to stop the webhook, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stops: Option<DisabledReason>,
    /// The first attempt, where it succeeded or is small. All others are kept beside the row, which
    /// is rewritten at each attempt: 49 answers of 16 KiB would pass DynamoDB's 400 KB an item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempt: Option<Attempt>,
    /// The `hops` of its event, or of the API call that asked for the last retry, where those are
    /// more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u8,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

/// One run of the retry schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The number of its first attempt.
    pub first_number: u32,
    /// When that attempt was made; none while it has not been.
    pub started_at: Option<Timestamp>,
}

/// The number of an attempt and the random token of the message that asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Counts from 1 over the whole life of the delivery.
    pub number: u32,
    /// Told apart from every other message for that number.
    pub token: String,
}

/// The message that comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// Its number and token.
    #[serde(flatten)]
    pub ticket: Ticket,
    /// When its attempt is due.
    pub due_at: Timestamp,
}

/// What to do with a message that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Make the attempt.
    Attempt,
    /// The attempt is on record; what follows from it may not have happened: repeat that.
    FollowUp,
    /// Drop it: another message is awaited, or none.
    Stale,
}

/// Decides about a message by the row that is there, if one is.
pub fn arrive(row: Option<&Delivery>, message: &Message) -> Arrival {
    match row {
        None if message.ticket.number == 1 => Arrival::Attempt,
        Some(row)
            if row
                .awaited
                .as_ref()
                .is_some_and(|awaited| message.answers(&awaited.ticket)) =>
        {
            Arrival::Attempt
        }
        Some(row) if row.last.as_ref() == Some(&message.ticket) => Arrival::FollowUp,
        _ => Arrival::Stale,
    }
}

/// What comes after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It succeeded.
    Done,
    /// Another attempt at this time.
    Retry {
        /// When it is due.
        at: Timestamp,
    },
    /// None: the delivery ends with this status.
    Dead(Status),
}

/// Decides what comes after an attempt of `chain` that began at `began`, and ended with `outcome`
/// at `now`.
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

/// An attempt that was made, with the message that asked for it.
#[derive(Debug)]
pub struct Made<'a> {
    /// What asked for it.
    pub message: &'a Message,
    /// The event's type.
    pub event_type: &'a EventType,
    /// The record of it.
    pub attempt: &'a Attempt,
    /// How it ended.
    pub outcome: &'a Outcome,
    /// Why it is to stop the webhook, where it is.
    pub stops: Option<DisabledReason>,
}

impl Delivery {
    /// The row after an attempt that ended at `now`. `token` is for the message that comes next, if
    /// one does.
    pub fn after(
        before: Option<Self>,
        made: &Made<'_>,
        policy: &RetryPolicy,
        now: Timestamp,
        token: String,
    ) -> Self {
        let Made {
            message,
            event_type,
            attempt,
            outcome,
            stops,
        } = *made;
        let number = message.ticket.number;
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
                let ticket = Ticket {
                    number: number.saturating_add(1),
                    token,
                };
                (Status::Retrying, Some(Awaited { ticket, due_at: at }))
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
            last: Some(message.ticket.clone()),
            last_error: outcome.error(),
            awaited,
            stops,
            first_attempt,
            hops: message.hops,
            updated_at: now,
        }
    }

    /// The row of a delivery that was stopped before the attempt that `message` asks for.
    pub fn cancelled(
        before: Option<Self>,
        message: &Message,
        event_type: &EventType,
        now: Timestamp,
    ) -> Self {
        let fresh = Self {
            id: message.delivery,
            event_type: event_type.clone(),
            status: Status::Cancelled,
            queued_at: message.queued_at,
            schedule: Chain {
                first_number: message.ticket.number,
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

    /// The row once another try is asked for, and the message for that: the next number under a
    /// fresh schedule. The try has at least the `hops` of the call that asked for it, so that a
    /// webhook that asks for its own retries comes to an end. What an older chain still has queued
    /// is not awaited any more. Where one is awaited, the new message takes its place: sent before
    /// the row is written it is the awaited one before and after, so that no crash loses it.
    pub fn retried(self, hops: u8, now: Timestamp, token: String) -> (Self, Message) {
        let hops = self.hops.max(hops);
        let number = self
            .last
            .as_ref()
            .map_or(1, |last| last.number.saturating_add(1));
        let message = Message {
            delivery: self.id,
            ticket: Ticket { number, token },
            queued_at: now,
            due_at: None,
            waits: 0,
            replaces: self.awaited.map(|awaited| awaited.ticket.token),
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
            awaited: Some(Awaited {
                ticket: message.ticket.clone(),
                due_at: now,
            }),
            stops: None,
            hops,
            updated_at: now,
            ..self
        };
        (row, message)
    }

    /// From when on its retention counts: the present chain of attempts may begin long after the
    /// event was made, and has to find what it reads.
    pub fn kept_from(&self) -> Timestamp {
        let started_at = self.schedule.started_at.unwrap_or(self.updated_at);
        self.id.event.made_at().max(self.queued_at).max(started_at)
    }

    /// The message that this row waits for.
    pub fn awaited_message(&self) -> Option<Message> {
        let Awaited { ticket, due_at } = self.awaited.clone()?;
        Some(Message {
            delivery: self.id,
            ticket,
            queued_at: self.queued_at,
            due_at: Some(due_at),
            waits: 0,
            replaces: None,
            line: None,
            hops: self.hops,
            event: None,
        })
    }

    /// The message that this row waits for, under another token, and the row that waits for that
    /// one. Sent before the row is written, it is never lost: it is the awaited one before and
    /// after. What was queued under the old token dies.
    pub fn renewed(&self, token: String) -> Option<(Self, Message)> {
        let (mut row, mut message) = (self.clone(), self.awaited_message()?);
        row.awaited.as_mut()?.ticket.token.clone_from(&token);
        message.replaces = Some(std::mem::replace(&mut message.ticket.token, token));
        Some((row, message))
    }

    /// The message of a delivery that waited in vain, as in [`Delivery::renewed`], due `now`.
    pub fn revived(&self, now: Timestamp, token: String) -> Option<(Self, Message)> {
        let (mut row, mut message) = self.renewed(token)?;
        (row.awaited.as_mut()?.due_at, row.updated_at) = (now, now);
        message.due_at = Some(now);
        Some((row, message))
    }

    /// The status as a reader should see it: a delivery whose webhook was stopped since it was
    /// queued is cancelled, though no message has come by yet to find that out.
    pub fn status_seen(&self, stopped: Stopped) -> Status {
        match self.status {
            Status::Retrying if stopped.covers(self.queued_at) => Status::Cancelled,
            status => status,
        }
    }
}

/// Until when a webhook's queued deliveries are cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Never stopped.
    Never,
    /// Those queued until then.
    Until(Timestamp),
    /// All: it is deleted, or switched off.
    Always,
}

impl Stopped {
    /// By what a webhook that is there says about itself.
    pub fn of(enabled: bool, stopped_at: Option<Timestamp>) -> Self {
        match (enabled, stopped_at) {
            (false, _) => Self::Always,
            (true, Some(stopped_at)) => Self::Until(stopped_at),
            (true, None) => Self::Never,
        }
    }

    /// Whether a delivery queued then is cancelled.
    pub fn covers(self, queued_at: Timestamp) -> bool {
        match self {
            Self::Never => false,
            Self::Until(stopped_at) => queued_at <= stopped_at,
            Self::Always => true,
        }
    }
}

#[cfg(test)]
mod tests;
