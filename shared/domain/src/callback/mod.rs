//! Callbacks: status reports from providers, and messages that they receive.
//!
//! A request to a provider's callback URL may be JSON, a form, or a query without a body. An array
//! contains several documents. [`InboundSettings`] decide whether a document is an inbound message,
//! which becomes an event. The others are parsed with the provider's [`Mapping`] into reports, each
//! with the ID of its message, or a reason why it is not a report.
//! [`crate::message::Message::reported`] applies them.

mod mapping;
mod received;
mod settings;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    mapping::Mapping,
    received::{InboundMessage, InboundSettings},
    settings::CallbackSettings,
};
use crate::{
    id::ProviderId,
    inbound::{self, payload},
    message::{Channel, MessageRef, Report},
};

/// Maximum number of reports in one request.
const MAX_REPORTS: usize = 1_000;
/// Maximum number of inbound messages in one request. Each is recorded to recognize its repeats.
const MAX_MESSAGES: usize = 100;
/// Maximum length of a recording's URL, in bytes.
const MAX_URL_BYTES: usize = 8_000;
/// How long a report waits for an unknown message. The provider may report before its response to
/// the attempt is recorded.
const MAX_WAIT: SignedDuration = SignedDuration::from_mins(15);

/// How the requests to a provider's callback URL are read.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The provider's channel.
    pub channel: Channel,
    /// How status reports are read, if there are any.
    pub mapping: Option<Mapping>,
    /// How inbound messages are read, if there are any.
    pub inbound: Option<InboundSettings>,
}

/// A parsed document.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// A status report.
    Report(Callback),
    /// An inbound message.
    Message(InboundMessage),
}

/// A parsed report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Callback {
    /// The message that it is about.
    pub id: Named,
    /// The report itself.
    pub report: Report,
}

/// How a report identifies its message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// By Tieline's ID, which the provider received and returns.
    Ours(MessageRef),
    /// By the provider's ID.
    Theirs(String),
}

/// A report in a queue message, identified by its field `callback`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallbackReport {
    /// The parsed report, with the ID of its message.
    pub callback: Callback,
    /// The provider that sent it.
    pub provider: ProviderId,
    /// When it was received. Events about it have this time.
    pub received_at: Timestamp,
    /// `hops` of the resulting event: how many times the chain has left Tieline.
    #[serde(default)]
    pub hops: u8,
}

/// Why a request contains no reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Neither JSON nor a form.
    #[error("must be a JSON object, an array of them, or a form")]
    Form,
    /// Too many reports in one request.
    #[error("must contain at most {MAX_REPORTS} reports")]
    TooMany,
    /// Too many inbound messages in one request.
    #[error("must contain at most {MAX_MESSAGES} inbound messages")]
    TooManyMessages,
}

/// Why an object is not a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoReport {
    /// Not an object.
    #[error("it is not an object")]
    NotAnObject,
    /// No ID at the pointer, or not a text of 1 to 255 bytes.
    #[error("there is no ID at `id_pointer`")]
    NoId,
    /// The provider has no mapping.
    #[error("the provider has no `callback` that reads status reports")]
    NoMapping,
    /// A status without a mapping.
    #[error("the status is not in `statuses`")]
    Unmapped,
}

/// Parses a request to a provider's callback URL.
///
/// # Errors
/// Fails if the whole request can't be parsed. Single documents have results of their own.
pub fn read(
    reader: &Reader,
    request: &inbound::Request<'_>,
) -> Result<Vec<Result<Received, NoReport>>, Unreadable> {
    let documents = match payload::fields(request) {
        None if request.body.is_empty() => vec![payload::query(request.url).into()],
        Some(Value::Array(documents)) => documents,
        Some(document @ Value::Object(_)) => vec![document],
        _ => return Err(Unreadable::Form),
    };
    if documents.len() > MAX_REPORTS {
        return Err(Unreadable::TooMany);
    }
    let read: Vec<_> = documents
        .into_iter()
        .map(|document| reader.document(document))
        .collect();
    let messages = read
        .iter()
        .filter(|read| matches!(read, Ok(Received::Message(_))));
    if messages.count() > MAX_MESSAGES {
        return Err(Unreadable::TooManyMessages);
    }
    Ok(read)
}

impl Reader {
    fn document(&self, document: Value) -> Result<Received, NoReport> {
        let mapping = self.mapping.as_ref();
        let inbound = self.inbound.as_ref();
        match inbound.filter(|inbound| inbound.takes(&document, mapping)) {
            Some(inbound) => Ok(Received::Message(inbound.message(document))),
            None => report(mapping.ok_or(NoReport::NoMapping)?, self.channel, document)
                .map(Received::Report),
        }
    }
}

/// Parses one document.
///
/// # Errors
/// Returns why the document is not a report.
pub fn report(mapping: &Mapping, channel: Channel, document: Value) -> Result<Callback, NoReport> {
    if !document.is_object() {
        return Err(NoReport::NotAnObject);
    }
    let id = mapping.id_pointer.text(&document).ok_or(NoReport::NoId)?;
    let id = id.parse().map(Named::Ours).unwrap_or(Named::Theirs(id));
    let status = mapping.status_pointer.text(&document);
    let status = status.and_then(|theirs| Some((*mapping.statuses.get(&theirs)?, theirs)));
    let recording = mapping
        .recording_pointer
        .as_ref()
        .and_then(|pointer| pointer.find(&document)?.as_str());
    let recording = recording.filter(|url| (1..=MAX_URL_BYTES).contains(&url.len()));
    let report = match (recording, status) {
        (Some(url), status) => Report::Recording {
            url: url.to_owned(),
            status,
        },
        (None, Some((status, provider_status))) => Report::Status {
            status,
            provider_status,
        },
        (None, None) if channel == Channel::Call => Report::Event(payload::limit_depth(document)),
        (None, None) => return Err(NoReport::Unmapped),
    };
    Ok(Callback { id, report })
}

impl CallbackReport {
    /// `DelaySeconds` until the next lookup of a message unknown at `now`, increasing over time.
    /// `None` after 15 minutes.
    pub fn wait(&self, now: Timestamp) -> Option<u32> {
        let waited = now.duration_since(self.received_at);
        let left = (MAX_WAIT - waited).as_secs();
        let delay = waited.as_secs().clamp(5, 300).min(left);
        u32::try_from(delay).ok().filter(|delay| *delay > 0)
    }
}

#[cfg(test)]
mod tests;
