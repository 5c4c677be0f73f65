//! Overlaps of rotated secrets and tokens.

use domain::validation::{FieldReader, Validated, whole};
use jiff::SignedDuration;
use serde_json::Value;

/// Parses `{"overlap_seconds"}`: 0 to 604,800 (a week), `default` if absent.
pub fn overlap(body: Value, default: u64) -> Validated<SignedDuration> {
    const WEEK: u64 = 7 * 24 * 3600;
    let mut fields = FieldReader::of(body)?;
    let seconds = fields.defaulted("overlap_seconds", default, whole(0, WEEK));
    let seconds = fields.finish(seconds)?;
    Ok(SignedDuration::from_secs(
        i64::try_from(seconds).unwrap_or(0),
    ))
}
