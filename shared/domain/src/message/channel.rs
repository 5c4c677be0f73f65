//! Channels of messages and calls.

use serde::{Deserialize, Serialize};

/// How a recipient is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Text messages to phones.
    Sms,
    /// E-mail.
    Email,
    /// Phone calls.
    Call,
    /// Chat apps.
    Chatbot,
}

impl Channel {
    /// Every channel with its name.
    pub const ALL: [(&str, Self); 4] = [
        ("sms", Self::Sms),
        ("email", Self::Email),
        ("call", Self::Call),
        ("chatbot", Self::Chatbot),
    ];

    /// The channel as it appears in the API.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, channel)| *channel == self)
            .map_or("", |(name, _)| name)
    }
}
