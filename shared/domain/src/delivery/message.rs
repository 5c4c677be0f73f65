//! The messages on the queues `deliveries` and `retries`: one form for both.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Ticket;
use crate::{event::Event, id::DeliveryId, retry::hop_delay};

/// Seconds that a message waits which is sent before its row is written: by then it has been, as a rule.
pub const HEAD_START: u32 = 1;

/// Asks for one attempt of one delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Which event to which webhook.
    pub delivery: DeliveryId,
    /// The number of the attempt and the token that tells this message from its like.
    #[serde(flatten)]
    pub ticket: Ticket,
    /// When the chain of attempts was asked for. One that was asked for before its webhook was stopped is cancelled.
    pub queued_at: Timestamp,
    /// When the attempt is due, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// How often it was sent on because it arrived early.
    #[serde(default)]
    pub waits: u32,
    /// The token that the delivery awaited when this message was sent in place of another; it may do so still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// The event, where it is small enough to travel along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
}

/// What an arriving message's time says.
#[derive(Debug, Clone, PartialEq)]
pub enum Due {
    /// Its attempt is due.
    Now(Message),
    /// It came early: to be sent on with this delay, without any other call.
    Later {
        /// The message to send.
        message: Message,
        /// SQS's `DelaySeconds`, at most 900.
        delay_seconds: u32,
    },
    /// It went round more often than any schedule needs.
    Lost,
}

/// Seven days, the longest schedule, are 672 waits of 900 s; some more for clocks that differ.
const MOST_WAITS: u32 = 1000;

impl Message {
    /// Asks for the first attempt, of a delivery that was matched at `queued_at`.
    pub fn first(delivery: DeliveryId, token: String, queued_at: Timestamp, event: Option<Event>) -> Self {
        Self { delivery, ticket: Ticket { number: 1, token }, queued_at, due_at: None, waits: 0, replaces: None, event }
    }

    /// The same, to come again at `due_at`: its attempt has to wait, and nothing is on record of that.
    #[must_use]
    pub fn postponed(self, due_at: Timestamp) -> Self {
        Self { due_at: Some(due_at), ..self }
    }

    /// Whether it comes straight from dispatch, and has not waited for anything.
    pub fn is_fresh(&self) -> bool {
        self.due_at.is_none()
    }

    /// Whether it is what a row waits for that awaits `ticket`.
    pub fn answers(&self, ticket: &Ticket) -> bool {
        let tokens = [Some(&self.ticket.token), self.replaces.as_ref()];
        self.ticket.number == ticket.number && tokens.contains(&Some(&ticket.token))
    }

    /// Whether the attempt is due at `now`.
    pub fn due(self, now: Timestamp) -> Due {
        let delay_seconds = self.delay(now);
        match delay_seconds {
            0 => Due::Now(self),
            _ if self.waits >= MOST_WAITS => Due::Lost,
            _ => Due::Later { message: Self { waits: self.waits + 1, ..self }, delay_seconds },
        }
    }

    /// The `DelaySeconds` to send it with at `now`.
    pub fn delay(&self, now: Timestamp) -> u32 {
        self.due_at.map_or(0, |due_at| hop_delay(due_at, now))
    }
}
