//! Statuses of messages and calls. They only move forward.

use serde::{Deserialize, Serialize};

use super::Channel;

/// Status of a message or call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not yet accepted by a provider.
    Queued,
    /// Accepted by the provider.
    Sent,
    /// The recipient's phone is ringing (calls).
    Ringing,
    /// The recipient answered the call (calls).
    Answered,
    /// Delivered to the recipient. For a call it means `completed`.
    Delivered,
    /// The call took place and has ended (calls).
    Completed,
    /// Not delivered. Final, except that the provider may report on a cancelled message that was
    /// sent after all.
    Failed,
}

impl Status {
    /// Statuses of messages by name.
    const OF_MESSAGES: [(&str, Self); 4] = [
        ("queued", Self::Queued),
        ("sent", Self::Sent),
        ("delivered", Self::Delivered),
        ("failed", Self::Failed),
    ];

    /// Statuses of calls by name; `delivered` is an alias of `completed`.
    const OF_CALLS: [(&str, Self); 7] = [
        ("queued", Self::Queued),
        ("sent", Self::Sent),
        ("ringing", Self::Ringing),
        ("answered", Self::Answered),
        ("completed", Self::Completed),
        ("failed", Self::Failed),
        ("delivered", Self::Delivered),
    ];

    /// The statuses of a channel, by name.
    pub const fn all(channel: Channel) -> &'static [(&'static str, Self)] {
        match channel {
            Channel::Call => &Self::OF_CALLS,
            Channel::Sms | Channel::Email | Channel::Chatbot => &Self::OF_MESSAGES,
        }
    }

    /// The channel's own name for this status.
    #[must_use]
    pub fn by(self, channel: Channel) -> Self {
        if (self, channel) == (Self::Delivered, Channel::Call) {
            Self::Completed
        } else {
            self
        }
    }

    /// The status as it appears in the API.
    pub fn as_str(self) -> &'static str {
        Self::OF_CALLS
            .iter()
            .find(|(_, status)| *status == self)
            .map_or("", |(name, _)| name)
    }

    /// Returns the status after a report of `incoming`, if that is a step forward. `delivered`,
    /// `completed` and `failed` are final.
    pub fn advance(self, incoming: Self) -> Option<Self> {
        (incoming.rank() > self.rank()).then_some(incoming)
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Sent => 1,
            Self::Ringing => 2,
            Self::Answered => 3,
            Self::Delivered | Self::Completed | Self::Failed => 4,
        }
    }
}
