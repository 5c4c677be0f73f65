//! Twilio signatures: `X-Twilio-Signature` is the base64 HMAC-SHA1 of the URL and, for a form, each
//! name and value, sorted. Other bodies are covered by their SHA-256 in the query parameter
//! `bodySHA256`. There is no timestamp.

use std::{borrow::Cow, collections::BTreeSet};

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

use super::{
    Request, VerifyError,
    mac::{Algorithm, Encoding},
    payload::is_form,
    signed_headers::{matches, signature},
};

const HASH: &str = "bodySHA256";

pub(super) fn verify(secret: &SecretString, request: &Request<'_>) -> Result<(), VerifyError> {
    let signature = signature(request.headers, "x-twilio-signature", "", Encoding::Base64)?;
    let texts = sorted_pairs(request);
    if texts.is_none() && !covers_body(request.url, request.body)? {
        return Err(VerifyError::Mismatch);
    }
    let texts = texts.unwrap_or_default();
    let signed = |url: &str| {
        Algorithm::Sha1.verifies(secret, &[url.as_bytes(), texts.as_bytes()], &signature)
    };
    matches(url_variants(request.url).iter().any(|url| signed(url)))
}

/// The signed data, with the URL as it was requested.
pub(super) fn signed(request: &Request<'_>) -> Vec<u8> {
    [request.url, &sorted_pairs(request).unwrap_or_default()]
        .concat()
        .into_bytes()
}

/// Sorted names and values of a form; `None` if there are none.
fn sorted_pairs(request: &Request<'_>) -> Option<String> {
    // A repeated name with the same value counts once, as in Twilio's own libraries.
    let mut parameters: BTreeSet<(Cow<'_, str>, Cow<'_, str>)> = BTreeSet::new();
    if is_form(request.headers) {
        parameters.extend(form_urlencoded::parse(request.body));
    }
    let texts = parameters
        .iter()
        .flat_map(|(name, value)| [name.as_ref(), value.as_ref()])
        .collect();
    (!parameters.is_empty()).then_some(texts)
}

/// Whether the signed URL contains the hash of the body. Not required without a body.
fn covers_body(url: &str, body: &[u8]) -> Result<bool, VerifyError> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == HASH) {
        Some((_, hash)) => {
            let hash = Encoding::Hex
                .decode(&hash)
                .ok_or(VerifyError::Malformed(HASH))?;
            Ok(hash == Sha256::digest(body).as_slice())
        }
        None => Ok(body.is_empty()),
    }
}

/// The URL as requested, and with the default port removed or added: Twilio signs either, depending
/// on the product.
fn url_variants(url: &str) -> Vec<String> {
    let mut spellings = vec![url.to_owned()];
    if let Some((scheme, rest)) = url.split_once("://") {
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let port = authority.rfind(':').filter(|at| {
            authority[at + 1..]
                .bytes()
                .all(|byte| byte.is_ascii_digit())
        });
        spellings.push(match port {
            Some(at) => format!("{scheme}://{}{path}", &authority[..at]),
            None => format!(
                "{scheme}://{authority}:{}{path}",
                if scheme == "http" { 80 } else { 443 }
            ),
        });
    }
    spellings
}
