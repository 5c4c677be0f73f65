//! When a failed delivery is tried again.
//!
//! In come a webhook's policy, what was tried so far and the time; out comes when to try next, or
//! that the schedule has ended. Guaranteed: no more retries than the policy has; none is planned
//! past the schedule's end by more than a minute for each attempt, which is for the time that
//! attempts take; a `Retry-After` postpones and never hastens.
//!
//! The times of `fixed` and `standard` stand fixed from the first attempt on, so that slow attempts
//! do not shift them. A retry that is up to a minute late (a queue's delay, a slow endpoint) is
//! made at once; times that passed by longer ago (a `Retry-After`, an outage of ours) are skipped,
//! for to make up for them would be a burst on an endpoint in trouble. Two attempts of `fixed`
//! never begin closer to each other than its interval, and two of `standard` never closer than 5
//! seconds: a time at which a postponed attempt was made is used up.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::invalid::{self, Checked, Fields};

/// How often and how long a delivery is retried; at most 7 days in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RetryPolicy {
    /// Every `interval_seconds` for `duration_seconds` from the first attempt on.
    Fixed {
        /// Between two attempts, at least 1, and so long that there are at most 1,000 retries.
        #[schema(required = false, minimum = 1, maximum = 604_800, default = 1_800)]
        interval_seconds: u32,
        /// From the first attempt to the last, at least the interval.
        #[schema(required = false, minimum = 1, maximum = 604_800, default = 86_400)]
        duration_seconds: u32,
    },
    /// 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h after the first attempt.
    Standard,
    /// These delays, each counted from the attempt before.
    Custom {
        /// 1 to 100 delays of at least 1 second.
        #[schema(min_items = 1, max_items = 100)]
        delays_seconds: Vec<u32>,
    },
    /// No retries.
    None,
}

/// What a delivery's present schedule has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// When its first attempt began.
    pub started_at: Timestamp,
    /// How many attempts it has made, the first included.
    pub attempts_made: u32,
    /// When the last of them began.
    pub last_at: Timestamp,
}

