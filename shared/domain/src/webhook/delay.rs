//! Delayed deliveries, and the events that end a delay: "30 minutes after the last reply".

use std::ops::RangeInclusive;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use ulid::Ulid;

use crate::{
    id::EventId,
    path::Path,
    pattern::{self, MAX_PATTERNS, Pattern},
    validation::{FieldReader, Source, Validated, ValidationErrors, string, whole},
};

/// How long after an event its delivery begins, and what cancels it until then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delay {
    /// Seconds between the event's acceptance and the first attempt; 0 for none.
    pub seconds: u32,
    /// The events that cancel a delivery during its delay.
    pub unless: Option<Unless>,
}

/// Events that cancel a delayed delivery, if they are about the same thing as its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unless {
    /// Their types.
    pub events: Vec<Pattern>,
    /// Path in the data of both events. They are about the same thing if they have the same value
    /// there.
    pub key: Path,
}

/// Maximum delay: seven days.
const MAX_SECONDS: u64 = 604_800;
/// Maximum wait of a delivery that is dispatched after the end of its delay.
const MAX_LATE_SECONDS: u32 = 60;

impl Delay {
    /// Reads `delay_seconds` and `unless`. `events` are the webhook's patterns, if they are valid.
    pub(super) fn take(
        fields: &mut FieldReader,
        events: Option<&Vec<Pattern>>,
        source: Source,
    ) -> Option<Self> {
        let seconds = fields.defaulted("delay_seconds", 0, whole(0, MAX_SECONDS));
        let unless = fields.defaulted("unless", None, |value| {
            let unless = Unless::parse(value)?;
            if source == Source::Client {
                unless.check(seconds, events.map_or(0, Vec::len))?;
            }
            Ok(Some(unless))
        });
        Some(Self {
            seconds: u32::try_from(seconds?).ok()?,
            unless: unless?,
        })
    }

    /// Writes the fields that [`Delay::take`] reads. What is not set is null.
    pub(super) fn put(&self, map: &mut Map<String, Value>) {
        let seconds = Some(self.seconds).filter(|seconds| *seconds > 0);
        let unless = self.unless.as_ref().map(Unless::to_value);
        map.insert("delay_seconds".to_owned(), json!(seconds));
        map.insert("unless".to_owned(), json!(unless));
    }
}

impl Unless {
    fn parse(value: Value) -> Validated<Self> {
        let mut fields = FieldReader::of(value)?;
        let events = fields.required("events", pattern::list);
        let key = fields.required("key", |value| Ok(Path::parse(&string(value)?)?));
        let parsed = events.zip(key);
        fields.finish(parsed.map(|(events, key)| Self { events, key }))
    }

    fn check(&self, seconds: Option<u64>, events: usize) -> Validated<()> {
        if seconds == Some(0) {
            return Err(ValidationErrors::here("requires `delay_seconds`"));
        }
        // The table changes both lists in one transaction, whose size is limited.
        if self.events.len() + events > MAX_PATTERNS {
            let detail = format!("may have {MAX_PATTERNS} patterns together with the webhook's");
            return Err(ValidationErrors::here(detail).under("events"));
        }
        Ok(())
    }

    fn to_value(&self) -> Value {
        json!({"events": self.events, "key": self.key.as_str()})
    }
}

/// Fingerprint of the value at `key` in an event's data; `None` if it is missing or null. Events
/// with the same fingerprint are about the same thing.
pub fn fingerprint(key: &Path, data: &Value) -> Option<String> {
    let value = key.find_in_event(data).filter(|value| !value.is_null())?;
    let value = match value.as_f64().filter(|number| number.fract() == 0.0) {
        // `7` and `7.0` are the same number.
        Some(number) if value.is_f64() => format!("{number:.0}"),
        _ => value.to_string(),
    };
    // With the path: values at an earlier key are not compared.
    let digest = Sha256::digest([key.as_str(), "\0", &value].concat());
    Some(BASE64_URL_SAFE_NO_PAD.encode(&digest[..16]))
}

/// When the delay of an event's delivery ends.
pub fn ends_at(event: EventId, delay_seconds: u32) -> Timestamp {
    let delay = SignedDuration::from_secs(delay_seconds.into());
    event
        .made_at()
        .saturating_add(delay)
        .unwrap_or(Timestamp::MAX)
}

