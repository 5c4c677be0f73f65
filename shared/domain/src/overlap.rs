//! Rotated secrets and tokens that stay valid for a while after their replacement.

use jiff::{SignedDuration, Timestamp};

/// Maximum number of rotated ones in addition to the current one.
const MAX_PREVIOUS: usize = 3;

/// The maximum number of rotated ones is still valid. Contains the end of the first overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{MAX_PREVIOUS} earlier ones are still in their overlap. Wait until the first overlap ends at {0}, or rotate with \
    `overlap_seconds` 0 to end all of them."
)]
pub struct TooManyOverlaps(pub Timestamp);

/// Returns the rotated ones after `current` is replaced at `now` with `overlap`: latest first, each
/// with the end of its overlap. The `earlier` ones keep their own overlap, unless `overlap` is
/// zero, which ends all of them immediately.
///
/// # Errors
/// Fails if too many of the earlier ones are still in their overlap.
pub fn rotated<T>(
    mut earlier: Vec<(T, Timestamp)>,
    current: T,
    overlap: SignedDuration,
    now: Timestamp,
) -> Result<Vec<(T, Timestamp)>, TooManyOverlaps> {
    let until = now.checked_add(overlap).unwrap_or(Timestamp::MAX);
    if until <= now {
        return Ok(Vec::new());
    }
    earlier.retain(|(_, until)| now < *until);
    match earlier.iter().map(|(_, until)| *until).min() {
        Some(first) if earlier.len() >= MAX_PREVIOUS => Err(TooManyOverlaps(first)),
        _ => {
            earlier.insert(0, (current, until));
            Ok(earlier)
        }
    }
}