/// The most retries of a schedule: each attempt is kept with its answer, and is shown with the
/// delivery.
const MOST_RETRIES: u32 = 1_000;
/// The longest schedule: 7 days.
const LONGEST: u64 = 7 * 86_400;
const STANDARD_OFFSETS: [u32; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// The most that a `Retry-After` postpones: 24 hours.
const MOST_RETRY_AFTER: Duration = Duration::from_hours(24);
/// How late a retry may be to be made up for.
const SLACK: SignedDuration = SignedDuration::from_secs(60);
/// How many messages of one line come back each second, at least, once its limit has changed.
const RETURNS_PER_SECOND: i32 = 100;
/// How long a message waits in a line, at least, until it looks whether that still stands.
const LEAST_LOOK: SignedDuration = SignedDuration::from_secs(5);
/// The longest that a message stays hidden whose handling failed: after an outage, all is at work
/// again within this time.
const LONGEST_REDELIVERY: u32 = 300;
/// The most `DelaySeconds` that SQS takes.
const LONGEST_HOP: SignedDuration = SignedDuration::from_secs(900);

impl Default for RetryPolicy {
    /// Every 30 minutes for 24 hours: 48 retries.
    fn default() -> Self {
        Self::Fixed {
            interval_seconds: 1_800,
            duration_seconds: 86_400,
        }
    }
}

impl RetryPolicy {
    /// The policy that this JSON object describes.
    pub fn parse(value: Value) -> Checked<Self> {
        #[derive(Clone, Copy)]
        enum Kind {
            Fixed,
            Standard,
            Custom,
            None,
        }
        const KINDS: [(&str, Kind); 4] = [
            ("fixed", Kind::Fixed),
            ("standard", Kind::Standard),
            ("custom", Kind::Custom),
            ("none", Kind::None),
        ];
        let mut fields = Fields::of(value)?;
        let policy = match fields.required("type", invalid::one_of(&KINDS)) {
            Some(Kind::Fixed) => {
                let interval = fields.defaulted("interval_seconds", 1_800, seconds);
                let duration = fields.defaulted("duration_seconds", 86_400, seconds);
                if interval > duration && duration.is_some() {
                    fields.refuse("duration_seconds", "must be at least interval_seconds");
                }
                if interval
                    .zip(duration)
                    .is_some_and(|(interval, duration)| duration / interval > MOST_RETRIES)
                {
                    fields.refuse(
                        "interval_seconds",
                        "must be so long that there are at most 1,000 retries",
                    );
                }
                interval
                    .zip(duration)
                    .map(|(interval_seconds, duration_seconds)| Self::Fixed {
                        interval_seconds,
                        duration_seconds,
                    })
            }
            Some(Kind::Custom) => {
                let delays = fields.required("delays_seconds", invalid::list(1, 100, seconds));
                if delays.iter().flatten().copied().map(u64::from).sum::<u64>() > LONGEST {
                    fields.refuse(
                        "delays_seconds",
                        "must be at most 7 days (604800 seconds) in sum",
                    );
                }
                delays.map(|delays_seconds| Self::Custom { delays_seconds })
            }
            Some(Kind::Standard) => Some(Self::Standard),
            Some(Kind::None) => Some(Self::None),
            None => {
                // Without a type, these fields are neither right nor unknown.
                for name in ["interval_seconds", "duration_seconds", "delays_seconds"] {
                    fields.optional(name, Ok);
                }
                None
            }
        };
        fields.finish(policy)
    }

    /// The JSON object that `parse` reads, defaults spelled out.
    pub fn to_value(&self) -> Value {
        // Plain data, which cannot fail to be JSON.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// When to try next after `schedule.attempts_made` attempts, the last of which failed at `now`;
    /// `None` when the schedule has ended. `retry_after` (of a 429 or 503) postpones that, at most
    /// by 24 hours and never past the schedule's end; it is the same retry then, only later.
    pub fn next(
        &self,
        schedule: &Schedule,
        now: Timestamp,
        retry_after: Option<Duration>,
    ) -> Option<Timestamp> {
        let retry = schedule.attempts_made.max(1);
        let started = schedule.started_at;
        let on_time = |planned: Timestamp| now.duration_since(planned) <= SLACK;
        let (due, end) = match self {
            Self::Fixed {
                interval_seconds,
                duration_seconds,
            } => {
                let interval = (*interval_seconds).max(1);
                let earliest = now.max(after(schedule.last_at, interval));
                let since = u32::try_from(earliest.duration_since(started).as_secs()).unwrap_or(0);
                let passed = since / interval;
                let late = earliest.duration_since(after(started, passed.saturating_mul(interval)));
                let slot = if late <= SLACK {
                    passed
                } else {
                    passed.saturating_add(1)
                }
                .max(retry);
                let offset = slot
                    .checked_mul(interval)
                    .filter(|offset| offset <= duration_seconds)?;
                (
                    after(started, offset).max(earliest),
                    after(started, *duration_seconds),
                )
            }
            Self::Standard => {
                let left = STANDARD_OFFSETS.get(usize::try_from(retry - 1).ok()?..)?;
                let earliest = after(schedule.last_at, STANDARD_OFFSETS[0]);
                let mut times = left.iter().map(|offset| after(started, *offset));
                (
                    times.find(|time| *time >= earliest && on_time(*time))?,
                    after(started, 86_400),
                )
            }
            Self::Custom { delays_seconds } => {
                let delay = delays_seconds.get(usize::try_from(retry - 1).ok()?)?;
                let end = after(
                    started,
                    delays_seconds
                        .iter()
                        .fold(0, |sum, delay| sum.saturating_add(*delay)),
                );
                // These delays run from the attempt before, so each attempt's own time shifts the
                // last one.
                let latest = end
                    .saturating_add(SLACK.saturating_mul(i32::try_from(retry).ok()?))
                    .ok()?;
                if now > latest {
                    return None;
                }
                (after(now, *delay).min(latest), end)
            }
            Self::None => return None,
        };
        let wait = retry_after.unwrap_or_default().min(MOST_RETRY_AFTER);
        Some(due.max(now).max(later(now, wait).min(end)))
    }
}

/// How long a `Retry-After` header asks to wait (RFC 9110 §10.2.3: seconds, or a date in any of the
/// three forms of §5.6.7), at most 24 hours, zero for a date gone by; `None` when it is neither.
pub fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim_ascii();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds ask for more than the cap.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        // The last hours of 9999 are past what a timestamp holds.
        let date = Timestamp::try_from(date).unwrap_or(Timestamp::MAX);
        Duration::try_from(date.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(MOST_RETRY_AFTER))
}

/// The `DelaySeconds` of a message whose place in a line of `limit` calls a second comes up at
/// `place`. A change of the limit counts for it once it looks whether the line still stands: after
/// an eighth of its wait, or sooner, so that after a change [`RETURNS_PER_SECOND`] of those that
/// wait come back each second at least; but not more often than every [`LEAST_LOOK`]. Together, n
/// that wait look about 100 · (1 + ln(n / 500)) times a second; with a limit above 12 a second,
/// some fifty times for each call.
pub fn line_delay(place: Timestamp, limit: u32, now: Timestamp) -> u32 {
    let wait = place.duration_since(now);
    // As many wait before it as are called until its place comes up.
    let others_back =
        wait.saturating_mul(i32::try_from(limit).unwrap_or(i32::MAX)) / RETURNS_PER_SECOND;
    let look = others_back.min(wait / 8).max(LEAST_LOOK).min(wait);
    hop_delay(now.saturating_add(look).unwrap_or(place), now)
}

/// Seconds until a queue message is seen again whose handling failed, by how often it was received:
/// 2 after the first time, doubled each time after that, at most 300. So 200 receives, which the
/// queues allow, take more than 16 hours.
pub fn redelivery_delay(receives: u32) -> u32 {
    2_u32.saturating_pow(receives).clamp(2, LONGEST_REDELIVERY)
}

/// The `DelaySeconds` of a message that is to arrive at `due_at`: rounded up, 0 when due, at most
/// the 900 s of SQS; one that must wait longer is sent on.
pub fn hop_delay(due_at: Timestamp, now: Timestamp) -> u32 {
    let wait = due_at
        .duration_since(now)
        .clamp(SignedDuration::ZERO, LONGEST_HOP);
    let seconds = wait.as_secs() + i64::from(wait.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(0)
}

fn seconds(value: Value) -> Checked<u32> {
    invalid::whole(1, LONGEST)(value).map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX))
}

fn after(time: Timestamp, seconds: u32) -> Timestamp {
    later(time, Duration::from_secs(seconds.into()))
}

fn later(time: Timestamp, wait: Duration) -> Timestamp {
    time.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
