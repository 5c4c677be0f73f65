//! The messages on the queues `deliveries` and `retries`: one form for both.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Ticket;
use crate::{
    event::{Event, is_zero},
    id::DeliveryId,
    retry::{hop_delay, line_delay},
    webhook::Line,
};

/// Seconds that a message waits which is sent before its row is written: by then it has been, as a
/// rule.
pub const HEAD_START: u32 = 1;

/// Asks for one attempt of one delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Which event to which webhook.
    pub delivery: DeliveryId,
    /// The number of the attempt and the token that tells this message from its like.
    #[serde(flatten)]
    pub ticket: Ticket,
    /// When the chain of attempts was asked for. One that was asked for before its webhook was
    /// stopped is cancelled.
    pub queued_at: Timestamp,
    /// When the attempt is due, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// How often it was sent on because it arrived early.
    #[serde(default)]
    pub waits: u32,
    /// The token that the delivery awaited when this message was sent in place of another; it may
    /// do so still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// The line that it waits in where its webhook has a rate limit; `due_at` is its place in that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Line>,
    /// The least `hops` of its event: those of the API call that asked for a retry.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u8,
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

/// Seven days, the longest schedule, are 672 waits of 900 s; the rest is for clocks that differ and
/// for rate limits.
const MOST_WAITS: u32 = 2000;

impl Message {
    /// Asks for the first attempt, of a delivery that was matched at `queued_at`.
    pub fn first(
        delivery: DeliveryId,
        token: String,
        queued_at: Timestamp,
        event: Option<Event>,
    ) -> Self {
        let ticket = Ticket { number: 1, token };
        Self {
            delivery,
            ticket,
            queued_at,
            due_at: None,
            waits: 0,
            replaces: None,
            line: None,
            hops: 0,
            event,
        }
    }

    /// The same, to come again at `due_at`: its attempt has to wait, and nothing is on record of
    /// that.
    #[must_use]
    pub fn postponed(self, due_at: Timestamp) -> Self {
        Self {
            due_at: Some(due_at),
            ..self
        }
    }

    /// The same, to come again at its place in its webhook's line of `limit` calls a second, or
    /// sooner, to see whether that line still stands; with the `DelaySeconds` to send it with at
    /// `now`.
    #[must_use]
    pub fn in_line(self, place: Timestamp, line: Line, limit: u32, now: Timestamp) -> (Self, u32) {
        let waits = self.waits.saturating_add(1);
        (
            Self {
                due_at: Some(place),
                line: Some(line),
                waits,
                ..self
            },
            line_delay(place, limit, now),
        )
    }

    /// Its place in this line, if it waits there and that has not come at `now`.
    pub fn place_in(&self, line: Line, now: Timestamp) -> Option<Timestamp> {
        self.due_at
            .filter(|place| self.line == Some(line) && *place > now)
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

    /// Whether the attempt is due at `now`. What waits in a line has to be looked at each time that
    /// it comes.
    pub fn due(self, now: Timestamp) -> Due {
        let delay_seconds = if self.line.is_some() && self.waits < MOST_WAITS {
            0
        } else {
            self.delay(now)
        };
        match delay_seconds {
            0 => Due::Now(self),
            _ if self.waits >= MOST_WAITS => Due::Lost,
            _ => Due::Later {
                message: Self {
                    waits: self.waits + 1,
                    ..self
                },
                delay_seconds,
            },
        }
    }

    /// The `DelaySeconds` to send it with at `now`.
    pub fn delay(&self, now: Timestamp) -> u32 {
        self.due_at.map_or(0, |due_at| hop_delay(due_at, now))
    }
}
