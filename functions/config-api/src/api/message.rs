//! Messages.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use domain::{attempt, message, time::show_millis};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Attempt;

mirror! {
    /// How a recipient is reached.
    #[serde(rename_all = "lowercase")]
    Channel of message::Channel {
        /// Text messages to phones.
        Sms,
        /// E-mail.
        Email,
        /// Phone calls.
        Call,
        /// Chat apps.
        Chatbot,
    }
}

mirror! {
    /// Status of a message or call.
    #[serde(rename_all = "lowercase")]
    MessageOrCallStatus of message::Status {
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
        /// Not delivered. Final, except that the provider may report on a cancelled message that
        /// was sent after all.
        Failed,
    }
}

/// A status change.
#[derive(Debug, Serialize, ToSchema)]
pub struct Change {
    /// New status.
    pub status: MessageOrCallStatus,
    /// Time of the change.
    #[schema(format = DateTime)]
    pub at: String,
    /// The provider's own name for the status, if it came from a report.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider_status: Option<String>,
}

/// Returns the status changes of a message or call, oldest first.
pub(super) fn history(row: &message::Message) -> Vec<Change> {
    let change = |change: &message::Change| Change {
        status: change.status.by(row.channel).into(),
        at: show_millis(change.at),
        provider_status: change.provider_status.clone(),
    };
    row.history.iter().map(change).collect()
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageChannel {
    Sms,
    Email,
    Chatbot,
}

/// A business field: a text, a number or a boolean.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
pub enum BusinessField {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// A boolean.
    Flag(bool),
}

#[derive(Debug, ToSchema)]
pub struct MessageInput {
    pub channel: MessageChannel,
    /// The provider's name or ID. Default: the campaign's provider, then the channel's default
    /// provider, then its only provider.
    pub provider: Option<String>,
    /// A phone number in E.164 format, an e-mail address, or the chatbot's ID for its user.
    #[schema(max_length = 255, example = "+15555550100")]
    pub to: String,
    /// The sender. A phone number, or a name or ID that the provider knows; for e-mails an address
    /// or `Name <address>`.
    #[schema(max_length = 500)]
    pub from: Option<String>,
    /// The subject of an e-mail. SMS do not show one.
    #[schema(max_length = 998)]
    pub subject: Option<String>,
    /// At most 32 KiB; for SMS at most 1,600 characters. E-mails can have `html` instead or as
    /// well. Required without `html` and `template`.
    pub text: Option<String>,
    /// The HTML body of an e-mail. At most 128 KiB.
    pub html: Option<String>,
    /// Name or ID of the provider's template. Available as `{message.template}`.
    #[schema(min_length = 1, max_length = 100)]
    pub template: Option<String>,
    /// Business fields for the provider's template: texts, numbers and booleans by name. At most 50
    /// and 16 KiB. Available as `{message.fields}`, a list of `{"name", "value"}`, and
    /// `{message.fields.<name>}`.
    #[schema(value_type = Option<BTreeMap<String, BusinessField>>)]
    pub fields: Option<Value>,
    /// Returned in the message's events. At most 16 KiB.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// The campaign that it belongs to. Its provider is used unless `provider` is set.
    pub campaign_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    pub id: String,
    #[schema(value_type = MessageChannel)]
    pub channel: Channel,
    /// Statuses only move forward. `delivered` and `failed` are final, with one exception: a
    /// cancelled message becomes `sent` if an attempt in progress succeeds, and follows its
    /// provider's reports.
    pub status: MessageStatus,
    /// The provider that sends it. If that provider can't, its fallback takes over.
    pub provider_id: String,
    /// Name of the provider when it got the message.
    pub provider: String,
    /// The provider's own ID; null until it is known.
    pub provider_message_id: Option<String>,
    pub to: String,
    pub from: Option<String>,
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
    /// Name or ID of the provider's template.
    pub template: Option<String>,
    /// Business fields for the provider's template.
    #[schema(value_type = BTreeMap<String, BusinessField>)]
    pub fields: Map<String, Value>,
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    pub campaign_id: Option<String>,
    /// Why it failed; null unless it did.
    pub error: Option<String>,
    /// All status changes, oldest first.
    pub history: Vec<Change>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct MessageWithAttempts {
    #[schema(inline)]
    #[serde(flatten)]
    pub message: Message,
    pub attempts: Vec<Attempt>,
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
}

impl From<&message::Message> for Message {
    fn from(row: &message::Message) -> Self {
        let message::Content {
            to,
            from,
            subject,
            text,
            html,
            url: _,
            template,
            fields,
            metadata,
        } = row.content.clone();
        Self {
            id: row.id.to_string(),
            channel: row.channel.into(),
            status: row.status.into(),
            provider_id: row.provider_id.to_string(),
            provider: row.provider.clone(),
            provider_message_id: row.provider_message_id.clone(),
            to,
            from,
            subject,
            text,
            html,
            template,
            fields,
            metadata,
            campaign_id: row.campaign_id.map(|campaign| campaign.to_string()),
            error: row.error.clone(),
            history: history(row),
            created_at: show_millis(row.created_at),
            updated_at: show_millis(row.updated_at),
        }
    }
}

impl From<&message::Message> for MessageWithAttempts {
    fn from(row: &message::Message) -> Self {
        Self {
            message: row.into(),
            attempts: attempts(row),
            next_attempt_at: next_attempt_at(row),
        }
    }
}

pub(super) fn attempts(row: &message::Message) -> Vec<Attempt> {
    let through = |attempt: &attempt::Attempt| {
        let (id, name) = row.provider_of(attempt.number);
        Attempt::from(attempt.clone()).through(id, name)
    };
    row.attempts.iter().map(through).collect()
}

pub(super) fn next_attempt_at(row: &message::Message) -> Option<String> {
    let awaited = row.progress.awaited.as_ref();
    awaited.map(|awaited| show_millis(awaited.due_at))
}

/// A message's status.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageStatus {
    /// Stored, not yet sent to the provider.
    Queued,
    /// The provider accepted it.
    Sent,
    /// It reached the recipient.
    Delivered,
    /// It could not be sent or delivered.
    Failed,
}

impl From<message::Status> for MessageStatus {
    fn from(status: message::Status) -> Self {
        match status {
            message::Status::Queued => Self::Queued,
            message::Status::Sent | message::Status::Ringing | message::Status::Answered => {
                Self::Sent
            }
            message::Status::Delivered | message::Status::Completed => Self::Delivered,
            message::Status::Failed => Self::Failed,
        }
    }
}
