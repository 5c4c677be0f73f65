//! Rate limits of webhooks, shared by all function instances.
//!
//! One item holds two times of a webhook with a limit: when its next call may begin, and where the
//! line ends of the calls that wait. Each call acquires a turn by moving the first one on, each
//! that has to wait acquires a place by moving the second, so that no two calls begin closer to
//! each other than the limit allows, and those that wait come one by one. The line belongs to one
//! setting of the limit: a change of it, or enabling the webhook, begins another line at once, and
//! whoever waits in the old one has to acquire a turn anew.

use domain::{id::WebhookId, webhook::Line};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AttributeValue, Condition, Item, Key, Table, TableError, Written, item, number};

/// When a call may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// At this time, which is within [`SOON`] and granted to this call alone.
    At(Timestamp),
    /// Not before this time, its place in this line; then it has to ask again.
    Later(Timestamp, Line),
}

/// What comes up within this time is waited for in place: SQS delays by whole seconds.
pub const SOON: SignedDuration = SignedDuration::from_secs(1);
/// How often a turn is asked for while other calls acquire theirs.
const TRIES: usize = 5;

/// Times in microseconds since the epoch: a thousand calls a second are a millisecond apart.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Pace {
    next: i64,
    line: i64,
    /// Which line that is; none in rows of former releases.
    since: Option<Line>,
}

impl Table {
    /// A turn to call the webhook, which may be called `limit` times a second since `line`. A call
    /// that has waited for its `place` in that same line goes before those that come now.
    pub async fn turn(
        &self,
        webhook: WebhookId,
        limit: u32,
        mut line: Line,
        place: Option<Line>,
        now: Timestamp,
    ) -> Result<Turn, TableError> {
        let key = Key::pace(webhook);
        let step = 1_000_000 / i64::from(limit.max(1));
        let (at, soon) = (
            now.as_microsecond(),
            now.saturating_add(SOON).unwrap_or(now).as_microsecond(),
        );
        for _ in 0..TRIES {
            let has_waited = place == Some(line);
            let in_line = if has_waited {
                ""
            } else {
                " AND #line <= :soon"
            };
            let free = format!("#since = :since AND #next BETWEEN :now AND :soon{in_line}");
            let bounds = [
                (":since", since(line)),
                (":now", number(at)),
                (":soon", number(soon)),
                (":step", number(step)),
            ];
            if let Some(moved) = self
                .update_item(
                    &key,
                    "SET #next = #next + :step",
                    Condition::that(&free, bounds),
                )
                .await?
            {
                return Ok(Turn::At(time(part(&moved, "next")? - step)?));
            }
            let fresh = || {
                item(
                    &key,
                    None,
                    Pace {
                        next: at + step,
                        line: at,
                        since: Some(line),
                    },
                )
            };
            let Some(found) = self.get::<Pace>(&key).await? else {
                match self.put(fresh()?, Some(Condition::absent())).await? {
                    Written::Yes => return Ok(Turn::At(now)),
                    Written::Refused => continue,
                }
            };
            if found.since.is_none_or(|current| current < line) {
                // Of an earlier line.
                let unchanged = match found.since {
                    None => Condition::that("attribute_not_exists(#since)", []),
                    Some(current) => {
                        Condition::that("#since = :current", [(":current", since(current))])
                    }
                };
                match self.put(fresh()?, Some(unchanged)).await? {
                    Written::Yes => return Ok(Turn::At(now)),
                    Written::Refused => continue,
                }
            }
            if let Some(current) = found.since.filter(|current| *current > line) {
                // The webhook has changed since it was read.
                line = current;
                continue;
            }
            let Pace {
                next, line: end, ..
            } = found;
            if next < at && (has_waited || end <= soon) {
                let values = [
                    (":since", since(line)),
                    (":seen", number(next)),
                    (":fresh", number(at + step)),
                ];
                let idle = Condition::that("#since = :since AND #next = :seen", values);
                if self
                    .update_item(&key, "SET #next = :fresh", idle)
                    .await?
                    .is_some()
                {
                    return Ok(Turn::At(now));
                }
            } else if has_waited && next > soon {
                return Ok(Turn::Later(time(next)?, line));
            } else if !has_waited
                && (next > soon || end > soon)
                && let Some(place) = self.place(&key, line, step, next.max(at)).await?
            {
                return Ok(Turn::Later(time(place)?, line));
            }
        }
        Ok(Turn::Later(now.saturating_add(SOON).unwrap_or(now), line))
    }

    /// A place at the end of the line, or after `first` where none waits. `None` when another call
    /// acquired it.
    async fn place(
        &self,
        key: &Key,
        line: Line,
        step: i64,
        first: i64,
    ) -> Result<Option<i64>, TableError> {
        let values = [
            (":since", since(line)),
            (":first", number(first)),
            (":step", number(step)),
        ];
        let behind = Condition::that("#since = :since AND #line >= :first", values);
        if let Some(moved) = self
            .update_item(key, "SET #line = #line + :step", behind)
            .await?
        {
            return Ok(Some(part(&moved, "line")? - step));
        }
        let values = [
            (":since", since(line)),
            (":first", number(first)),
            (":fresh", number(first + step)),
        ];
        let alone = Condition::that("#since = :since AND #line < :first", values);
        let moved = self.update_item(key, "SET #line = :fresh", alone).await?;
        Ok(moved.map(|_| first))
    }
}

fn since(line: Line) -> AttributeValue {
    number(line.since())
}

fn part(item: &Item, name: &str) -> Result<i64, TableError> {
    let number = item
        .get(name)
        .and_then(|value| value.as_n().ok()?.parse().ok());
    number.ok_or_else(|| TableError::Document(format!("a rate limit without `{name}`")))
}

fn time(microseconds: i64) -> Result<Timestamp, TableError> {
    Timestamp::from_microsecond(microseconds)
        .map_err(|error| TableError::Document(error.to_string()))
}