/// When a delivery with a delay is due whose event was dispatched at `dispatched_at`: at the end of
/// the delay. If that has passed, the events that supersede it may be dispatched late as well, so it
/// waits again, up to a minute.
pub fn due_at(ends_at: Timestamp, delay_seconds: u32, dispatched_at: Timestamp) -> Timestamp {
    if dispatched_at < ends_at {
        return ends_at;
    }
    let wait = SignedDuration::from_secs(delay_seconds.min(MAX_LATE_SECONDS).into());
    dispatched_at.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

/// The events that are accepted after this one and before the end of the delay of its delivery.
/// `None` if there can't be any.
pub fn superseding(event: EventId, ends_at: Timestamp) -> Option<RangeInclusive<EventId>> {
    let after = event.ulid().0.checked_add(1)?;
    let before = EventId::new(ends_at, 0).ulid().0.checked_sub(1)?;
    let id = |ulid| EventId::from_ulid(Ulid(ulid));
    (after <= before).then(|| id(after)..=id(before))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Path {
        Path::parse(text).expect("a path")
    }

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).expect("a time")
    }

    #[test]
    fn events_about_the_same_thing_have_the_same_fingerprint() {
        let same = |a: Value, b: Value| {
            let id = key("ticket.id");
            let (a, b) = (json!({"ticket": a}), json!({"ticket": b}));
            fingerprint(&id, &a).is_some() && fingerprint(&id, &a) == fingerprint(&id, &b)
        };
        assert!(same(json!({"id": 7, "x": 1}), json!({"id": 7, "x": 2})));
        assert!(same(json!({"id": "ä"}), json!({"id": "ä"})));
        assert!(same(json!({"id": 7}), json!({"id": 7.0})));
        assert!(!same(json!({"id": 7.5}), json!({"id": 7})));
        assert!(!same(json!({"id": 7}), json!({"id": 8})));
        assert!(!same(json!({"id": 7}), json!({"id": "7"})));
        assert!(!same(json!({"id": null}), json!({"id": null})));
        assert!(!same(json!({}), json!({})));
        let data = json!({"id": 7, "ticket": 7});
        assert_ne!(
            fingerprint(&key("id"), &data),
            fingerprint(&key("ticket"), &data)
        );
    }

    #[test]
    fn fingerprint_is_short_and_hides_the_value() {
        let long = json!({"id": "a".repeat(10_000)});
        assert_eq!(
            fingerprint(&key("id"), &long).map(|text| text.len()),
            Some(22)
        );
        let seven = fingerprint(&key("id"), &json!({"id": 7}));
        assert_eq!(seven.as_deref(), Some("V3WLXpTc6MhNP6TeqsHEPg"));
    }

    #[test]
    fn delay_ends_after_the_acceptance() {
        let event = EventId::new(at(1_000), 5);
        assert_eq!(ends_at(event, 0), at(1_000));
        assert_eq!(ends_at(event, 60), at(61_000));
    }

    #[test]
    fn late_dispatch_waits_for_others() {
        for (delay, dispatched, due) in [
            (600, 0, 600),
            (600, 599, 600),
            (600, 600, 660),
            (600, 5_000, 5_060),
            (2, 5, 7),
        ] {
            let second = |second: i64| at(second * 1_000);
            let due_at = due_at(
                second(delay),
                u32::try_from(delay).expect("small"),
                second(dispatched),
            );
            assert_eq!(due_at, second(due), "{delay} {dispatched}");
        }
    }

    proptest! {
        #[test]
        fn only_events_between_acceptance_and_end_supersede(
            (event, other) in (0..5_i64, 0..5_i64), (a, b) in (0..3_u128, 0..3_u128), delay in 0..3_i64,
        ) {
            let (event, other) = (EventId::new(at(event), a), EventId::new(at(other), b));
            let end = at(event.made_at().as_millisecond() + delay);
            let supersedes = superseding(event, end).is_some_and(|range| range.contains(&other));
            prop_assert_eq!(supersedes, other > event && other.made_at() < end);
        }
    }
}
