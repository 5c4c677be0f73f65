//! Messages and calls.

#![expect(missing_docs, reason = "the fields' descriptions are the document's")]

use domain::{delivery::Attempt, message::Change};
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
    /// A provider's name or id; by default the campaign's, the channel's default, or its only one.
    pub provider: Option<String>,
    /// A phone number in E.164 form, an e-mail address, or what the chatbot knows its user by.
    #[schema(max_length = 255, example = "+15555550100")]
    pub to: String,
    /// A phone number, or a name or ID that the provider knows; of an e-mail, an address or `Name
    /// <address>`.
    #[schema(max_length = 500)]
    pub from: Option<String>,
    /// Of an e-mail; by SMS there is none to see.
    #[schema(max_length = 998)]
    pub subject: Option<String>,
    /// At most 32 KiB, and 1,600 characters by SMS. An e-mail may have `html` in place of it, or
    /// both.
    pub text: Option<String>,
    /// At most 128 KiB.
    pub html: Option<String>,
    /// Comes back in the message's events. At most 16 KiB.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// The campaign that it belongs to, whose provider it goes through.
    pub campaign_id: Option<String>,
}

#[derive(Debug, ToSchema)]
pub struct Message {
    pub id: String,
    pub channel: MessageChannel,
    /// Never goes back: `delivered` and `failed` are final.
    pub status: MessageStatus,
    pub provider_id: String,
    /// The provider's name when the message was accepted.
    pub provider: String,
    /// The provider's own id, once it is known.
    pub provider_message_id: Option<String>,
    pub to: String,
    pub from: Option<String>,
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
    #[schema(value_type = Object)]
    pub metadata: Value,
    pub campaign_id: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// The statuses so far.
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
    /// A provider's name or id; by default the default for calls, or the only one.
    pub provider: Option<String>,
    /// A phone number in E.164 form.
    #[schema(example = "+15555550100")]
    pub to: String,
    #[schema(max_length = 255)]
    pub from: Option<String>,
    /// Is read out. At most 32 KiB. This, or `url`, or both.
    pub text: Option<String>,
    /// Where the provider finds what to do. Tieline itself does not call it.
    pub url: Option<String>,
    /// Comes back in the call's events. At most 16 KiB.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
}

#[derive(Debug, ToSchema)]
pub struct Call {
    pub id: String,
    /// Never goes back: `completed` and `failed` are final.
    pub status: CallStatus,
    pub provider_id: String,
    /// The provider's name when the call was accepted.
    pub provider: String,
    /// The provider's own id, once it is known.
    pub provider_call_id: Option<String>,
    pub to: String,
    pub from: Option<String>,
    pub text: Option<String>,
    pub url: Option<String>,
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// Why it failed.
    pub error: Option<String>,
    /// The statuses so far.
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
    /// No provider has it yet.
    Queued,
    /// Its provider accepted it.
    Sent,
    /// It reached its recipient.
    Delivered,
    /// It did not.
    Failed,
}

#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum CallStatus {
    /// No provider has it yet.
    Queued,
    /// Its provider accepted it.
    Sent,
    /// The recipient's phone rings.
    Ringing,
    /// The recipient took the call.
    Answered,
    /// The call was made and is over.
    Completed,
    /// It was not made, or nobody took it.
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
