//! What a provider reports of a message or call, and what follows from it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Channel, Message, Status};
use crate::{event::Event, id::ProviderId, redact::Redactor};

/// The most reports without a step that are kept of one call. Those beyond are told of each time
/// they come.
const MOST: usize = 50;

/// A provider's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// A status that the provider's settings map to one of ours.
    Status {
        /// Ours.
        status: Status,
        /// The provider's.
        provider_status: String,
    },
    /// A call's recording.
    Recording {
        /// Where it is.
        url: String,
        /// The call's status, where the same report tells it: ours and the provider's. It is no
        /// event of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<(Status, String)>,
    },
    /// Anything else about a call, as it came.
    Event(Value),
}

impl Report {
    /// The report with every secret in it masked.
    #[must_use]
    pub fn redacted(self, secrets: &Redactor) -> Self {
        match self {
            Self::Event(body) => Self::Event(redact_strings(body, secrets)),
            Self::Recording { url, status } => Self::Recording {
                url: secrets.whole(&url),
                status,
            },
            Self::Status { .. } => self,
        }
    }
}

fn redact_strings(value: Value, secrets: &Redactor) -> Value {
    match value {
        Value::String(text) => secrets.whole(&text).into(),
        Value::Array(values) => values
            .into_iter()
            .map(|value| redact_strings(value, secrets))
            .collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| (name, redact_strings(value, secrets)))
            .collect(),
        other => other,
    }
}

/// What follows from a report: first the row is written, then the event published.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// The changed row; none where the report changes nothing.
    pub row: Option<Message>,
    /// The event. A report that came again brings the same one, for a crash may have come between
    /// row and event.
    pub event: Option<Event>,
}

/// Why nothing follows from a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// Ids are the provider's word: none may speak of another's message.
    #[error("the message went out through another provider")]
    OtherProvider,
    /// Only calls have recordings and events.
    #[error("it is about a call, and this is a message")]
    NotACall,
    /// The message is that far by now, or further.
    #[error("it brings nothing new")]
    Late,
}

impl Message {
    /// What follows from a report of the provider `from` that came in at `now`.
    pub fn reported(
        &self,
        from: ProviderId,
        report: &Report,
        now: Timestamp,
    ) -> Result<Reported, Ignored> {
        if from != self.provider_id {
            return Err(Ignored::OtherProvider);
        }
        match report {
            Report::Status {
                status,
                provider_status,
            } => self.status_reported(status.by(self.channel), provider_status, now),
            _ if self.channel != Channel::Call => Err(Ignored::NotACall),
            Report::Recording { url, status } => {
                let data = Map::from_iter([("recording_url".to_owned(), json!(url))]);
                let told = self.taken(
                    self.told(now, |at| self.event("recording", url, data, at)),
                    now,
                );
                let step = status
                    .as_ref()
                    .filter(|(status, _)| self.status.advance(*status).is_some());
                let Some((status, theirs)) = step else {
                    return Ok(told);
                };
                let row = told.row.unwrap_or_else(|| self.clone().touched(now));
                Ok(Reported {
                    row: Some(row.reported_step(status.by(self.channel), theirs, now)),
                    ..told
                })
            }
            Report::Event(body) => {
                let data = Map::from_iter([("event".to_owned(), body.clone())]);
                Ok(self.taken(
                    self.told(now, |at| self.event("event", &body.to_string(), data, at)),
                    now,
                ))
            }
        }
    }

    /// Who reports of a call has it: it is not to be made once more, though the attempt seemed to
    /// fail.
    fn taken(&self, told: Reported, now: Timestamp) -> Reported {
        if self.status != Status::Queued {
            return told;
        }
        let row = told.row.unwrap_or_else(|| self.clone().touched(now));
        Reported {
            row: Some(row.step(Status::Sent, None, None, now)),
            ..told
        }
    }

    fn status_reported(
        &self,
        status: Status,
        theirs: &str,
        now: Timestamp,
    ) -> Result<Reported, Ignored> {
        if self.status.advance(status).is_some() {
            let row = self.clone().reported_step(status, theirs, now).touched(now);
            let event = row.history.last().and_then(|change| row.step_event(change));
            return Ok(Reported {
                row: Some(row),
                event,
            });
        }
        let same = |provider_status: Option<&str>| provider_status == Some(theirs);
        let is = |found: Status| found.by(self.channel) == status;
        match self
            .history
            .iter()
            .find(|change| is(change.status) && same(change.provider_status.as_deref()))
        {
            Some(change) => Ok(Reported {
                row: None,
                event: self.step_event(change),
            }),
            // A call has more states than we have words: `ringing`, then `in-progress`.
            None if self.channel == Channel::Call && is(self.status) => {
                Ok(self.told(now, |at| self.status_event(status, Some(theirs), at)))
            }
            None => Err(Ignored::Late),
        }
    }

    fn reported_step(self, status: Status, theirs: &str, now: Timestamp) -> Self {
        let error = format!("the provider reported {theirs:?}");
        self.step(status, Some(theirs.to_owned()), Some(error), now)
    }

    /// The event of a report without a step: the one on record where it was told of before.
    fn told(&self, now: Timestamp, event: impl FnOnce(Timestamp) -> Option<Event>) -> Reported {
        let Some(mut event) = event(now) else {
            return Reported {
                row: None,
                event: None,
            };
        };
        event.timestamp = event.id.made_at();
        // The random half of the id is what derives from the cause.
        let known = self
            .reported
            .iter()
            .find(|id| id.ulid().random() == event.id.ulid().random());
        if let Some(id) = known {
            (event.id, event.timestamp) = (*id, id.made_at());
            return Reported {
                row: None,
                event: Some(event),
            };
        }
        let row = (self.reported.len() < MOST).then(|| {
            let mut row = self.clone();
            row.reported.push(event.id);
            row.touched(now)
        });
        Reported {
            row,
            event: Some(event),
        }
    }
}
