//! How a provider's responses are read.

use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::{
    json, media_type,
    pointer::Pointer,
    success::SuccessWhen,
    validation::{FieldReader, Source, Validated},
};

/// Settings for reading responses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResponseSettings {
    /// Pointer to the provider's own message ID.
    pub id_pointer: Option<Pointer>,
    /// What a response must report to count as a success.
    pub success_when: Option<SuccessWhen>,
}

impl ResponseSettings {
    pub(super) fn parse(value: Value, source: Source) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let id_pointer =
            fields.defaulted("id_pointer", None, |value| Pointer::read(value).map(Some));
        let success_when = fields.defaulted("success_when", None, |value| {
            SuccessWhen::read(value, source).map(Some)
        });
        fields.finish(
            id_pointer
                .zip(success_when)
                .map(|(id_pointer, success_when)| Self {
                    id_pointer,
                    success_when,
                }),
        )
    }

    /// The JSON that `parse` reads. Null if nothing is set.
    pub(super) fn to_value(&self) -> Value {
        if *self == Self::default() {
            return Value::Null;
        }
        // Earlier releases know only `id_pointer`, and they refuse other fields.
        let mut response = Map::new();
        if let Some(pointer) = &self.id_pointer {
            response.insert("id_pointer".to_owned(), json!(pointer.as_str()));
        }
        if let Some(when) = &self.success_when {
            response.insert("success_when".to_owned(), json!(when.condition()));
        }
        response.into()
    }

    /// The provider's own message ID in a response.
    pub fn id(&self, headers: &HeaderMap, body: &[u8]) -> Option<String> {
        let pointer = self.id_pointer.as_ref()?;
        let text = media_type::text(headers, body)?;
        pointer.text(&json::read(text.as_bytes()).ok()?)
    }
}
