//! Messages and calls: what goes to a recipient through a provider.
//!
//! [`NewMessage`] is what a client wants sent; a [`Message`] is the row that is kept of it, one
//! form for messages and calls. Its row is written first, then the [`Errand`] is queued that asks
//! for the first attempt, and only then is the client answered. From then on two things move it:
//! attempts to hand it to its provider ([`attempt`]), and what the provider reports of it
//! ([`report`]). Guaranteed: its status only moves forward, `queued → sent → delivered | failed`,
//! or for calls `queued → sent → ringing → answered → completed | failed`; whatever comes twice,
//! late or out of order changes nothing, and tells of the same events ([`event`]) under the same
//! ids.

pub mod attempt;
pub mod event;
mod id;
pub mod new;
pub mod report;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use self::{
    attempt::{Errand, Made},
    id::MessageRef,
    new::NewMessage,
    report::{Ignored, Report, Reported},
};
use crate::{
    delivery::{Attempt, Awaited, Ticket},
    event::is_zero,
    id::{CampaignId, EventId, ProviderId},
    time,
};

/// By what means a recipient is reached.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Text messages to phones.
    Sms,
    /// E-mail.
    Email,
    /// Phone calls.
    Call,
    /// Messengers and the like.
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

    /// Its name.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, channel)| *channel == self)
            .map_or("", |(name, _)| name)
    }
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MessageOrCallStatus)]
pub enum Status {
    /// No provider has it yet.
    Queued,
    /// Its provider accepted it.
    Sent,
    /// The recipient's phone rings (calls).
    Ringing,
    /// The recipient took the call (calls).
    Answered,
    /// It reached its recipient. Of a call it means `completed`.
    Delivered,
    /// The call was made and is over (calls).
    Completed,
    /// It will not.
    Failed,
}

impl Status {
    /// The statuses of messages by name.
    const OF_MESSAGES: [(&str, Self); 4] = [
        ("queued", Self::Queued),
        ("sent", Self::Sent),
        ("delivered", Self::Delivered),
        ("failed", Self::Failed),
    ];

    /// The statuses of calls by name; `delivered` stands for `completed`.
    const OF_CALLS: [(&str, Self); 7] = [
        ("queued", Self::Queued),
        ("sent", Self::Sent),
        ("ringing", Self::Ringing),
        ("answered", Self::Answered),
        ("completed", Self::Completed),
        ("failed", Self::Failed),
        ("delivered", Self::Delivered),
    ];

    /// The statuses by this channel, by name.
    pub const fn all(channel: Channel) -> &'static [(&'static str, Self)] {
        match channel {
            Channel::Call => &Self::OF_CALLS,
            Channel::Sms | Channel::Email | Channel::Chatbot => &Self::OF_MESSAGES,
        }
    }

    /// The channel's own word for it.
    #[must_use]
    pub fn by(self, channel: Channel) -> Self {
        if (self, channel) == (Self::Delivered, Channel::Call) {
            Self::Completed
        } else {
            self
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        Self::OF_CALLS
            .iter()
            .find(|(_, status)| *status == self)
            .map_or("", |(name, _)| name)
    }

    /// The status after `incoming` came, where that is a step forward. The two ends are final: the
    /// first one counts.
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

/// Error of a message that a client cancelled.
const CANCELLED: &str = "cancelled";

/// What a recipient gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The recipient: an E.164 number, an e-mail address, or a chatbot's own id.
    pub to: String,
    /// The sender, where the client names one.
    pub from: Option<String>,
    /// An e-mail's subject.
    pub subject: Option<String>,
    /// Plain text; in a call it is read out.
    pub text: Option<String>,
    /// HTML.
    pub html: Option<String>,
    /// Where a call's provider finds what to do.
    pub url: Option<String>,
    /// What the client wants to find in the events.
    pub metadata: Map<String, Value>,
}

/// A step that a message took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Change {
    /// The status from then on.
    pub status: Status,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
    /// The provider's own word for it, where it came from a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_status: Option<String>,
}

