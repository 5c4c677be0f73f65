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
    signed_headers::{check_recent, header, matches, signature},
    stripe, twilio,
};
use crate::signature;

/// Header with the timestamp that Slack signs.
pub(super) const SLACK_TIME: &str = "x-slack-request-timestamp";

impl Verification {
    /// Verifies that the third party sent this request, as of `now`.
    ///
    /// # Errors
    /// Returns why verification failed.
    pub fn verify(&self, request: &Request<'_>, now: Timestamp) -> Result<(), VerifyError> {
        let Request { headers, body, .. } = *request;
        if self.lacks_secret() {
            return Err(VerifyError::NoSecret);
        }
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
