//! Rotated secrets and tokens that are valid for a while beside their successor.

use jiff::{SignedDuration, Timestamp};

/// Most rotated ones that are valid beside the current one.
const MAX_PREVIOUS: usize = 3;

/// As many are in their overlap as may be; with the time at which the first overlap ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{MAX_PREVIOUS} earlier ones are still in their overlap: wait until the first overlap ends, at {0}, or rotate with \
    `overlap_seconds` 0, which ends all of them"
)]
pub struct TooMany(pub Timestamp);

/// The rotated ones, latest first and each with the end of its overlap, once `current` is replaced
/// at `now` and keeps `overlap`. The `earlier` ones keep their own overlaps, unless there is none
/// this time: then all of them end at once.
///
/// # Errors
/// When too many of the earlier ones are in their overlap.
pub fn rotated<T>(
    mut earlier: Vec<(T, Timestamp)>,
    current: T,
    overlap: SignedDuration,
    now: Timestamp,
) -> Result<Vec<(T, Timestamp)>, TooMany> {
    let until = now.checked_add(overlap).unwrap_or(Timestamp::MAX);
    if until <= now {
        return Ok(Vec::new());
    }
    earlier.retain(|(_, until)| now < *until);
    match earlier.iter().map(|(_, until)| *until).min() {
        Some(first) if earlier.len() >= MAX_PREVIOUS => Err(TooMany(first)),
        _ => {
            earlier.insert(0, (current, until));
            Ok(earlier)
        }
    }
}
