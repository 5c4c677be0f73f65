//! Retry schedules of failed deliveries.
//!
//! Given a webhook's policy, the attempts so far and the current time, returns the time of the next
//! attempt, or that the schedule has ended. Guarantees:
//!
//! - There are no more retries than the policy has.
//! - No retry is planned after the schedule's end by more than one minute per attempt (the time
//!   that attempts themselves take).
//! - `Retry-After` delays a retry, never advances it.
//!
//! The times of `fixed` and `standard` are relative to the first attempt, so that slow attempts do
//! not shift them. A retry up to a minute late (a queue's delay, a slow endpoint) is made
//! immediately. Times missed by more (because of `Retry-After` or an outage of Tieline) are
//! skipped, because catching up would send a burst to a failing endpoint. Two attempts of `fixed`
//! are never closer than its interval, and two of `standard` never closer than 5 seconds: a delayed
//! attempt uses up the times that it passed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::validation::{self, FieldReader, Validated};

/// How often and for how long a delivery is retried; at most 7 days in total.
///
/// ```
/// use domain::retry::{RetryPolicy, Schedule};
/// use jiff::{Timestamp, ToSpan};
///
/// // Every 30 minutes for 24 hours.
/// let policy = RetryPolicy::default();
/// let start = Timestamp::UNIX_EPOCH;
/// let schedule = Schedule { started_at: start, attempts_made: 1, last_at: start };
/// let failed_at = start + 2.seconds();
/// assert_eq!(policy.next(&schedule, failed_at, None), Some(start + 30.minutes()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RetryPolicy {
    /// Every `interval_seconds` for `duration_seconds`, starting with the first attempt.
    Fixed {
        /// Time between two attempts; at least 1, and long enough for at most 1,000 retries.
        interval_seconds: u32,
        /// Time from the first to the last attempt; at least the interval.
        duration_seconds: u32,
    },
    /// 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h after the first attempt.
    Standard,
    /// Individual delays, each relative to the previous attempt.
    Custom {
        /// 1 to 100 delays of at least 1 second each.
        delays_seconds: Vec<u32>,
    },
    /// No retries.
    None,
}

/// Progress of a delivery's current schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Start of its first attempt.
    pub started_at: Timestamp,
    /// Number of attempts so far, including the first.
    pub attempts_made: u32,
    /// Start of the last attempt.
    pub last_at: Timestamp,
}

