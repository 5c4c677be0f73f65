//! Stripe signatures: `Stripe-Signature: t=<Unix time>,v1=<hex>,v1=<hex>,v0=…`. Each `v1` is an
//! HMAC-SHA256 of `<t>.<body>`. There are several while Stripe rolls a secret. Other schemes are
//! ignored to prevent downgrades.

use http::HeaderMap;
use jiff::Timestamp;
use secrecy::SecretString;

use super::{
    VerifyError,
    mac::{Algorithm, Encoding},
    signed_headers::{check_recent, header, matches},
};

const NAME: &str = "stripe-signature";

/// Maximum number of signatures that are checked.
const MAX_SIGNATURES: usize = 8;

pub(super) fn verify(
    secret: &SecretString,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), VerifyError> {
    check_recent(NAME, timestamp(headers)?, now)?;
    let signed = signed(headers, body)?;
    let signatures = pairs(headers)?.filter(|(name, _)| *name == "v1");
    let signatures = signatures.filter_map(|(_, text)| Encoding::Hex.decode(text));
    matches(
        signatures
            .take(MAX_SIGNATURES)
            .any(|signature| Algorithm::Sha256.verifies(secret, &[&signed], &signature)),
    )
}

/// The signed data: timestamp and body.
pub(super) fn signed(headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, VerifyError> {
    Ok([timestamp(headers)?.as_bytes(), b".", body].concat())
}

fn timestamp(headers: &HeaderMap) -> Result<&str, VerifyError> {
    let time = pairs(headers)?.find(|(name, _)| *name == "t");
    time.map(|(_, time)| time)
        .ok_or(VerifyError::Malformed(NAME))
}

fn pairs(headers: &HeaderMap) -> Result<impl Iterator<Item = (&str, &str)>, VerifyError> {
    header(headers, NAME).map(|text| {
        text.split(',')
            .filter_map(|pair| pair.trim().split_once('='))
    })
}
