//! Messages and calls sent to a recipient through a provider.
//!
//! [`NewMessage`] is a client's request. [`Message`] is the stored row, with one form for messages
//! and calls. The row is written first, then the [`SendTask`] for the first attempt is queued, and
//! only then does the client get a response. After that, attempts to send it ([`attempt`]) and the
//! provider's reports ([`report`]) change it.
//!
//! The status only moves forward: `queued → sent → delivered | failed`, or for calls `queued → sent
//! → ringing → answered → completed | failed`. Duplicate, late and out-of-order reports change
//! nothing, and lead to the same events ([`event`]) with the same IDs.

pub mod attempt;
mod channel;
pub mod event;
pub mod fallback;
mod id;
pub mod new;
pub mod report;
mod status;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::attempt::{CompletedAttempt, SendTask};
pub use self::{
    channel::Channel,
    fallback::{EarlierProvider, Fallback},
    id::MessageRef,
    new::NewMessage,
    report::{Ignored, Report, Reported},
    status::Status,
};
use crate::{
    attempt::{Attempt, AttemptRequest, AttemptToken, NextAttempt, Progress},
    event::is_zero,
    id::{CampaignId, EventId, ProviderId},
};

/// Error of a message cancelled by a client.
const CANCELLED: &str = "cancelled";

/// Content of a message or call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Recipient: an E.164 number, an e-mail address, or an ID of the chat app.
    pub to: String,
    /// Sender, if the client named one.
    pub from: Option<String>,
    /// Subject of an e-mail.
    pub subject: Option<String>,
    /// Plain text, or the text to speak in a call.
    pub text: Option<String>,
    /// HTML body of an e-mail.
    pub html: Option<String>,
    /// URL where the provider fetches instructions for a call.
    pub url: Option<String>,
    /// The provider's template, by its name or ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Business fields for the provider's template: texts, numbers and booleans.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// Client metadata, copied to the events.
    pub metadata: Map<String, Value>,
}

/// A status change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// New status.
    pub status: Status,
    /// Time of the change.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
    /// The provider's own name for the status, if it came from a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_status: Option<String>,
}

/// A stored message or call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// ID, which is also sent to the provider.
    pub id: MessageRef,
    /// Channel.
    pub channel: Channel,
    /// Provider that sends it.
    pub provider_id: ProviderId,
    /// Name of the provider when it got the message.
    pub provider: String,
    /// Providers that could not send it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierProvider>,
    /// Fallback of the provider when it got the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_provider_id: Option<ProviderId>,
    /// Whether the client named no sender, so that it is the provider's default. `None` in rows of
    /// earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_sender: Option<bool>,
    /// Content.
    pub content: Content,
    /// Campaign that it belongs to.
    pub campaign_id: Option<CampaignId>,
    /// Name of the campaign when the message was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// How many times the chain of events that led to it has left Tieline.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u8,
    /// Current status.
    pub status: Status,
    /// The provider's own ID for it, once known.
    pub provider_message_id: Option<String>,
    /// Error text, once it failed.
    pub error: Option<String>,
    /// Status changes, starting with `queued`; at most five.
    pub history: Vec<Change>,
    /// Attempts to send it; at most four through each provider, so that they fit into the row.
    pub attempts: Vec<Attempt>,
    /// The last and the next attempt.
    #[serde(flatten)]
    pub progress: Progress,
    /// IDs of events from reports without a status change, so that a repeated report leads to the
    /// same event.
    pub reported: Vec<EventId>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Version for optimistic locking. Every write names the version it read, so that no report or
    /// attempt is lost.
    pub version: u64,
}

impl Message {
    /// Returns the row of a message accepted at `now` for `provider`, and the queue message for its
    /// first attempt. If a client repeats its request after a crash and that is queued twice, only
    /// one makes the attempt.
    pub fn accept(
        new: NewMessage,
        id: MessageRef,
        provider: (ProviderId, String),
        now: Timestamp,
        token: String,
    ) -> (Self, SendTask) {
        let attempt = AttemptRequest::new(AttemptToken { number: 1, token }, None);
        let row = Self {
            id,
            channel: new.channel,
            provider_id: provider.0,
            provider: provider.1,
            earlier: Vec::new(),
            fallback_provider_id: new.fallback_provider_id,
            default_sender: Some(new.default_sender),
            content: new.content,
            campaign_id: new.campaign_id,
            campaign: new.campaign,
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
            progress: Progress {
                last: None,
                awaited: Some(NextAttempt {
                    id: attempt.id.clone(),
                    due_at: now,
                }),
            },
            reported: Vec::new(),
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let task = SendTask {
            message: id,
            attempt,
        };
        (row, task)
    }

    /// Returns the row after a change to `status`, if that is a step forward. A pending attempt is
    /// no longer needed.
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
            self.progress.awaited = None;
        }
        self
    }

    /// Returns the row of a message cancelled before a provider accepted it; `None` if it is no
    /// longer queued.
    #[must_use]
    pub fn cancelled(&self, now: Timestamp) -> Option<Self> {
        let queued = self.status == Status::Queued;
        queued.then(|| {
            self.clone()
                .step(Status::Failed, None, Some(CANCELLED.to_owned()), now)
                .touched(now)
        })
    }

    /// Returns the row as if it had not been cancelled, because the provider has the message after
    /// all.
    fn uncancelled(mut self) -> Self {
        if self.is_cancelled() {
            (self.status, self.error) = (Status::Queued, None);
        }
        self
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
