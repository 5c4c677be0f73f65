//! Queue message that requests an attempt of a delivery.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    attempt::{AttemptRequest, AttemptToken, Task},
    event::{EventText, is_zero},
    id::DeliveryId,
    retry::line_delay,
    webhook::Line,
};

/// Delay in seconds of a task queued before its row is written. The write is normally done by
/// then.
pub const WRITE_AHEAD_DELAY_SECS: u32 = 1;

/// Requests one attempt of one delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryTask {
    /// The event and the webhook.
    pub delivery: DeliveryId,
    /// The requested attempt.
    #[serde(flatten)]
    pub attempt: AttemptRequest,
    /// When the chain of attempts was requested. A chain requested before its webhook was disabled
    /// is cancelled.
    pub queued_at: Timestamp,
    /// End of the delay after the event, for a first attempt that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ends_at: Option<Timestamp>,
    /// Line in which a rate-limited delivery waits. Its place in that line is the attempt's
    /// `due_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Line>,
    /// Lower bound for the event's `hops`, from the API request for a manual retry.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u8,
    /// The event, if it is small enough to be sent with the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventText>,
}

impl Task for DeliveryTask {
    /// The longest schedule, seven days, takes 672 waits of 900 s. The rest allows for clock
    /// differences.
    const MAX_WAITS: u32 = 2000;

    fn attempt(&self) -> &AttemptRequest {
        &self.attempt
    }

    fn attempt_mut(&mut self) -> &mut AttemptRequest {
        &mut self.attempt
    }

    /// A task in a line is checked every time it arrives.
    fn delay(&self, now: Timestamp) -> u32 {
        if self.line.is_some() {
            0
        } else {
            self.attempt.delay(now)
        }
    }
}

impl DeliveryTask {
    /// The task for the first attempt of a delivery matched at `queued_at`.
    pub fn first(
        delivery: DeliveryId,
        token: String,
        queued_at: Timestamp,
        event: Option<EventText>,
    ) -> Self {
        let id = AttemptToken { number: 1, token };
        Self {
            delivery,
            attempt: AttemptRequest::new(id, None),
            queued_at,
            delay_ends_at: None,
            line: None,
            hops: 0,
            event,
        }
    }

    /// The same task, with a delay after the event.
    #[must_use]
    pub fn delayed(self, ends_at: Timestamp, due_at: Timestamp) -> Self {
        Self {
            delay_ends_at: Some(ends_at),
            ..self.postponed(due_at)
        }
    }

    /// The same task, delayed until `due_at`. Nothing is recorded about the delay.
    #[must_use]
    pub fn postponed(mut self, due_at: Timestamp) -> Self {
        self.attempt.due_at = Some(due_at);
        self
    }

    /// The same task, delayed until its place in its webhook's line of `limit` requests per second,
    /// and the `DelaySeconds` to send it with at `now`. It may return sooner to check whether the
    /// line is still valid.
    #[must_use]
    pub fn in_line(
        mut self,
        place: Timestamp,
        line: Line,
        limit: u32,
        now: Timestamp,
    ) -> (Self, u32) {
        self.attempt.due_at = Some(place);
        self.line = Some(line);
        (self, line_delay(place, limit, now))
    }

    /// Whether it waits in a line, and its place there is still ahead at `now`.
    pub fn is_in_line(&self, now: Timestamp) -> bool {
        self.line
            .is_some_and(|line| self.place_in(line, now).is_some())
    }

    /// Its place in `line`, if it waits there and the place is still ahead at `now`.
    pub fn place_in(&self, line: Line, now: Timestamp) -> Option<Timestamp> {
        let place = self.attempt.due_at?;
        (self.line == Some(line) && place > now).then_some(place)
    }

    /// Whether it was due immediately and has not been postponed.
    pub fn is_fresh(&self) -> bool {
        self.attempt.due_at.is_none()
    }
}
