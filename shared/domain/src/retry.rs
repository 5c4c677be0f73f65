//! When a failed delivery is tried again.
//!
//! In come a webhook's policy, what was tried so far and the time; out comes when to try next, or that the schedule has
//! ended. Guaranteed: no more retries than the policy has; none is planned past the schedule's end by more than a minute
//! for each attempt, which is for the time that attempts take; a `Retry-After` postpones and never hastens.
//!
//! The times of `fixed` and `standard` stand fixed from the first attempt on, so that slow attempts do not shift them. A
//! retry that is up to a minute late (a queue's delay, a slow endpoint) is made at once; times that passed by longer ago
//! (a `Retry-After`, an outage of ours) are skipped, for to make up for them would be a burst on an endpoint in trouble.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, civil::DateTime, fmt::strtime, tz::TimeZone};
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
        /// Between two attempts, at least 1.
        #[schema(minimum = 1, maximum = 604_800, default = 1_800)]
        interval_seconds: u32,
        /// From the first attempt to the last, at least the interval.
        #[schema(minimum = 1, maximum = 604_800, default = 86_400)]
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
}

/// The longest schedule: 7 days.
const LONGEST: u64 = 7 * 86_400;
const STANDARD_OFFSETS: [u32; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// The most that a `Retry-After` postpones: 24 hours.
const MOST_RETRY_AFTER: Duration = Duration::from_hours(24);
/// How late a retry may be to be made up for.
const SLACK: SignedDuration = SignedDuration::from_secs(60);
/// The most `DelaySeconds` that SQS takes.
const LONGEST_HOP: SignedDuration = SignedDuration::from_secs(900);

impl Default for RetryPolicy {
    /// Every 30 minutes for 24 hours: 48 retries.
    fn default() -> Self {
        Self::Fixed { interval_seconds: 1_800, duration_seconds: 86_400 }
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
        const KINDS: [(&str, Kind); 4] =
            [("fixed", Kind::Fixed), ("standard", Kind::Standard), ("custom", Kind::Custom), ("none", Kind::None)];
        let mut fields = Fields::of(value)?;
        let policy = match fields.required("type", invalid::one_of(&KINDS)) {
            Some(Kind::Fixed) => {
                let interval = fields.defaulted("interval_seconds", 1_800, seconds);
                let duration = fields.defaulted("duration_seconds", 86_400, seconds);
                if interval > duration && duration.is_some() {
                    fields.refuse("duration_seconds", "must be at least interval_seconds");
                }
                interval
                    .zip(duration)
                    .map(|(interval_seconds, duration_seconds)| Self::Fixed { interval_seconds, duration_seconds })
            }
            Some(Kind::Custom) => {
                let delays = fields.required("delays_seconds", invalid::list(1, 100, seconds));
                if delays.iter().flatten().copied().map(u64::from).sum::<u64>() > LONGEST {
                    fields.refuse("delays_seconds", "must be at most 7 days (604800 seconds) in sum");
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

    /// When to try next after `schedule.attempts_made` attempts, the last of which failed at `now`; `None` when the
    /// schedule has ended. `retry_after` (of a 429 or 503) postpones that, at most by 24 hours and never past the
    /// schedule's end; it is the same retry then, only later.
    pub fn next(&self, schedule: &Schedule, now: Timestamp, retry_after: Option<Duration>) -> Option<Timestamp> {
        let retry = schedule.attempts_made.max(1);
        let started = schedule.started_at;
        let on_time = |planned: Timestamp| now.duration_since(planned) <= SLACK;
        let (due, end) = match self {
            Self::Fixed { interval_seconds, duration_seconds } => {
                let interval = (*interval_seconds).max(1);
                let slot = if on_time(after(started, retry.saturating_mul(interval))) {
                    retry
                } else {
                    let passed = u32::try_from(now.duration_since(started).as_secs()).ok()? / interval;
                    passed.saturating_add(1)
                };
                let offset = slot.checked_mul(interval).filter(|offset| offset <= duration_seconds)?;
                (after(started, offset), after(started, *duration_seconds))
            }
            Self::Standard => {
                let left = STANDARD_OFFSETS.get(usize::try_from(retry - 1).ok()?..)?;
                let mut times = left.iter().map(|offset| after(started, *offset));
                let planned = times.next()?;
                let due = if on_time(planned) { planned } else { times.find(|time| *time > now)? };
                (due, after(started, 86_400))
            }
            Self::Custom { delays_seconds } => {
                let delay = delays_seconds.get(usize::try_from(retry - 1).ok()?)?;
                let end = after(started, delays_seconds.iter().fold(0, |sum, delay| sum.saturating_add(*delay)));
                // These delays run from the attempt before, so each attempt's own time shifts the last one.
                let latest = end.saturating_add(SLACK.saturating_mul(i32::try_from(retry).ok()?)).ok()?;
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

/// How long a `Retry-After` header asks to wait (RFC 9110 §10.2.3: seconds or an IMF-fixdate), at most 24 hours, zero
/// for a date gone by; `None` when it says neither.
pub fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim_ascii();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds ask for more than the cap.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date: DateTime = strtime::parse("%a, %d %b %Y %H:%M:%S GMT", text).ok()?.to_datetime().ok()?;
        // The last hours of 9999 are past what a timestamp holds.
        let date = TimeZone::UTC.to_timestamp(date).unwrap_or(Timestamp::MAX);
        Duration::try_from(date.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(MOST_RETRY_AFTER))
}

/// The `DelaySeconds` of a message that is to arrive at `due_at`: rounded up, 0 when due, at most the 900 s of SQS; one
/// that must wait longer is sent on.
pub fn hop_delay(due_at: Timestamp, now: Timestamp) -> u32 {
    let wait = due_at.duration_since(now).clamp(SignedDuration::ZERO, LONGEST_HOP);
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
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + seconds).expect("time")
    }

    /// Offsets in seconds of all retries, where each attempt fails `took` seconds after it was due.
    fn retries(policy: &RetryPolicy, took: i64) -> Vec<i64> {
        let mut schedule = Schedule { started_at: time(0), attempts_made: 1 };
        let mut now = time(took);
        let mut offsets = Vec::new();
        while let Some(due) = policy.next(&schedule, now, None) {
            offsets.push(due.duration_since(time(0)).as_secs());
            now = due + SignedDuration::from_secs(took);
            schedule.attempts_made += 1;
        }
        offsets
    }

    fn fixed(interval_seconds: u32, duration_seconds: u32) -> RetryPolicy {
        RetryPolicy::Fixed { interval_seconds, duration_seconds }
    }

    #[test]
    fn schedules() {
        let standard: Vec<i64> = STANDARD_OFFSETS.map(i64::from).into();
        let default: Vec<i64> = (1..=48).map(|slot| slot * 1_800).collect();
        let custom = RetryPolicy::Custom { delays_seconds: vec![1, 60, 5] };
        for (policy, took, expected) in [
            (RetryPolicy::default(), 0, default.clone()),
            (RetryPolicy::default(), 30, default),
            (fixed(7, 20), 0, vec![7, 14]),
            (fixed(1, 3), 2, vec![2, 4, 6]),
            (fixed(20, 20), 0, vec![20]),
            (RetryPolicy::Standard, 0, standard),
            (RetryPolicy::Standard, 30, vec![30, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]),
            (custom.clone(), 0, vec![1, 61, 66]),
            (custom, 2, vec![3, 65, 72]),
            (RetryPolicy::None, 0, vec![]),
        ] {
            assert_eq!(retries(&policy, took), expected, "{policy:?} {took}");
        }
    }

    #[test]
    fn retry_after_postpones_and_what_it_passed_is_skipped() {
        let next = |policy: &RetryPolicy, attempts_made, now, wait| {
            let schedule = Schedule { started_at: time(0), attempts_made };
            let due = policy.next(&schedule, time(now), Some(Duration::from_secs(wait)))?;
            Some(due.duration_since(time(0)).as_secs())
        };
        let half_hourly = RetryPolicy::default();
        let custom = RetryPolicy::Custom { delays_seconds: vec![10, 100] };
        for (policy, attempts, now, wait, expected) in [
            (&half_hourly, 1, 0, 60, Some(1_800)),
            (&half_hourly, 1, 0, 4_000, Some(4_000)),
            (&half_hourly, 2, 4_000, 0, Some(5_400)),
            (&half_hourly, 1, 0, u64::MAX, Some(86_400)),
            (&half_hourly, 2, 5_400, 0, Some(7_200)),
            (&half_hourly, 2, 86_400, 0, None),
            (&half_hourly, 48, 86_460, 0, Some(86_460)),
            (&half_hourly, 48, 86_461, 0, None),
            (&half_hourly, 49, 86_400, 0, None),
            (&fixed(86_400, 604_800), 1, 3_600, u64::MAX, Some(90_000)),
            (&RetryPolicy::Standard, 2, 7_000, 0, Some(7_200)),
            (&RetryPolicy::Standard, 2, 7_200, 0, Some(18_000)),
            (&RetryPolicy::Standard, 9, 80_000, u64::MAX, Some(86_400)),
            (&custom, 1, 0, 50, Some(50)),
            (&custom, 1, 0, 500, Some(110)),
            (&custom, 2, 110, 500, Some(210)),
            (&custom, 2, 150, 0, Some(230)),
            (&custom, 2, 231, 0, None),
        ] {
            assert_eq!(next(policy, attempts, now, wait), expected, "{policy:?} {attempts} {now} {wait}");
        }
    }

    #[test]
    fn policies_read_back_and_wrong_ones_are_pointed_at() {
        for policy in [
            json!({"type": "fixed", "interval_seconds": 1, "duration_seconds": 604_800}),
            json!({"type": "standard"}),
            json!({"type": "custom", "delays_seconds": [1, 604_799]}),
            json!({"type": "none"}),
        ] {
            assert_eq!(RetryPolicy::parse(policy.clone()).expect("policy").to_value(), policy);
        }
        assert_eq!(RetryPolicy::parse(json!({"type": "fixed"})), Ok(RetryPolicy::default()));
        for (wrong, pointers) in [
            (json!(3), vec![""]),
            (json!({}), vec!["/type"]),
            (json!({"type": "often", "interval_seconds": 1, "x": 1}), vec!["/type", "/x"]),
            (
                json!({"type": "fixed", "interval_seconds": 0, "duration_seconds": 604_801}),
                vec!["/interval_seconds", "/duration_seconds"],
            ),
            (json!({"type": "fixed", "interval_seconds": 9, "duration_seconds": 8}), vec!["/duration_seconds"]),
            (json!({"type": "fixed", "interval_seconds": 1.5}), vec!["/interval_seconds"]),
            (json!({"type": "standard", "interval_seconds": 1}), vec!["/interval_seconds"]),
            (json!({"type": "custom"}), vec!["/delays_seconds"]),
            (json!({"type": "custom", "delays_seconds": []}), vec!["/delays_seconds"]),
            (json!({"type": "custom", "delays_seconds": [0, 1, -1]}), vec!["/delays_seconds/0", "/delays_seconds/2"]),
            (json!({"type": "custom", "delays_seconds": [604_800, 1]}), vec!["/delays_seconds"]),
        ] {
            let problems = RetryPolicy::parse(wrong.clone()).expect_err("problems").0;
            let found: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
            assert_eq!(found, pointers, "{wrong}");
        }
    }

    #[test]
    fn retry_after_headers() {
        let now = "1994-11-06T08:49:30Z".parse().expect("time");
        for (text, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("86401", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(86_400)),
            ("Mon, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 PST", None),
            ("Sun, 31 Feb 1994 08:49:37 GMT", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(parse_retry_after(text, now), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn hops() {
        for (wait_ms, expected) in [(-5_000, 0), (0, 0), (1, 1), (1_000, 1), (899_001, 900), (900_001, 900)] {
            assert_eq!(hop_delay(time(0) + SignedDuration::from_millis(wait_ms), time(0)), expected, "{wait_ms}");
        }
        assert_eq!(hop_delay(Timestamp::MAX, Timestamp::MIN), 900);
        assert_eq!(hop_delay(Timestamp::MIN, Timestamp::MAX), 0);
    }

    fn any_policy() -> impl Strategy<Value = RetryPolicy> {
        prop_oneof![
            (1..4_000u32, 1..40u32, 0..4_000u32)
                .prop_map(|(each, times, rest)| fixed(each, each * times + rest % each)),
            Just(RetryPolicy::Standard),
            prop::collection::vec(1..6_000u32, 1..20).prop_map(|delays_seconds| RetryPolicy::Custom { delays_seconds }),
            Just(RetryPolicy::None),
        ]
    }

    fn bounds(policy: &RetryPolicy) -> (usize, i64) {
        match policy {
            RetryPolicy::Fixed { interval_seconds, duration_seconds } => {
                ((duration_seconds / interval_seconds) as usize, i64::from(*duration_seconds))
            }
            RetryPolicy::Standard => (9, 86_400),
            RetryPolicy::Custom { delays_seconds } => {
                (delays_seconds.len(), delays_seconds.iter().copied().map(i64::from).sum())
            }
            RetryPolicy::None => (0, 0),
        }
    }

    proptest! {
        #[test]
        fn retries_are_bounded_in_number_and_time(
            policy in any_policy(),
            asked in prop::collection::vec(prop::option::of(0..200_000u64), 60),
            took in prop::collection::vec(0..40_000i64, 60),
        ) {
            prop_assert_eq!(RetryPolicy::parse(policy.to_value()), Ok(policy.clone()));
            let (most, end) = bounds(&policy);
            let mut schedule = Schedule { started_at: time(0), attempts_made: 1 };
            let mut now = time(0);
            let mut made = 0;
            for (asked, took) in asked.into_iter().zip(took) {
                // Between no delay at all and attempts that take 40 s.
                let took = SignedDuration::from_millis(took);
                now += took;
                let Some(due) = policy.next(&schedule, now, asked.map(Duration::from_secs)) else { break };
                made += 1;
                prop_assert!(due >= now);
                prop_assert!(due <= time(end) + SLACK * schedule.attempts_made.cast_signed());
                let waited = asked.map_or(SignedDuration::ZERO, |asked| SignedDuration::from_secs(asked.min(86_400).cast_signed()));
                prop_assert!(due >= time(end).min(now + waited));
                (now, schedule.attempts_made) = (due, schedule.attempts_made + 1);
            }
            prop_assert!(made <= most);
        }

        #[test]
        fn hops_sum_to_the_wait(wait_ms in 0..100_000_000i64) {
            let due = time(0) + SignedDuration::from_millis(wait_ms);
            let mut now = time(0);
            let mut hops = 0;
            while now < due {
                let delay = hop_delay(due, now);
                prop_assert!((1..=900).contains(&delay));
                now += SignedDuration::from_secs(delay.into());
                hops += 1;
            }
            prop_assert!(now.duration_since(due) < SignedDuration::from_secs(1));
            prop_assert!(hops <= wait_ms / 900_000 + 1);
            prop_assert_eq!(hop_delay(due, now), 0);
        }

        #[test]
        fn nothing_panics(
            text: String,
            policy in any_policy(),
            started in any::<i64>(), now in any::<i64>(), attempts_made: u32, wait: u64,
        ) {
            let any_time = |seconds: i64| Timestamp::from_second(seconds % 250_000_000_000).expect("time");
            let schedule = Schedule { started_at: any_time(started), attempts_made };
            let _ = policy.next(&schedule, any_time(now), Some(Duration::from_secs(wait)));
            let _ = parse_retry_after(&text, any_time(now));
            let _ = hop_delay(any_time(started), any_time(now));
        }
    }
}
