//! Messages and calls.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

use domain::{attempt::Attempt, message::Change};
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum MessageChannel {
    Sms,
    Email,
    Chatbot,
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
    /// well.
    pub text: Option<String>,
    /// The HTML body of an e-mail. At most 128 KiB.
    pub html: Option<String>,
    /// Returned in the message's events. At most 16 KiB.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// The campaign that it belongs to. Its provider is used unless `provider` is set.
    pub campaign_id: Option<String>,
}

#[derive(Debug, ToSchema)]
pub struct Message {
    pub id: String,
    pub channel: MessageChannel,
    /// Statuses only move forward; `delivered` and `failed` are final.
    pub status: MessageStatus,
    pub provider_id: String,
    /// Name of the provider at the time the message was accepted.
    pub provider: String,
    /// The provider's own ID; null until it is known.
    pub provider_message_id: Option<String>,
    pub to: String,
    pub from: Option<String>,
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
    #[schema(value_type = Object)]
    pub metadata: Value,
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

#[derive(Debug, ToSchema)]
pub struct MessageWithAttempts {
    #[schema(inline)]
    #[serde(flatten)]
    pub message: Message,
    pub attempts: Vec<Attempt>,
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
}

#[derive(Debug, ToSchema)]
pub struct CallInput {
    /// The provider's name or ID. Default: the default provider for calls, then the only one.
    pub provider: Option<String>,
    /// A phone number in E.164 format.
    #[schema(example = "+15555550100")]
    pub to: String,
    #[schema(max_length = 255)]
    pub from: Option<String>,
    /// Text to speak. At most 32 KiB. Required unless `url` is set.
    pub text: Option<String>,
    /// URL from which the provider fetches call instructions. Tieline does not request it.
    pub url: Option<String>,
    /// Returned in the call's events. At most 16 KiB.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
}

#[derive(Debug, ToSchema)]
pub struct Call {
    pub id: String,
    /// Statuses only move forward; `completed` and `failed` are final.
    pub status: CallStatus,
    pub provider_id: String,
    /// Name of the provider at the time the call was accepted.
    pub provider: String,
    /// The provider's own ID; null until it is known.
    pub provider_call_id: Option<String>,
    pub to: String,
    pub from: Option<String>,
    pub text: Option<String>,
    pub url: Option<String>,
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// Why it failed; null unless it did.
    pub error: Option<String>,
    /// All status changes, oldest first.
    pub history: Vec<Change>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// A message's status.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
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

#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum CallStatus {
    /// Stored, not yet sent to the provider.
    Queued,
    /// The provider accepted it.
    Sent,
    /// The recipient's phone rings.
    Ringing,
    /// The recipient answered.
    Answered,
    /// The call has ended.
    Completed,
    /// The call could not be made or was not answered.
    Failed,
}

#[derive(Debug, ToSchema)]
pub struct CallWithAttempts {
    #[schema(inline)]
    #[serde(flatten)]
    pub call: Call,
    pub attempts: Vec<Attempt>,
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
}
