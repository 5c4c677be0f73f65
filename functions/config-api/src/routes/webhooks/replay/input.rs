//! What to replay: the request, and the position in its cursor.

use domain::{
    delivery::Status,
    event,
    validation::{FieldReader, Validated, one_of, string},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::{ApiResult, Problem};

/// What to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wanted {
    Failed,
    Blocked,
    Cancelled,
    Succeeded,
    Missed,
}

const WANTED: [(&str, Wanted); 5] = [
    ("failed", Wanted::Failed),
    ("blocked", Wanted::Blocked),
    ("cancelled", Wanted::Cancelled),
    ("succeeded", Wanted::Succeeded),
    ("missed", Wanted::Missed),
];

impl Wanted {
    /// The status of the deliveries; `None` for missed events.
    pub(super) fn status(self) -> Option<Status> {
        Some(match self {
            Self::Failed => Status::Failed,
            Self::Blocked => Status::Blocked,
            Self::Cancelled => Status::Cancelled,
            Self::Succeeded => Status::Succeeded,
            Self::Missed => return None,
        })
    }
}

#[derive(Debug)]
pub(super) struct Input {
    pub(super) wanted: Option<Wanted>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) cursor: Option<String>,
}

/// The position of a replay: the content of its cursor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) wanted: Wanted,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Timestamp,
    pub(super) after: Option<String>,
}

impl Input {
    pub(super) fn parse(value: Value) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let wanted = fields.optional("status", one_of(&WANTED));
        let since = fields.optional("since", event::timestamp);
        let until = fields.optional("until", event::timestamp);
        let cursor = fields.optional("cursor", string);
        fields.finish(Some(Self {
            wanted,
            since,
            until,
            cursor,
        }))
    }

    /// Returns the range of the request. A continued replay keeps its range; repeated parameters
    /// must agree with it.
    pub(super) fn continue_from(&self, from: Position) -> ApiResult<Position> {
        if self.cursor.is_none() {
            let until = self.until.map_or(from.until, |until| until.min(from.until));
            return Ok(Position {
                since: self.since,
                until,
                ..from
            });
        }
        let same = self.wanted.is_none_or(|wanted| wanted == from.wanted)
            && self.since.is_none_or(|since| Some(since) == from.since)
            && self.until.is_none_or(|until| until >= from.until);
        if same {
            Ok(from)
        } else {
            Err(Problem::bad_request(
                "The cursor belongs to a replay with another range or status.",
            ))
        }
    }
}