/// Maximum number of retries of a schedule. Every attempt is stored with its response and shown
/// with the delivery.
const MAX_RETRIES: u32 = 1_000;
/// Maximum length of a schedule in seconds: 7 days.
const MAX_DURATION_SECS: u64 = 7 * 86_400;
const STANDARD_OFFSETS: [u32; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// Maximum delay by `Retry-After`: 24 hours.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);
/// How late a retry may be before it is skipped.
const LATE_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);
/// Minimum number of messages of a line that return each second after its limit changed.
const RETURNS_PER_SECOND: i32 = 50;
/// Minimum time before a waiting message checks whether its line is still valid.
const MIN_LINE_CHECK: SignedDuration = SignedDuration::from_secs(5);
/// Maximum time in seconds that a message stays hidden after its handling failed. After an outage,
/// all messages are processed again within this time.
const MAX_REDELIVERY_SECS: u32 = 300;
/// Maximum `DelaySeconds` of SQS.
const MAX_DELAY: SignedDuration = SignedDuration::from_secs(900);

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
    /// Parses a policy.
    ///
    /// # Errors
    /// Reports every invalid field.
    pub fn parse(value: Value) -> Validated<Self> {
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
        let mut fields = FieldReader::of(value)?;
        let policy = match fields.required("type", validation::one_of(&KINDS)) {
            Some(Kind::Fixed) => {
                let interval = fields.defaulted("interval_seconds", 1_800, seconds);
                let duration = fields.defaulted("duration_seconds", 86_400, seconds);
                if interval > duration && duration.is_some() {
                    fields.refuse("duration_seconds", "must be at least `interval_seconds`");
                }
                if interval
                    .zip(duration)
                    .is_some_and(|(interval, duration)| duration / interval > MAX_RETRIES)
                {
                    fields.refuse(
                        "interval_seconds",
                        "is too short: more than 1,000 retries in `duration_seconds`",
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
                let delays = fields.required("delays_seconds", validation::list(1, 100, seconds));
                if delays.iter().flatten().copied().map(u64::from).sum::<u64>() > MAX_DURATION_SECS
                {
                    fields.refuse(
                        "delays_seconds",
                        "must be at most 7 days (604800 seconds) in total",
                    );
                }
                delays.map(|delays_seconds| Self::Custom { delays_seconds })
            }
            Some(Kind::Standard) => Some(Self::Standard),
            Some(Kind::None) => Some(Self::None),
            None => {
                // Without a valid type, these fields are neither valid nor unknown.
                for name in ["interval_seconds", "duration_seconds", "delays_seconds"] {
                    fields.optional(name, Ok);
                }
                None
            }
        };
        fields.finish(policy)
    }

    /// The JSON object that `parse` reads, with defaults filled in.
    pub fn to_value(&self) -> Value {
        // Plain data always serializes.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Returns the time of the next attempt after `schedule.attempts_made` attempts, the last of
    /// which failed at `now`; `None` if the schedule has ended. `retry_after` (of a 429 or 503)
    /// delays it by at most 24 hours and never past the schedule's end. It counts as the same
    /// retry.
    pub fn next(
        &self,
        schedule: &Schedule,
        now: Timestamp,
        retry_after: Option<Duration>,
    ) -> Option<Timestamp> {
        let retry = schedule.attempts_made.max(1);
        let started = schedule.started_at;
        let on_time = |planned: Timestamp| now.duration_since(planned) <= LATE_TOLERANCE;
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
                let slot = if late <= LATE_TOLERANCE {
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
                // These delays are relative to the previous attempt, so each attempt's duration
                // shifts the last one.
                let latest = end
                    .saturating_add(LATE_TOLERANCE.saturating_mul(i32::try_from(retry).ok()?))
                    .ok()?;
                if now > latest {
                    return None;
                }
                (after(now, *delay).min(latest), end)
            }
            Self::None => return None,
        };
        let wait = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
        Some(due.max(now).max(later(now, wait).min(end)))
    }
}

/// Parses `Retry-After` (RFC 9110 §10.2.3: seconds, or a date in any of the three forms of §5.6.7)
/// as a delay of at most 24 hours, zero for a past date. `None` if it is neither.
pub fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim_ascii();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large for u64 exceeds the limit anyway.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        // The last hours of 9999 exceed the range of a timestamp.
        let date = Timestamp::try_from(date).unwrap_or(Timestamp::MAX);
        Duration::try_from(date.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// Returns the `DelaySeconds` of a message whose place in a line of `limit` requests per second is
/// at `place`.
///
/// A message notices a change of the limit when it checks whether its line is still valid: after an
/// eighth of its waiting time or sooner, so that at least [`RETURNS_PER_SECOND`] waiting messages
/// return each second after a change, but at most once per [`MIN_LINE_CHECK`]. n waiting messages
/// together check about 50 · (1 + ln(n / 250)) times a second.
pub fn line_delay(place: Timestamp, limit: u32, now: Timestamp) -> u32 {
    let wait = place.duration_since(now);
    // The number of messages ahead of it in the line.
    let others_back =
        wait.saturating_mul(i32::try_from(limit).unwrap_or(i32::MAX)) / RETURNS_PER_SECOND;
    let look = others_back.min(wait / 8).max(MIN_LINE_CHECK).min(wait);
    hop_delay(now.saturating_add(look).unwrap_or(place), now)
}

/// Seconds before a queue message whose handling failed becomes visible again, by the number of
/// times it was received: 2 after the first, doubled each time, at most 300. 200 receives, the
/// limit of the queues, take more than 16 hours.
pub fn redelivery_delay(receives: u32) -> u32 {
    2_u32.saturating_pow(receives).clamp(2, MAX_REDELIVERY_SECS)
}

/// Returns the `DelaySeconds` of a message due at `due_at`: rounded up, 0 when due, at most 900
/// (the limit of SQS). A message that has to wait longer is re-queued.
pub fn hop_delay(due_at: Timestamp, now: Timestamp) -> u32 {
    let wait = due_at
        .duration_since(now)
        .clamp(SignedDuration::ZERO, MAX_DELAY);
    let seconds = wait.as_secs() + i64::from(wait.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(0)
}

fn seconds(value: Value) -> Validated<u32> {
    validation::whole(1, MAX_DURATION_SECS)(value)
        .map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX))
}

fn after(time: Timestamp, seconds: u32) -> Timestamp {
    later(time, Duration::from_secs(seconds.into()))
}

fn later(time: Timestamp, wait: Duration) -> Timestamp {
    time.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
