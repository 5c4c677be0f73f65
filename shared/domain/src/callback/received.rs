//! Inbound messages and calls: what recipients send back through a provider.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::Mapping;
use crate::{
    condition::{Condition, subject::Subject},
    event::Event,
    id::{EventId, ProviderId},
    inbound::{self, Verification, payload},
    message::Channel,
    pattern::EventType,
    pointer::Pointer,
    secrets::redact::Redactor,
    validation::{FieldReader, Source, Validated},
};

/// How inbound messages are recognized and read. Every field is optional.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InboundSettings {
    /// Condition on the document of a request that makes it an inbound message. Without it, a
    /// document is one if it is no status report: it has no status and no recording.
    pub when: Option<Condition>,
    /// The sender.
    pub from_pointer: Option<Pointer>,
    /// The recipient: a number or address of this deployment's owner.
    pub to_pointer: Option<Pointer>,
    /// The text.
    pub text_pointer: Option<Pointer>,
    /// The provider's ID of the message. A repeated one is published once.
    pub id_pointer: Option<Pointer>,
    /// Files, as the provider describes them.
    pub media_pointer: Option<Pointer>,
    /// The sender's name.
    pub from_name_pointer: Option<Pointer>,
}

impl InboundSettings {
    /// Parses `{when, from_pointer, to_pointer, …}`.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn read(value: Value, source: Source) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let when = fields.defaulted("when", None, |value| {
            match source {
                Source::Client => Condition::parse_for_documents(value),
                Source::Table => Condition::restore(value),
            }
            .map(Some)
        });
        let mut pointer =
            |name: &str| fields.defaulted(name, None, |value| Pointer::read(value).map(Some));
        let (from, to) = (pointer("from_pointer"), pointer("to_pointer"));
        let (text, id) = (pointer("text_pointer"), pointer("id_pointer"));
        let (media, from_name) = (pointer("media_pointer"), pointer("from_name_pointer"));
        let parsed = (|| {
            Some(Self {
                when: when?,
                from_pointer: from?,
                to_pointer: to?,
                text_pointer: text?,
                id_pointer: id?,
                media_pointer: media?,
                from_name_pointer: from_name?,
            })
        })();
        fields.finish(parsed)
    }

    /// The document that [`InboundSettings::read`] reads.
    pub fn to_value(&self) -> Value {
        let when = self.when.as_ref().map(|when| ("when", json!(when)));
        let pointers = [
            ("from_pointer", &self.from_pointer),
            ("to_pointer", &self.to_pointer),
            ("text_pointer", &self.text_pointer),
            ("id_pointer", &self.id_pointer),
            ("media_pointer", &self.media_pointer),
            ("from_name_pointer", &self.from_name_pointer),
        ];
        let pointers = pointers
            .into_iter()
            .filter_map(|(name, pointer)| Some((name, json!(pointer.as_ref()?.as_str()))));
        when.into_iter()
            .chain(pointers)
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Map<_, _>>()
            .into()
    }

    /// Whether a document is an inbound message. A condition that would take more than 5 ms is not
    /// met.
    pub(super) fn takes(&self, document: &Value, mapping: Option<&Mapping>) -> bool {
        let is_empty = document.as_object().is_none_or(Map::is_empty);
        !is_empty
            && match (&self.when, mapping) {
                (Some(when), _) => when.matches(&Subject::of_value(document)).unwrap_or(false),
                (None, Some(mapping)) => !mapping.is_in(document),
                (None, None) => true,
            }
    }

    /// Reads an inbound message.
    pub(super) fn message(&self, document: Value) -> InboundMessage {
        let find = |pointer: &Option<Pointer>| pointer.as_ref()?.find(&document);
        let text = |pointer| match find(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let pointers = [
            &self.from_pointer,
            &self.to_pointer,
            &self.text_pointer,
            &self.id_pointer,
        ];
        let others = pointers.into_iter().flatten();
        InboundMessage {
            passed_over: others
                .map(|pointer| pointer.others(&document))
                .max()
                .unwrap_or(0),
            id: text(&self.id_pointer).filter(|id| !id.is_empty()),
            from: text(&self.from_pointer),
            from_name: text(&self.from_name_pointer),
            to: text(&self.to_pointer),
            text: text(&self.text_pointer),
            media: find(&self.media_pointer)
                .map_or(Value::Null, |media| payload::limit_depth(media.clone())),
            raw: payload::limit_depth(document),
        }
    }
}

/// A message or call that a provider received.
#[derive(Debug, Clone, PartialEq)]
pub struct InboundMessage {
    id: Option<String>,
    from: Option<String>,
    from_name: Option<String>,
    to: Option<String>,
    text: Option<String>,
    media: Value,
    raw: Value,
    passed_over: usize,
}

impl InboundMessage {
    /// How many messages in the same list of the document are not read.
    pub fn passed_over(&self) -> usize {
        self.passed_over
    }

    /// Keys shared by all repeats of this message, as those of
    /// [`Verification::delivery_keys`]: its ID. Without one, the keys of its request, in which it
    /// has this `position`. Call this only after verification.
    pub fn delivery_keys(
        &self,
        position: usize,
        verification: &Verification,
        request: &inbound::Request<'_>,
    ) -> Vec<String> {
        match &self.id {
            // A hash, because an ID may have any length.
            Some(id) => {
                let hash = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(id));
                vec![format!("received:{hash}")]
            }
            None => verification
                .delivery_keys(request)
                .into_iter()
                .map(|key| format!("{key}#{position}"))
                .collect(),
        }
    }

    /// The event about this message, with the provider's `secrets` masked. None never happens: all
    /// names are valid.
    pub fn event(
        self,
        (provider, name): (ProviderId, &str),
        channel: Channel,
        secrets: &Redactor,
        (id, at): (EventId, Timestamp),
        hops: u8,
    ) -> Option<Event> {
        let kind = match channel {
            Channel::Call => "call.incoming".to_owned(),
            Channel::Sms | Channel::Email | Channel::Chatbot => {
                format!("{}.received", channel.as_str())
            }
        };
        let mut data = secrets.values(json!({
            "from": self.from,
            "from_name": self.from_name,
            "to": self.to,
            "text": self.text,
            "id": self.id,
            "media": self.media,
            "raw": self.raw,
        }));
        data["provider_id"] = json!(provider);
        data["provider"] = json!(name);
        Some(Event {
            id,
            kind: EventType::parse(&kind).ok()?,
            timestamp: at,
            data,
            hops,
        })
    }
}
