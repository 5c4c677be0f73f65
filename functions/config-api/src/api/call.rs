//! Phone calls.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use domain::{message, time::show_millis};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    Attempt,
    message::{BusinessField, Change, attempts, history, next_attempt_at},
};

#[derive(Debug, ToSchema)]
pub struct CallInput {
    /// The provider's name or ID. Default: the default provider for calls, then the only one.
    pub provider: Option<String>,
    /// A phone number in E.164 format.
    #[schema(example = "+15555550100")]
    pub to: String,
    #[schema(max_length = 255)]
    pub from: Option<String>,
    /// Text to speak. At most 32 KiB. Required without `url` and `template`.
    pub text: Option<String>,
    /// URL from which the provider fetches call instructions. Tieline does not request it.
    pub url: Option<String>,
    /// Name or ID of the provider's template. Available as `{message.template}`.
    #[schema(min_length = 1, max_length = 100)]
    pub template: Option<String>,
    /// Business fields for the provider's template: texts, numbers and booleans by name. At most 50
    /// and 16 KiB. Available as `{message.fields}`, a list of `{"name", "value"}`, and
    /// `{message.fields.<name>}`.
    #[schema(value_type = Option<BTreeMap<String, BusinessField>>)]
    pub fields: Option<Value>,
    /// Returned in the call's events. At most 16 KiB.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Call {
    pub id: String,
    /// Statuses only move forward; `completed` and `failed` are final.
    pub status: CallStatus,
    /// The provider that makes it. If that provider can't, its fallback takes over.
    pub provider_id: String,
    /// Name of the provider when it got the call.
    pub provider: String,
    /// The provider's own ID; null until it is known.
    pub provider_call_id: Option<String>,
    pub to: String,
    pub from: Option<String>,
    pub text: Option<String>,
    pub url: Option<String>,
    /// Name or ID of the provider's template.
    pub template: Option<String>,
    /// Business fields for the provider's template.
    #[schema(value_type = BTreeMap<String, BusinessField>)]
    pub fields: Map<String, Value>,
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
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
#[serde(rename_all = "lowercase")]
pub enum CallStatus {
    /// Stored, not yet sent to the provider.
    Queued,
    /// The provider accepted it.
    Sent,
    /// The recipient's phone is ringing.
    Ringing,
    /// The recipient answered.
    Answered,
    /// The call has ended.
    Completed,
    /// The call could not be made or was not answered.
    Failed,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CallWithAttempts {
    #[schema(inline)]
    #[serde(flatten)]
    pub call: Call,
    pub attempts: Vec<Attempt>,
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
}

impl From<message::Status> for CallStatus {
    fn from(status: message::Status) -> Self {
        match status {
            message::Status::Queued => Self::Queued,
            message::Status::Sent => Self::Sent,
            message::Status::Ringing => Self::Ringing,
            message::Status::Answered => Self::Answered,
            message::Status::Delivered | message::Status::Completed => Self::Completed,
            message::Status::Failed => Self::Failed,
        }
    }
}

impl From<&message::Message> for Call {
    fn from(row: &message::Message) -> Self {
        let message::Content {
            to,
            from,
            subject: _,
            text,
            html: _,
            url,
            template,
            fields,
            metadata,
        } = row.content.clone();
        Self {
            id: row.id.to_string(),
            status: row.status.into(),
            provider_id: row.provider_id.to_string(),
            provider: row.provider.clone(),
            provider_call_id: row.provider_message_id.clone(),
            to,
            from,
            text,
            url,
            template,
            fields,
            metadata,
            error: row.error.clone(),
            history: history(row),
            created_at: show_millis(row.created_at),
            updated_at: show_millis(row.updated_at),
        }
    }
}

impl From<&message::Message> for CallWithAttempts {
    fn from(row: &message::Message) -> Self {
        Self {
            call: row.into(),
            attempts: attempts(row),
            next_attempt_at: next_attempt_at(row),
        }
    }
}
