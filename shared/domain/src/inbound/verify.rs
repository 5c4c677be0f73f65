//! Verification of inbound requests, scheme by scheme.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    Request, Verification, VerifyError,
    mac::{Algorithm, Encoding, Hmac},
    stripe, twilio,
};
use crate::signature;

/// Maximum difference between a signed timestamp and now, in seconds.
const WINDOW_SECONDS: u64 = 300;

/// Header with the timestamp that Slack signs.
pub(super) const SLACK_TIME: &str = "x-slack-request-timestamp";

impl Verification {
    /// Verifies that the third party sent this request, as of `now`.
    ///
    /// # Errors
    /// Returns why verification failed.
    pub fn verify(&self, request: &Request<'_>, now: Timestamp) -> Result<(), VerifyError> {
        let Request { headers, body, .. } = *request;
        match self {
            Self::None => Ok(()),
            Self::StandardWebhooks(secret) => {
                let id = header(headers, "webhook-id")?;
                let time = header(headers, "webhook-timestamp")?;
                let signatures = header(headers, "webhook-signature")?;
                check_recent("webhook-timestamp", time, now)?;
                matches(signature::verifies(id, time, body, signatures, secret))
            }
            Self::Github(secret) => {
                let signature =
                    signature(headers, "x-hub-signature-256", "sha256=", Encoding::Hex)?;
                matches(Algorithm::Sha256.verifies(secret, &[body], &signature))
            }
            Self::Stripe(secret) => stripe::verify(secret, headers, body, now),
            Self::Slack(secret) => {
                let time = header(headers, SLACK_TIME)?;
                let signature = signature(headers, "x-slack-signature", "v0=", Encoding::Hex)?;
                check_recent(SLACK_TIME, time, now)?;
                matches(Algorithm::Sha256.verifies(
                    secret,
                    &[b"v0:", time.as_bytes(), b":", body],
                    &signature,
                ))
            }
            Self::Shopify(secret) => {
                let signature = signature(headers, "x-shopify-hmac-sha256", "", Encoding::Base64)?;
                matches(Algorithm::Sha256.verifies(secret, &[body], &signature))
            }
            Self::Twilio(secret) => twilio::verify(secret, request),
            Self::Hmac(hmac) => hmac.verify(headers, body),
            Self::Basic { username, password } => {
                let credentials = basic(headers)?;
                matches(constant_time_eq(
                    &credentials,
                    format!("{username}:{}", password.expose_secret()).as_bytes(),
                ))
            }
            Self::Header { name, value } => {
                let given = headers.get(name).ok_or(VerifyError::Unauthenticated)?;
                matches(constant_time_eq(
                    given.as_bytes(),
                    value.expose_secret().as_bytes(),
                ))
            }
        }
    }
}

impl Hmac {
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), VerifyError> {
        let given = headers
            .get(&self.header)
            .ok_or(VerifyError::Unauthenticated)?
            .to_str()
            .ok();
        let encoded = given.and_then(|given| given.trim().strip_prefix(self.prefix.as_str()));
        let signature = encoded
            .and_then(|encoded| self.encoding.decode(encoded))
            .ok_or(VerifyError::Malformed("the signature"))?;
        matches(self.algorithm.verifies(&self.secret, &[body], &signature))
    }
}

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

/// The `name:password` of HTTP Basic authentication.
fn basic(headers: &HeaderMap) -> Result<Vec<u8>, VerifyError> {
    let malformed = VerifyError::Malformed("authorization");
    let (scheme, credentials) = header(headers, AUTHORIZATION.as_str())?
        .split_once(' ')
        .ok_or(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed);
    }
    BASE64_STANDARD
        .decode(credentials.trim())
        .map_err(|_| malformed)
}

/// Compares hashes, so that the time reveals neither the position of a difference nor the length of
/// the secret.
fn constant_time_eq(given: &[u8], expected: &[u8]) -> bool {
    Sha256::digest(given)
        .ct_eq(&Sha256::digest(expected))
        .into()
}
