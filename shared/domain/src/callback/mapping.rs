//! Mapping of a provider's reports: pointers to the message's ID and status, and the meaning of its
//! statuses.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    message::{Channel, Status},
    pointer::Pointer,
    validation::{FieldReader, Validated, ValidationErrors, entries, one_of},
};

/// Maximum number of mapped statuses.
const MAX_STATUSES: usize = 50;

const FIELDS: [&str; 4] = [
    "id_pointer",
    "status_pointer",
    "statuses",
    "recording_pointer",
];

/// Pointers into a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The message's ID: the provider's, or Tieline's if the request contains it and the provider
    /// returns it.
    pub id_pointer: Pointer,
    /// The provider's status.
    pub status_pointer: Pointer,
    /// The provider's statuses and their meaning.
    pub statuses: BTreeMap<String, Status>,
    /// The URL of a call's recording.
    pub recording_pointer: Option<Pointer>,
}

impl Mapping {
    /// Parses `{id_pointer, status_pointer, statuses, recording_pointer}`; the last one is for
    /// calls only. `statuses` is optional for calls, because all of a call's reports may be events.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value, channel: Channel) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let mapping = Self::take(&mut fields, channel);
        fields.finish(mapping)
    }

    /// Reads the fields of a mapping in a document with more fields.
    pub(super) fn take(fields: &mut FieldReader, channel: Channel) -> Option<Self> {
        let id_pointer = fields.required("id_pointer", Pointer::read);
        let status_pointer = fields.required("status_pointer", Pointer::read);
        let statuses = if channel == Channel::Call {
            fields.defaulted("statuses", BTreeMap::new(), |value| {
                statuses(value, channel)
            })
        } else {
            fields.required("statuses", |value| statuses(value, channel))
        };
        let recording_pointer = fields.defaulted("recording_pointer", None, |value| {
            if channel != Channel::Call {
                return Err(ValidationErrors::here("is only allowed for calls"));
            }
            Pointer::read(value).map(Some)
        });
        Some(Self {
            id_pointer: id_pointer?,
            status_pointer: status_pointer?,
            statuses: statuses?,
            recording_pointer: recording_pointer?,
        })
    }

    /// Whether any of its fields is in a document with more fields.
    pub(super) fn is_given(fields: &FieldReader) -> bool {
        FIELDS.iter().any(|field| fields.has(field))
    }

    /// Takes its fields, all of which are null, out of a document with more fields.
    pub(super) fn skip(fields: &mut FieldReader) {
        for field in FIELDS {
            fields.optional(field, Ok);
        }
    }

    /// Whether a document has a status or a recording.
    pub(super) fn is_in(&self, document: &Value) -> bool {
        let recording = self.recording_pointer.as_ref();
        [Some(&self.status_pointer), recording]
            .into_iter()
            .flatten()
            .any(|pointer| pointer.find(document).is_some_and(|value| !value.is_null()))
    }

    /// The document that [`Mapping::parse`] reads.
    pub fn to_value(&self) -> Value {
        let statuses: Map<String, Value> = self
            .statuses
            .iter()
            .map(|(theirs, ours)| (theirs.clone(), json!(ours)))
            .collect();
        json!({
            "id_pointer": self.id_pointer.as_str(),
            "status_pointer": self.status_pointer.as_str(),
            "statuses": statuses,
            "recording_pointer": self.recording_pointer.as_ref().map(Pointer::as_str),
        })
    }
}

fn statuses(value: Value, channel: Channel) -> Validated<BTreeMap<String, Status>> {
    let pairs = entries(MAX_STATUSES, |theirs, value| {
        if !(1..=100).contains(&theirs.chars().count()) {
            return Err(ValidationErrors::here(
                "a provider's status must have 1 to 100 characters",
            ));
        }
        one_of(Status::all(channel))(value)
    })(value)?;
    Ok(pairs.into_iter().collect())
}
