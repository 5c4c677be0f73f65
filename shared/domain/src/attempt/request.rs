//! The part of a queue message that requests an attempt.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::retry::hop_delay;

/// Attempt number and random token of a queue message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptToken {
    /// Counts from 1 over the lifetime of the delivery or message.
    pub number: u32,
    /// Distinguishes this queue message from any other with the same number.
    pub token: String,
}

/// Requests one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRequest {
    /// Number of the attempt, and the token that makes the queue message unique.
    #[serde(flatten)]
    pub id: AttemptToken,
    /// When the attempt is due; `None` for immediately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// How often the queue message arrived early and was re-queued.
    #[serde(default)]
    pub waits: u32,
    /// Token of the queue message that this one replaces. The row may still wait for that token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

impl AttemptRequest {
    /// A request for this attempt.
    pub const fn new(id: AttemptToken, due_at: Option<Timestamp>) -> Self {
        Self {
            id,
            due_at,
            waits: 0,
            replaces: None,
        }
    }

    /// Whether a row that waits for `next` waits for this request.
    pub fn matches(&self, next: &AttemptToken) -> bool {
        let tokens = [Some(&self.id.token), self.replaces.as_ref()];
        self.id.number == next.number && tokens.contains(&Some(&next.token))
    }

    /// The `DelaySeconds` to queue it with at `now`.
    pub fn delay(&self, now: Timestamp) -> u32 {
        self.due_at.map_or(0, |due_at| hop_delay(due_at, now))
    }
}

/// Whether an arriving queue message is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due<T> {
    /// The attempt is due.
    Now(T),
    /// It is early. Re-queue it with this delay and do nothing else.
    Later {
        /// Task to re-queue.
        task: T,
        /// SQS `DelaySeconds`, at most 900.
        delay_seconds: u32,
    },
    /// It exceeded the maximum number of re-queues.
    Lost,
}

/// A queue message that requests an attempt.
pub trait Task: Sized {
    /// Maximum number of re-queues.
    const MAX_WAITS: u32;

    /// The requested attempt.
    fn attempt(&self) -> &AttemptRequest;

    /// The requested attempt.
    fn attempt_mut(&mut self) -> &mut AttemptRequest;

    /// The `DelaySeconds` to queue it with at `now`.
    fn delay(&self, now: Timestamp) -> u32 {
        self.attempt().delay(now)
    }

    /// Whether the attempt is due at `now`.
    fn due(mut self, now: Timestamp) -> Due<Self> {
        match self.delay(now) {
            0 => Due::Now(self),
            _ if self.attempt().waits >= Self::MAX_WAITS => Due::Lost,
            delay_seconds => {
                self.attempt_mut().waits += 1;
                Due::Later {
                    task: self,
                    delay_seconds,
                }
            }
        }
    }
}
