//! Stripe's signatures: `Stripe-Signature: t=<Unix time>,v1=<hex>,v1=<hex>,v0=…`, each `v1` an HMAC-SHA256 of
//! `<t>.<body>`. There are several while Stripe rolls a secret; other schemes are ignored, so that nobody can choose a
//! weaker one.

use http::HeaderMap;
use jiff::Timestamp;
use secrecy::SecretString;

use super::{
    Refused,
    check::{header, matches, recent},
    mac::{Algorithm, Encoding},
};

const NAME: &str = "stripe-signature";

/// The most signatures that are looked at.
const MOST: usize = 8;

pub(super) fn verify(secret: &SecretString, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Refused> {
    let pairs = || header(headers, NAME).map(|text| text.split(',').filter_map(|pair| pair.trim().split_once('=')));
    let time = pairs()?.find(|(name, _)| *name == "t").ok_or(Refused::Malformed(NAME))?.1;
    recent(NAME, time, now)?;
    let signatures = pairs()?.filter(|(name, _)| *name == "v1").filter_map(|(_, text)| Encoding::Hex.decode(text));
    let signed: [&[u8]; 3] = [time.as_bytes(), b".", body];
    matches(signatures.take(MOST).any(|signature| Algorithm::Sha256.verifies(secret, &signed, &signature)))
}
