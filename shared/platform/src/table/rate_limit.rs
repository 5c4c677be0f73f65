//! Rate limits of webhooks, shared by all function instances.
//!
//! One item per rate-limited webhook has two times: when the next request may start, and the end of
//! the waiting line. A request acquires a slot by advancing the first time. A request that must
//! wait acquires a place by advancing the second. So no two requests start closer together than the
//! limit allows, and waiting ones come up one by one. A line belongs to one version of the limit.
//! Changing the limit or enabling the webhook starts a new line, and requests waiting in the old
//! one must acquire a slot again.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{id::WebhookId, webhook::Line};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Condition, Item, Key, Table, TableError, Written,
    item::{item, number},
    unreadable::readable,
};

/// When a request may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// At this time, within [`SOON`]. The slot belongs to this request.
    Granted(Timestamp),
    /// Not before this time, its place in this line. The request must then ask again.
    RetryAt(Timestamp, Line),
}

/// Maximum time that is waited for in place, because SQS delays by whole seconds.
pub const SOON: SignedDuration = SignedDuration::from_secs(1);
/// Tries for acquiring a slot that other requests compete for.
const MAX_TRIES: usize = 5;

/// Times are in microseconds since the epoch: at a thousand requests per second, slots are a
/// millisecond apart.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Limiter {
    next: i64,
    line: i64,
    /// The line of these times. None in rows of earlier releases.
    since: Option<Line>,
}

impl Table {
    /// Acquires a slot for a request to the webhook, whose limit is `limit` requests per second
    /// since `line`. A request that has waited for its `place` in that line has priority over new
    /// ones.
    pub async fn acquire_slot(
        &self,
        webhook: WebhookId,
        limit: u32,
        mut line: Line,
        place: Option<Line>,
        now: Timestamp,
    ) -> Result<Slot, TableError> {
        let key = Key::rate_limit(webhook);
        let step = 1_000_000 / i64::from(limit.max(1));
        let (at, soon) = (
            now.as_microsecond(),
            now.saturating_add(SOON).unwrap_or(now).as_microsecond(),
        );
        for _ in 0..MAX_TRIES {
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
                return Ok(Slot::Granted(time(part(&moved, "next")? - step)?));
            }
            let fresh = || {
                item(
                    &key,
                    None,
                    Limiter {
                        next: at + step,
                        line: at,
                        since: Some(line),
                    },
                )
            };
            let Some(found) = self.get::<Limiter>(&key).await? else {
                match self.put_item(fresh()?, Condition::absent()).await? {
                    Written::Yes => return Ok(Slot::Granted(now)),
                    Written::ConditionFailed => continue,
                }
            };
            if found.since.is_none_or(|current| current < line) {
                // The times belong to an earlier line.
                let unchanged = match found.since {
                    None => Condition::that("attribute_not_exists(#since)", []),
                    Some(current) => {
                        Condition::that("#since = :current", [(":current", since(current))])
                    }
                };
                match self.put_item(fresh()?, unchanged).await? {
                    Written::Yes => return Ok(Slot::Granted(now)),
                    Written::ConditionFailed => continue,
                }
            }
            if let Some(current) = found.since.filter(|current| *current > line) {
                // The webhook has changed since it was read.
                line = current;
                continue;
            }
            let Limiter {
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
                    return Ok(Slot::Granted(now));
                }
            } else if has_waited && next > soon {
                return Ok(Slot::RetryAt(time(next)?, line));
            } else if !has_waited
                && (next > soon || end > soon)
                && let Some(place) = self.place(&key, line, step, next.max(at)).await?
            {
                return Ok(Slot::RetryAt(time(place)?, line));
            }
        }
        Ok(Slot::RetryAt(now.saturating_add(SOON).unwrap_or(now), line))
    }

    /// Returns when the waiting lines of these webhooks end, as far as they have one.
    pub async fn line_ends(
        &self,
        webhooks: impl IntoIterator<Item = WebhookId>,
    ) -> Result<HashMap<WebhookId, Timestamp>, TableError> {
        let keys: Vec<(WebhookId, Key)> = webhooks
            .into_iter()
            .map(|webhook| (webhook, Key::rate_limit(webhook)))
            .collect();
        let wanted: Vec<Key> = keys.iter().map(|(_, key)| key.clone()).collect();
        let items = self.get_all(&wanted).await?;
        let ends = keys.into_iter().filter_map(|(webhook, key)| {
            let end = part(items.get(&key)?, "line").and_then(time);
            readable(webhook, end)
                .map(|end| Some((webhook, end?)))
                .transpose()
        });
        ends.collect()
    }

    /// Acquires a place at the end of the line, or after `first` if the line is empty. None if
    /// another request acquired it.
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
    number.ok_or_else(|| TableError::Document(format!("rate limit item lacks `{name}`")))
}

fn time(microseconds: i64) -> Result<Timestamp, TableError> {
    Timestamp::from_microsecond(microseconds)
        .map_err(|error| TableError::Document(error.to_string()))
}
