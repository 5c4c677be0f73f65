//! When webhooks that have a limit of calls per second may be called, across all processes.
//!
//! One item holds two times of such a webhook: when its next call may begin, and where the line ends of the calls that
//! wait. Each call takes its turn by moving the first one on, each that has to wait takes a place by moving the second, so
//! that no two begin closer to each other than the limit says, and those that wait come one by one.

use domain::id::WebhookId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Condition, Item, Key, Table, TableError, Written, item, number};

/// When a call may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// At this time, which is within [`SOON`]: it is nobody else's.
    At(Timestamp),
    /// Not before this time; then it has to ask again.
    Later(Timestamp),
}

/// What comes up within this time is waited for in place: SQS delays by whole seconds.
pub const SOON: SignedDuration = SignedDuration::from_secs(1);
/// How often a turn is asked for while others take theirs.
const TRIES: usize = 5;

/// Times in microseconds since the epoch: a thousand calls a second are a millisecond apart.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Pace {
    next: i64,
    line: i64,
}

impl Table {
    /// A turn to call the webhook, which may be called `limit` times a second. Who `has_waited` for a place in the line goes
    /// before those who come now.
    pub async fn turn(
        &self,
        webhook: WebhookId,
        limit: u32,
        has_waited: bool,
        now: Timestamp,
    ) -> Result<Turn, TableError> {
        let key = Key::pace(webhook);
        let step = 1_000_000 / i64::from(limit.max(1));
        let (at, soon) = (now.as_microsecond(), now.saturating_add(SOON).unwrap_or(now).as_microsecond());
        for _ in 0..TRIES {
            let in_line = if has_waited { "" } else { " AND #line <= :soon" };
            let free = format!("#next BETWEEN :now AND :soon{in_line}");
            let bounds = [(":now", number(at)), (":soon", number(soon)), (":step", number(step))];
            if let Some(moved) =
                self.update_item(&key, "SET #next = #next + :step", Condition::that(&free, bounds)).await?
            {
                return Ok(Turn::At(time(part(&moved, "next")? - step)?));
            }
            let Some(Pace { next, line }) = self.get::<Pace>(&key).await? else {
                let first = item(&key, None, Pace { next: at + step, line: at })?;
                match self.put(first, Some(Condition::absent())).await? {
                    Written::Yes => return Ok(Turn::At(now)),
                    Written::Refused => continue,
                }
            };
            if next < at && (has_waited || line <= soon) {
                let values = [(":seen", number(next)), (":fresh", number(at + step))];
                let idle = Condition::that("#next = :seen", values);
                if self.update_item(&key, "SET #next = :fresh", idle).await?.is_some() {
                    return Ok(Turn::At(now));
                }
            } else if has_waited && next > soon {
                return Ok(Turn::Later(time(next)?));
            } else if !has_waited
                && (next > soon || line > soon)
                && let Some(place) = self.place(&key, step, next.max(at)).await?
            {
                return Ok(Turn::Later(time(place)?));
            }
        }
        Ok(Turn::Later(now.saturating_add(SOON).unwrap_or(now)))
    }

    /// A place at the end of the line, or after `first` where nobody waits. `None` when somebody else took it.
    async fn place(&self, key: &Key, step: i64, first: i64) -> Result<Option<i64>, TableError> {
        let values = [(":first", number(first)), (":step", number(step))];
        let behind = Condition::that("#line >= :first", values);
        if let Some(moved) = self.update_item(key, "SET #line = #line + :step", behind).await? {
            return Ok(Some(part(&moved, "line")? - step));
        }
        let values = [(":first", number(first)), (":fresh", number(first + step))];
        let alone = Condition::that("#line < :first", values);
        let moved = self.update_item(key, "SET #line = :fresh", alone).await?;
        Ok(moved.map(|_| first))
    }
}

fn part(item: &Item, name: &str) -> Result<i64, TableError> {
    let number = item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    number.ok_or_else(|| TableError::Document(format!("a pace without `{name}`")))
}

fn time(microseconds: i64) -> Result<Timestamp, TableError> {
    Timestamp::from_microsecond(microseconds).map_err(|error| TableError::Document(error.to_string()))
}
