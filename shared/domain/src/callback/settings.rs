//! Settings of a provider's callback URL.

use serde_json::{Value, json};

use super::Mapping;
use crate::{
    inbound::Verification,
    message::Channel,
    validation::{FieldReader, Validated},
};

/// How requests to a provider's callback URL are verified and read.
#[derive(Debug, Clone)]
pub struct CallbackSettings {
    /// How status reports are read. `None` if the URL only receives inbound messages.
    pub mapping: Option<Mapping>,
    /// How requests are verified.
    pub verification: Verification,
}

impl CallbackSettings {
    /// Parses `{id_pointer, status_pointer, statuses, recording_pointer, verification}`;
    /// `verification` parses the last one. If there is only that one, no status reports are read.
    /// `None` if there is nothing, which only a provider with `inbound` may have.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(
        value: Value,
        channel: Channel,
        has_inbound: bool,
        verification: impl FnOnce(Value) -> Validated<Verification>,
    ) -> Validated<Option<Self>> {
        let mut fields = FieldReader::of(value)?;
        let is_verified = fields.has("verification");
        let mapping = if (is_verified || has_inbound) && !Mapping::is_given(&fields) {
            Mapping::skip(&mut fields);
            Some(None)
        } else {
            Mapping::take(&mut fields, channel).map(Some)
        };
        let verification = fields.defaulted("verification", Verification::None, verification);
        let parsed = mapping.zip(verification).map(|(mapping, verification)| {
            (mapping.is_some() || is_verified).then_some(Self {
                mapping,
                verification,
            })
        });
        fields.finish(parsed)
    }

    /// The document that [`CallbackSettings::parse`] reads.
    pub fn to_value(&self) -> Value {
        self.with_verification(self.verification.to_value())
    }

    /// The document without the secret of the verification.
    pub fn public(&self) -> Value {
        self.with_verification(self.verification.public().into())
    }

    /// Adds `verification` if there is one, or nothing else: earlier releases refuse the field.
    fn with_verification(&self, verification: Value) -> Value {
        let mapping = self.mapping.as_ref();
        let mut document = mapping.map_or_else(|| json!({}), Mapping::to_value);
        if mapping.is_none() || !matches!(self.verification, Verification::None) {
            document["verification"] = verification;
        }
        document
    }
}
