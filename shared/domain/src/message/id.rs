//! ID of a message or call.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Channel;
use crate::id::{CallId, Id, MessageId, ParseIdError};

/// ID of a message (`msg_…`) or a call (`call_…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum MessageRef {
    /// An SMS, e-mail or chatbot message.
    Message(MessageId),
    /// A call.
    Call(CallId),
}

impl MessageRef {
    /// Creates an ID for `channel` at `now`. Only the lower 80 bits of `random` are used.
    pub fn new(channel: Channel, now: Timestamp, random: u128) -> Self {
        match channel {
            Channel::Call => Self::Call(Id::new(now, random)),
            Channel::Sms | Channel::Email | Channel::Chatbot => Self::Message(Id::new(now, random)),
        }
    }
}

impl fmt::Display for MessageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(id) => id.fmt(f),
            Self::Call(id) => id.fmt(f),
        }
    }
}

impl FromStr for MessageRef {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        text.parse()
            .map(Self::Message)
            .or_else(|_| text.parse().map(Self::Call))
    }
}

impl From<MessageRef> for String {
    fn from(id: MessageRef) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for MessageRef {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, ParseIdError> {
        text.parse()
    }
}
