//! Headers with signatures and signed timestamps.

use http::HeaderMap;
use jiff::Timestamp;

use super::{VerifyError, mac::Encoding};

/// Maximum difference between a signed timestamp and now, in seconds.
const WINDOW_SECONDS: u64 = 300;

/// Value of a header required by the scheme.
pub(super) fn header<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<&'a str, VerifyError> {
    headers
        .get(name)
        .ok_or(VerifyError::Missing(name))?
        .to_str()
        .map(str::trim)
        .map_err(|_| VerifyError::Malformed(name))
}

/// Decodes the signature in a header.
pub(super) fn signature(
    headers: &HeaderMap,
    name: &'static str,
    prefix: &str,
    encoding: Encoding,
) -> Result<Vec<u8>, VerifyError> {
    let encoded = header(headers, name)?.strip_prefix(prefix);
    encoded
        .and_then(|encoded| encoding.decode(encoded))
        .ok_or(VerifyError::Malformed(name))
}

/// Whether a Unix timestamp is within the window.
pub(super) fn check_recent(
    name: &'static str,
    seconds: &str,
    now: Timestamp,
) -> Result<(), VerifyError> {
    let seconds: i64 = seconds.parse().map_err(|_| VerifyError::Malformed(name))?;
    if now.as_second().abs_diff(seconds) <= WINDOW_SECONDS {
        Ok(())
    } else {
        Err(VerifyError::Stale)
    }
}

pub(super) const fn matches(same: bool) -> Result<(), VerifyError> {
    if same {
        Ok(())
    } else {
        Err(VerifyError::Mismatch)
    }
}
