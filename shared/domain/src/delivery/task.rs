//! Queue message of the queues `deliveries` and `retries`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    attempt::AttemptToken,
    event::{EventText, is_zero},
    id::DeliveryId,
    retry::{hop_delay, line_delay},
    webhook::Line,
};

/// Delay in seconds of a message sent before its row is written. The write is normally done by
/// then.
pub const WRITE_AHEAD_DELAY_SECS: u32 = 1;

/// Requests one attempt of one delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryTask {
    /// The event and the webhook.
    pub delivery: DeliveryId,
    /// Number of the attempt, and the token that makes this message unique.
    #[serde(flatten)]
    pub attempt_token: AttemptToken,
    /// When the chain of attempts was requested. A chain requested before its webhook was disabled
    /// is cancelled.
    pub queued_at: Timestamp,
    /// When the attempt is due; `None` for immediately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// How often the message arrived early and was re-queued.
    #[serde(default)]
    pub waits: u32,
    /// Token of the message that this one replaces. The row may still wait for that token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Line in which a rate-limited delivery waits. Its place in that line is `due_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Line>,
    /// Lower bound for the event's `hops`, from the API request for a manual retry.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u8,
    /// The event, if it is small enough to be sent with the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventText>,
}

/// Whether an arriving message is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Due {
    /// The attempt is due.
    Now(DeliveryTask),
    /// The message is early. Re-queue it with this delay and do nothing else.
    Later {
        /// Task to re-queue.
        message: DeliveryTask,
        /// SQS `DelaySeconds`, at most 900.
        delay_seconds: u32,
    },
    /// The message exceeded the maximum number of re-queues.
    Lost,
}

/// Maximum number of re-queues. The longest schedule, seven days, takes 672 waits of 900 s. The
/// rest allows for clock differences and rate limits.
const MAX_WAITS: u32 = 2000;

impl DeliveryTask {
    /// The message for the first attempt of a delivery matched at `queued_at`.
    pub fn first(
        delivery: DeliveryId,
        token: String,
        queued_at: Timestamp,
        event: Option<EventText>,
    ) -> Self {
        let attempt_token = AttemptToken { number: 1, token };
        Self {
            delivery,
            attempt_token,
            queued_at,
            due_at: None,
            waits: 0,
            replaces: None,
            line: None,
            hops: 0,
            event,
        }
    }

    /// The same message, delayed until `due_at`. Nothing is recorded about the delay.
    #[must_use]
    pub fn postponed(self, due_at: Timestamp) -> Self {
        Self {
            due_at: Some(due_at),
            ..self
        }
    }

    /// The same message, delayed until its place in its webhook's line of `limit` requests per
    /// second, and the `DelaySeconds` to send it with at `now`. It may return sooner to check
    /// whether the line is still valid.
    #[must_use]
    pub fn in_line(self, place: Timestamp, line: Line, limit: u32, now: Timestamp) -> (Self, u32) {
        (
            Self {
                due_at: Some(place),
                line: Some(line),
                ..self
            },
            line_delay(place, limit, now),
        )
    }

    /// Whether it waits in a line, and its place there is still ahead at `now`.
    pub fn is_in_line(&self, now: Timestamp) -> bool {
        self.line
            .is_some_and(|line| self.place_in(line, now).is_some())
    }

    /// Its place in `line`, if it waits there and the place is still ahead at `now`.
    pub fn place_in(&self, line: Line, now: Timestamp) -> Option<Timestamp> {
        self.due_at
            .filter(|place| self.line == Some(line) && *place > now)
    }

    /// Whether it comes directly from dispatch and has not been delayed.
    pub fn is_fresh(&self) -> bool {
        self.due_at.is_none()
    }

    /// Whether a row that awaits `next` waits for this message.
    pub fn answers(&self, next: &AttemptToken) -> bool {
        let tokens = [Some(&self.attempt_token.token), self.replaces.as_ref()];
        self.attempt_token.number == next.number && tokens.contains(&Some(&next.token))
    }

    /// Whether the attempt is due at `now`. A message in a line is checked every time it arrives.
    pub fn due(self, now: Timestamp) -> Due {
        let delay_seconds = if self.line.is_some() {
            0
        } else {
            self.delay(now)
        };
        match delay_seconds {
            0 => Due::Now(self),
            _ if self.waits >= MAX_WAITS => Due::Lost,
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
