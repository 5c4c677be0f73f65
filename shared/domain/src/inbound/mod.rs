//! Inbound webhooks: calls that third parties make to a service's own URL.
//!
//! In comes a [`Request`] as it was received, its body unread. [`Verification`] says whether the
//! third party made it, over the raw bytes and before anything is parsed;
//! [`Verification::delivery_keys`] says which deliveries are the same one; and [`received`] makes
//! of it the `data` of the event `service.received`, without credentials. Nothing here panics,
//! whatever comes.

mod check;
mod delivery;
mod key;
mod mac;
pub(crate) mod received;
mod stripe;
mod twilio;
mod verification;

use http::{HeaderMap, Method};

pub use self::{
    key::Key,
    mac::{Algorithm, Encoding, Hmac},
    received::received,
    verification::Verification,
};
use crate::{
    id::{ServiceId, UserId},
    webhook::request::HOPS_HEADER,
};

/// What a call's key tells: whose call it is, and how it is checked.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// The service.
    pub service: ServiceId,
    /// Its name.
    pub name: String,
    /// Who its calls are made for.
    pub user: UserId,
    /// How they are checked.
    pub verification: Verification,
}

/// A call as it came in.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The address that the third party called, with its query as it was sent: some sign it.
    pub url: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, byte by byte.
    pub body: &'a [u8],
}

/// Why a call is not taken for the third party's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A header that the scheme needs is not there.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// A header that the service names is not there.
    #[error("the header that authenticates is missing")]
    Unauthenticated,
    /// A header, or what is signed, has not the scheme's form.
    #[error("{0} cannot be read")]
    Malformed(&'static str),
    /// More than 300 s from now, in either direction.
    #[error("the time is too far from now")]
    Stale,
    /// The signature or secret is another one.
    #[error("the signature or secret is wrong")]
    Mismatch,
}

/// The header says that the request went through Tieline too often, or it is no count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "The request went through Tieline {MAX_HOPS} times or more, or its header `tieline-hops` is not a number below that"
)]
pub struct Loop;

/// How often one chain of events may leave Tieline before its way back in is closed.
const MAX_HOPS: u8 = 3;

/// How many times what led to this call left Tieline: the `hops` of the event that comes of it. A
/// count of 3 or more, and a text that is no count, is refused.
pub fn hops(headers: &HeaderMap) -> Result<u8, Loop> {
    headers
        .get_all(HOPS_HEADER)
        .into_iter()
        .try_fold(0, |most: u8, value| {
            let count = value.to_str().ok().and_then(|text| text.parse::<u8>().ok());
            count
                .filter(|count| *count < MAX_HOPS)
                .map(|count| most.max(count))
                .ok_or(Loop)
        })
}

#[cfg(test)]
mod tests;