/// A message or call as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its id: what its provider gets as ours.
    pub id: MessageRef,
    /// How it goes out.
    pub channel: Channel,
    /// Through whom.
    pub provider_id: ProviderId,
    /// That provider's name when the message was accepted.
    pub provider: String,
    /// What is sent.
    pub content: Content,
    /// The campaign that it belongs to.
    pub campaign_id: Option<CampaignId>,
    /// How many times what led to it left Tieline.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u8,
    /// Where it stands.
    pub status: Status,
    /// The provider's own id of it, once known.
    pub provider_message_id: Option<String>,
    /// What went wrong, once it failed.
    pub error: Option<String>,
    /// Every step it took, the first one `queued`: at most five.
    pub history: Vec<Change>,
    /// The attempts to hand it to its provider: at most four, so they fit into the row.
    pub attempts: Vec<Attempt>,
    /// The last attempt on record and the token that it ran under.
    pub last: Option<Ticket>,
    /// The errand that it waits for.
    pub awaited: Option<Awaited>,
    /// The events that followed from reports without a step, so that a report that comes again
    /// brings the same one.
    pub reported: Vec<EventId>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts the changes: a write names the version that it saw, so that no report or attempt is
    /// lost.
    pub version: u64,
}

impl Message {
    /// The row of a message that was accepted at `now`, to go out through `provider`, and the
    /// errand for its first attempt. Should the errand be queued twice (the client came again after
    /// a crash), one of the two makes the attempt.
    pub fn accept(
        new: NewMessage,
        id: MessageRef,
        provider: (ProviderId, String),
        now: Timestamp,
        token: String,
    ) -> (Self, Errand) {
        let row = Self {
            id,
            channel: new.channel,
            provider_id: provider.0,
            provider: provider.1,
            content: new.content,
            campaign_id: new.campaign_id,
            hops: new.hops,
            status: Status::Queued,
            provider_message_id: None,
            error: None,
            history: vec![Change {
                status: Status::Queued,
                at: now,
                provider_status: None,
            }],
            attempts: Vec::new(),
            last: None,
            awaited: Some(Awaited {
                ticket: Ticket {
                    number: 1,
                    token: token.clone(),
                },
                due_at: now,
            }),
            reported: Vec::new(),
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let errand = Errand::new(id, Ticket { number: 1, token }, None);
        (row, errand)
    }

    /// The document that clients read, without the attempts.
    pub fn to_map(&self) -> Map<String, Value> {
        let Content {
            to,
            from,
            subject,
            text,
            html,
            url,
            metadata,
        } = &self.content;
        let mut map = Map::new();
        let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
        put("id", json!(self.id));
        put("status", json!(self.status.by(self.channel)));
        put("provider_id", json!(self.provider_id));
        put("provider", json!(self.provider));
        put("to", json!(to));
        put("from", json!(from));
        if self.channel == Channel::Call {
            put("provider_call_id", json!(self.provider_message_id));
            put("text", json!(text));
            put("url", json!(url));
        } else {
            put("channel", json!(self.channel));
            put("provider_message_id", json!(self.provider_message_id));
            put("subject", json!(subject));
            put("text", json!(text));
            put("html", json!(html));
            put("campaign_id", json!(self.campaign_id));
        }
        put("metadata", json!(metadata));
        put("error", json!(self.error));
        let history = self.history.iter().cloned().map(|step| Change {
            status: step.status.by(self.channel),
            ..step
        });
        put("history", json!(history.collect::<Vec<_>>()));
        put("created_at", json!(time::show_millis(self.created_at)));
        put("updated_at", json!(time::show_millis(self.updated_at)));
        map
    }

    /// The row one step on, where `status` is a step forward. Whatever attempt was still to come is
    /// not needed any more.
    fn step(
        mut self,
        status: Status,
        provider_status: Option<String>,
        error: Option<String>,
        now: Timestamp,
    ) -> Self {
        if let Some(status) = self.status.advance(status) {
            self.status = status;
            self.error = error.filter(|_| status == Status::Failed);
            self.history.push(Change {
                status,
                at: now,
                provider_status,
            });
            self.awaited = None;
        }
        self
    }

    /// The row of a message that is cancelled before a provider has it; none where it is no longer
    /// queued.
    #[must_use]
    pub fn cancelled(&self, now: Timestamp) -> Option<Self> {
        let queued = self.status == Status::Queued;
        queued.then(|| {
            self.clone()
                .step(Status::Failed, None, Some(CANCELLED.to_owned()), now)
                .touched(now)
        })
    }

    /// Whether a client cancelled it.
    pub fn is_cancelled(&self) -> bool {
        self.status == Status::Failed && self.error.as_deref() == Some(CANCELLED)
    }

    fn touched(self, now: Timestamp) -> Self {
        Self {
            updated_at: now.max(self.updated_at),
            version: self.version + 1,
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
