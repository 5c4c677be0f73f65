//! The part of a row that says which attempt was the last, and which is next.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AttemptRequest, AttemptToken};

/// The next attempt of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextAttempt {
    /// Number and token of the queue message that requests it.
    #[serde(flatten)]
    pub id: AttemptToken,
    /// Due time; not before the end of the last attempt.
    pub due_at: Timestamp,
}

/// What to do with an arriving queue message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Make the attempt.
    Attempt,
    /// The attempt is recorded, but its follow-up may not have happened. Repeat the follow-up.
    FollowUp,
    /// Drop the queue message: the row waits for another one, or for none.
    Stale,
}

/// The last and the next attempt of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Number and token of the last recorded attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<AttemptToken>,
    /// The queue message that the row waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaited: Option<NextAttempt>,
}

impl Progress {
    /// Classifies an arriving queue message.
    pub fn arrive(&self, request: &AttemptRequest) -> Arrival {
        match self {
            Self {
                awaited: Some(next),
                ..
            } if request.matches(&next.id) => Arrival::Attempt,
            Self { last, .. } if last.as_ref() == Some(&request.id) => Arrival::FollowUp,
            _ => Arrival::Stale,
        }
    }

    /// Records the attempt `made`. The next one, if any, is due at `due_at` under `token`.
    #[must_use]
    pub fn recorded(made: &AttemptToken, due_at: Option<Timestamp>, token: String) -> Self {
        let number = made.number.saturating_add(1);
        let id = AttemptToken { number, token };
        Self {
            last: Some(made.clone()),
            awaited: due_at.map(|due_at| NextAttempt { id, due_at }),
        }
    }

    /// The request that the row waits for.
    pub fn request(&self) -> Option<AttemptRequest> {
        let NextAttempt { id, due_at } = self.awaited.clone()?;
        Some(AttemptRequest::new(id, Some(due_at)))
    }

    /// Puts the awaited request under a new token, and returns it. It is queued before the row is
    /// written: it is the awaited one both before and after the write, so that a crash can't lose
    /// it. Queue messages with the old token become stale.
    pub fn reissue(&mut self, token: String) -> Option<AttemptRequest> {
        let mut request = self.request()?;
        self.awaited.as_mut()?.id.token.clone_from(&token);
        request.replaces = Some(std::mem::replace(&mut request.id.token, token));
        Some(request)
    }
}
