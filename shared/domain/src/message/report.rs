//! Provider reports about messages and calls, and their effects.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Channel, Message, Status};
use crate::{event::Event, id::ProviderId, secrets::redact::Redactor};

/// Maximum number of stored reports without a status change, per call. Later ones create an event
/// every time they arrive.
const MAX_REPORTS: usize = 50;

/// A provider's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// A status that the provider's settings map to one of Tieline's.
    Status {
        /// Tieline's status.
        status: Status,
        /// The provider's status.
        provider_status: String,
    },
    /// Recording of a call.
    Recording {
        /// URL of the recording.
        url: String,
        /// Tieline's and the provider's status of the call, if the same report contains one. It
        /// creates no event of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<(Status, String)>,
    },
    /// Any other report about a call, unchanged.
    Event(Value),
}

impl Report {
    /// The report with every secret masked.
    #[must_use]
    pub fn redacted(self, secrets: &Redactor) -> Self {
        match self {
            Self::Event(body) => Self::Event(secrets.values(body)),
            Self::Recording { url, status } => Self::Recording {
                url: secrets.whole(&url),
                status,
            },
            Self::Status { .. } => self,
        }
    }

    /// Whether it shows that its provider has sent the message.
    fn shows_sent(&self) -> bool {
        let status = match self {
            Self::Status { status, .. } => Some(status),
            Self::Recording { status, .. } => status.as_ref().map(|(status, _)| status),
            Self::Event(_) => return false,
        };
        status.is_none_or(|status| !matches!(status, Status::Queued | Status::Failed))
    }
}

/// Effects of a report. The row is written first, then the event is published.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// The changed row; `None` if the report changes nothing.
    pub row: Option<Message>,
    /// The event. A repeated report returns the same one, because a crash may have separated the
    /// row's write from the event.
    pub event: Option<Event>,
}

/// Why a report has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// Provider IDs are unverified: a provider must not report on another provider's message.
    #[error("the message was sent through another provider")]
    OtherProvider,
    /// Only calls have recordings and other events.
    #[error("the report is about a call, but the ID is a message's")]
    NotACall,
    /// The message already has this status or a later one.
    #[error("the message already has this status or a later one")]
    Late,
}

impl Message {
    /// Returns the effects of a report received at `now` from the provider `from`. A report about a
    /// cancelled message shows that it was sent after all. So does a report of an earlier provider
    /// about a queued message, unless it reports a failure.
    ///
    /// # Errors
    /// Returns why the report has no effect.
    pub fn reported(
        &self,
        from: ProviderId,
        report: &Report,
        now: Timestamp,
    ) -> Result<Reported, Ignored> {
        let mut row = self.clone().uncancelled();
        if from != row.provider_id {
            let returned = row.returned_to(from).filter(|_| report.shows_sent());
            row = returned.ok_or(Ignored::OtherProvider)?;
        }
        match report {
            Report::Status {
                status,
                provider_status,
            } => row.status_reported(status.by(self.channel), provider_status, now),
            _ if self.channel != Channel::Call => Err(Ignored::NotACall),
            Report::Recording { url, status } => {
                let data = Map::from_iter([("recording_url".to_owned(), json!(url))]);
                let reported = row.confirm_sent(
                    row.event_reported(now, |at| row.event("recording", url, data, at)),
                    now,
                );
                let step = status
                    .as_ref()
                    .filter(|(status, _)| row.status.advance(*status).is_some());
                let Some((status, theirs)) = step else {
                    return Ok(reported);
                };
                let row = reported.row.unwrap_or_else(|| row.touched(now));
                Ok(Reported {
                    row: Some(row.reported_step(status.by(self.channel), theirs, now)),
                    ..reported
                })
            }
            Report::Event(body) => {
                let data = Map::from_iter([("event".to_owned(), body.clone())]);
                Ok(row.confirm_sent(
                    row.event_reported(now, |at| row.event("event", &body.to_string(), data, at)),
                    now,
                ))
            }
        }
    }

    /// A provider that reports on a call has it. The call must not be repeated, even if the attempt
    /// seemed to fail.
    fn confirm_sent(&self, reported: Reported, now: Timestamp) -> Reported {
        if self.status != Status::Queued {
            return reported;
        }
        let row = reported.row.unwrap_or_else(|| self.clone().touched(now));
        Reported {
            row: Some(row.step(Status::Sent, None, None, now)),
            ..reported
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
            // A call has more states than Tieline's statuses, for example `ringing`, then
            // `in-progress`.
            None if self.channel == Channel::Call && is(self.status) => {
                Ok(self.event_reported(now, |at| self.status_event(status, Some(theirs), at)))
            }
            None => Err(Ignored::Late),
        }
    }

    fn reported_step(self, status: Status, theirs: &str, now: Timestamp) -> Self {
        let error = format!("the provider reported {theirs:?}");
        self.step(status, Some(theirs.to_owned()), Some(error), now)
    }

    /// The event of a report without a status change; the recorded one if the report was received
    /// before.
    fn event_reported(
        &self,
        now: Timestamp,
        event: impl FnOnce(Timestamp) -> Option<Event>,
    ) -> Reported {
        let Some(mut event) = event(now) else {
            return Reported {
                row: None,
                event: None,
            };
        };
        event.timestamp = event.id.made_at();
        // The random half of the ID is derived from the cause.
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
        let row = (self.reported.len() < MAX_REPORTS).then(|| {
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
