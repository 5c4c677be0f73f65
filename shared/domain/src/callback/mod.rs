//! Callbacks: what providers report of the messages and calls that they were handed.
//!
//! In comes a call to a provider's callback URL and the provider's [`Mapping`]; out come the
//! reports that are in it, each with the id of its message, and for the rest why it is none.
//! Reports may come as JSON, as a form, or in the query of a call without a body; an array holds
//! several. What follows from a report is [`crate::message::Message::reported`]'s to say.

mod mapping;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::mapping::Mapping;
use crate::{
    id::ProviderId,
    inbound::{self, received},
    message::{Channel, MessageRef, Report},
};

/// The most reports in one call.
const MAX_REPORTS: usize = 1_000;
/// The longest address of a recording, in bytes.
const MAX_URL_BYTES: usize = 8_000;
/// How long a report waits for a message that is not known yet: its provider may be faster than our
/// record of its answer.
const MAX_WAIT: SignedDuration = SignedDuration::from_mins(15);

/// What one report says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Callback {
    /// Of which message.
    pub id: Named,
    /// What.
    pub report: Report,
}

/// How a report names its message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// By our id, which the provider was given and gives back.
    Ours(MessageRef),
    /// By the provider's.
    Theirs(String),
}

/// A report on a queue, told apart from other messages there by its field `callback`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The report.
    pub callback: Callback,
    /// Whose it is.
    pub provider: ProviderId,
    /// When it came in: the time of what follows from it.
    pub received_at: Timestamp,
    /// How many times what led to it left Tieline: the `hops` of the event that follows.
    #[serde(default)]
    pub hops: u8,
}

/// Why a call holds no reports at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Neither JSON nor a form.
    #[error("must be a JSON object, an array of them, or a form")]
    Form,
    /// Too many at once.
    #[error("must hold at most {MAX_REPORTS} reports")]
    TooMany,
}

/// Why an object is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoReport {
    /// Not an object.
    #[error("it is not an object")]
    NotAnObject,
    /// Nothing, or no text of 1 to 255 bytes, where the id should stand.
    #[error("there is no id where id_pointer points")]
    NoId,
    /// A status that the settings don't map.
    #[error("its status is not among statuses")]
    Unmapped,
}

/// Reads a call to the callback URL of a provider with this mapping, for this channel.
pub fn read(
    mapping: &Mapping,
    channel: Channel,
    request: &inbound::Request<'_>,
) -> Result<Vec<Result<Callback, NoReport>>, Unreadable> {
    let documents = match received::fields(request) {
        None if request.body.is_empty() => vec![received::query(request.url).into()],
        Some(Value::Array(documents)) => documents,
        Some(document @ Value::Object(_)) => vec![document],
        _ => return Err(Unreadable::Form),
    };
    if documents.len() > MAX_REPORTS {
        return Err(Unreadable::TooMany);
    }
    Ok(documents
        .into_iter()
        .map(|document| report(mapping, channel, document))
        .collect())
}

/// What one document reports.
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
        (None, None) if channel == Channel::Call => Report::Event(received::shallow(document)),
        (None, None) => return Err(NoReport::Unmapped),
    };
    Ok(Callback { id, report })
}

impl Notice {
    /// The `DelaySeconds` after which to look again for a message that is not known at `now`: soon
    /// at first, then ever later. `None` once 15 minutes have passed.
    pub fn wait(&self, now: Timestamp) -> Option<u32> {
        let waited = now.duration_since(self.received_at);
        let left = (MAX_WAIT - waited).as_secs();
        let delay = waited.as_secs().clamp(5, 300).min(left);
        u32::try_from(delay).ok().filter(|delay| *delay > 0)
    }
}

#[cfg(test)]
mod tests;
