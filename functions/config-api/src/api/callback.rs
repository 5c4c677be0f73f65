//! How requests to a provider's callback URL are verified and read.

#![expect(
    missing_docs,
    reason = "doc comments become OpenAPI descriptions; fields.json describes the other fields"
)]

use std::collections::BTreeMap;

use domain::callback::{CallbackSettings, Mapping};
use serde::Serialize;
use utoipa::ToSchema;

use super::{MessageOrCallStatus, VerificationInput, VerificationView};

/// How the provider's status reports are verified and read: JSON, forms or query parameters.
#[derive(Debug, ToSchema)]
pub struct ProviderCallbackInput {
    /// JSON pointer to the message ID in the report: the provider's or Tieline's.
    #[schema(example = "/MessageSid")]
    pub id_pointer: String,
    #[schema(example = "/MessageStatus")]
    pub status_pointer: String,
    /// Maps the provider's statuses to Tieline's. Optional for calls.
    pub statuses: Option<BTreeMap<String, MessageOrCallStatus>>,
    /// JSON pointer to the URL of a call's recording.
    pub recording_pointer: Option<String>,
    /// How requests to `callback_url` are verified. One that fails is rejected with 401. Default:
    /// `none`.
    pub verification: Option<VerificationInput>,
}

/// How the provider's status reports are verified and read, without secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderCallback {
    /// JSON pointer to the message ID in the report: the provider's or Tieline's.
    pub id_pointer: String,
    pub status_pointer: String,
    /// Maps the provider's statuses to Tieline's.
    pub statuses: BTreeMap<String, MessageOrCallStatus>,
    /// JSON pointer to the URL of a call's recording.
    pub recording_pointer: Option<String>,
    /// How requests to `callback_url` are verified.
    pub verification: VerificationView,
}

impl From<&CallbackSettings> for ProviderCallback {
    fn from(callback: &CallbackSettings) -> Self {
        let CallbackSettings {
            mapping,
            verification,
        } = callback;
        let Mapping {
            id_pointer,
            status_pointer,
            statuses,
            recording_pointer,
        } = mapping;
        let statuses = statuses
            .iter()
            .map(|(theirs, ours)| (theirs.clone(), (*ours).into()));
        let recording = recording_pointer.as_ref();
        Self {
            id_pointer: id_pointer.as_str().to_owned(),
            status_pointer: status_pointer.as_str().to_owned(),
            statuses: statuses.collect(),
            recording_pointer: recording.map(|pointer| pointer.as_str().to_owned()),
            verification: verification.into(),
        }
    }
}
