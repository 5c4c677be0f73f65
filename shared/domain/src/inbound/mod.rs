//! Inbound webhooks: requests from third parties to a service's own URL.
//!
//! [`Verification`] checks the raw bytes of a [`Request`] before anything is parsed.
//! [`Verification::delivery_keys`] identifies duplicates. [`received`] converts the request to the
//! `data` of the event `service.received`, without credentials. Nothing here panics on any input.

mod dedup;
mod key;
pub mod mac;
pub(crate) mod payload;
mod signed_headers;
mod stripe;
mod twilio;
mod verification;
mod verify;

use http::{HeaderMap, Method};

pub use self::{
    key::Key,
    mac::{Algorithm, Encoding, Hmac},
    payload::received,
    verification::Verification,
};
use crate::{
    id::{ServiceId, UserId},
    outgoing::HOPS_HEADER,
};

/// The service that an inbound key belongs to, and how its requests are verified.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// ID of the service.
    pub service: ServiceId,
    /// Name of the service.
    pub name: String,
    /// User that the service is assigned to.
    pub user: UserId,
    /// How its requests are verified.
    pub verification: Verification,
}

/// An inbound HTTP request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// HTTP method.
    pub method: &'a Method,
    /// URL as the third party requested it, with the raw query. Some schemes sign it.
    pub url: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Raw body.
    pub body: &'a [u8],
}

/// Why verification failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A header required by the scheme is missing.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// A header configured for the service is missing.
    #[error("the authentication header is missing")]
    Unauthenticated,
    /// A header or signed value is not in the scheme's format.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// The time differs from now by more than 300 s.
    #[error("the timestamp is too far from the current time")]
    Stale,
    /// The settings were imported without the secret.
    #[error("the secret of the verification has not been set")]
    NoSecret,
    /// The signature or secret does not match.
    #[error("the signature or secret does not match")]
    Mismatch,
}

/// The request reached [`MAX_HOPS`], or the header's value is not a valid count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "The request has passed through Tieline {MAX_HOPS} or more times, or its `tieline-hops` header is not a number from 0 to {}.", MAX_HOPS - 1
)]
pub struct Loop;

/// Hop count from which requests are rejected.
const MAX_HOPS: u8 = 3;

/// Returns how many times the chain that led to this request has left Tieline: the `hops` of the
/// resulting event.
///
/// # Errors
/// Rejects a count of 3 or more, and any value that is not a count.
pub fn hops(headers: &HeaderMap) -> Result<u8, Loop> {
    headers
        .get_all(HOPS_HEADER)
        .into_iter()
        .try_fold(0, |max: u8, value| {
            let count = value.to_str().ok().and_then(|text| text.parse::<u8>().ok());
            count
                .filter(|count| *count < MAX_HOPS)
                .map(|count| max.max(count))
                .ok_or(Loop)
        })
}

#[cfg(test)]
mod tests;
