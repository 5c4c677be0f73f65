//! How requests to a provider's callback URL are verified and read.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use std::collections::BTreeMap;

use domain::{
    callback::{CallbackSettings, InboundSettings},
    pointer::Pointer,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Condition, MessageOrCallStatus, VerificationInput, VerificationView};

/// How the provider's status reports are verified and read: JSON, forms or query parameters. If
/// `inbound` is set, `verification` may be the only field: no status reports are read then.
#[derive(Debug, ToSchema)]
pub struct ProviderCallbackInput {
    /// JSON pointer to the message ID in the report: the provider's or Tieline's. Required to read
    /// status reports.
    #[schema(example = "/MessageSid")]
    pub id_pointer: Option<String>,
    /// JSON pointer to the status in the report. Required to read status reports.
    #[schema(example = "/MessageStatus")]
    pub status_pointer: Option<String>,
    /// Maps the provider's statuses to Tieline's. Optional for calls.
    pub statuses: Option<BTreeMap<String, MessageOrCallStatus>>,
    /// JSON pointer to the URL of a call's recording.
    pub recording_pointer: Option<String>,
    /// How requests to `callback_url` are verified, inbound messages too. One that fails is rejected
    /// with 401. Default: `none`.
    pub verification: Option<VerificationInput>,
}

/// How the provider's status reports are verified and read, without secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderCallback {
    /// JSON pointer to the message ID in the report: the provider's or Tieline's; null if no status
    /// reports are read.
    pub id_pointer: Option<String>,
    /// JSON pointer to the status in the report; null if no status reports are read.
    pub status_pointer: Option<String>,
    /// Maps the provider's statuses to Tieline's.
    pub statuses: BTreeMap<String, MessageOrCallStatus>,
    /// JSON pointer to the URL of a call's recording.
    pub recording_pointer: Option<String>,
    /// How requests to `callback_url` are verified.
    pub verification: VerificationView,
}

/// How what recipients send back is read. Each inbound message is published once as `sms.received`,
/// `email.received`, `chatbot.received` or `call.incoming`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderInbound {
    pub when: Option<Condition>,
    #[schema(example = "/From")]
    pub from_pointer: Option<String>,
    #[schema(example = "/To")]
    pub to_pointer: Option<String>,
    #[schema(example = "/Body")]
    pub text_pointer: Option<String>,
    #[schema(example = "/MessageSid")]
    pub id_pointer: Option<String>,
    #[schema(example = "/MediaUrl0")]
    pub media_pointer: Option<String>,
    #[schema(example = "/ProfileName")]
    pub from_name_pointer: Option<String>,
}

impl From<&CallbackSettings> for ProviderCallback {
    fn from(callback: &CallbackSettings) -> Self {
        let CallbackSettings {
            mapping,
            verification,
        } = callback;
        let mapping = mapping.as_ref();
        let statuses = mapping
            .into_iter()
            .flat_map(|mapping| &mapping.statuses)
            .map(|(theirs, ours)| (theirs.clone(), (*ours).into()));
        let recording = mapping.and_then(|mapping| mapping.recording_pointer.as_ref());
        Self {
            id_pointer: text(mapping.map(|mapping| &mapping.id_pointer)),
            status_pointer: text(mapping.map(|mapping| &mapping.status_pointer)),
            statuses: statuses.collect(),
            recording_pointer: text(recording),
            verification: verification.into(),
        }
    }
}

impl From<&InboundSettings> for ProviderInbound {
    fn from(inbound: &InboundSettings) -> Self {
        let InboundSettings {
            when,
            from_pointer,
            to_pointer,
            text_pointer,
            id_pointer,
            media_pointer,
            from_name_pointer,
        } = inbound;
        Self {
            when: when.as_ref().map(Condition::from),
            from_pointer: text(from_pointer.as_ref()),
            to_pointer: text(to_pointer.as_ref()),
            text_pointer: text(text_pointer.as_ref()),
            id_pointer: text(id_pointer.as_ref()),
            media_pointer: text(media_pointer.as_ref()),
            from_name_pointer: text(from_name_pointer.as_ref()),
        }
    }
}

fn text(pointer: Option<&Pointer>) -> Option<String> {
    pointer.map(|pointer| pointer.as_str().to_owned())
}
