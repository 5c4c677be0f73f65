//! Deduplication of inbound requests, and Slack's URL verification.
//!
//! A key must be covered by the signature. An ID that the signature covers (`webhook-id`, IDs in a
//! body) is the key. Without one, a request has two keys: an unsigned ID such as
//! `X-GitHub-Delivery`, and the signed data itself. Either marks a duplicate, so that a captured
//! request can't be replayed with another unsigned ID.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::HeaderMap;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Request, Verification, stripe, twilio, verify::SLACK_TIME};
use crate::json;

/// Headers that identify a delivery, one per sender. Only the one of Standard Webhooks is signed.
const NAMING: [&str; 4] = [
    "webhook-id",
    "x-github-delivery",
    "x-shopify-webhook-id",
    "i-twilio-idempotency-token",
];
/// Maximum length of an ID, in bytes. Longer ones are ignored.
const MAX_ID_BYTES: usize = 255;

impl Verification {
    /// Keys shared by all requests of one delivery: a request is a duplicate if an earlier one had
    /// any of these keys. Each is the name of its source, a colon and the ID, at most 300 bytes.
    /// Call this only after verification.
    pub fn delivery_keys(&self, request: &Request<'_>) -> Vec<String> {
        let header = |name| header_key(request.headers, name);
        let signed_id = match self {
            Self::StandardWebhooks(_) => header("webhook-id"),
            Self::Stripe(_) => {
                read::<Stripe>(request.body).and_then(|event| key("stripe", &event.id))
            }
            Self::Slack(_) => {
                read::<Slack>(request.body).and_then(|event| key("slack", &event.event_id))
            }
            _ => None,
        };
        if let Some(key) = signed_id {
            return vec![key];
        }
        let named = match self {
            Self::Github(_) => header("x-github-delivery"),
            Self::Shopify(_) => header("x-shopify-webhook-id"),
            Self::Twilio(_) => header("i-twilio-idempotency-token"),
            Self::StandardWebhooks(_) | Self::Stripe(_) | Self::Slack(_) => None,
            Self::None | Self::Hmac(_) | Self::Basic { .. } | Self::Header { .. } => {
                NAMING.iter().find_map(|name| header(name))
            }
        };
        let signed = self
            .signed(request)
            .map(|signed| format!("signature:{}", digest(&signed)));
        named
            .or_else(|| header("idempotency-key"))
            .into_iter()
            .chain(signed)
            .collect()
    }

    /// The data covered by the signature of a verified request. Used instead of the signature,
    /// which has several valid spellings.
    fn signed(&self, request: &Request<'_>) -> Option<Vec<u8>> {
        let Request { headers, body, .. } = *request;
        let after =
            |name: &str| Some([headers.get(name)?.as_bytes().trim_ascii(), b":", body].concat());
        match self {
            Self::Github(_) | Self::Shopify(_) | Self::Hmac(_) => Some(body.to_vec()),
            Self::StandardWebhooks(_) => after("webhook-timestamp"),
            Self::Slack(_) => after(SLACK_TIME),
            Self::Stripe(_) => stripe::signed(headers, body).ok(),
            Self::Twilio(_) => Some(twilio::signed(request)),
            Self::None | Self::Basic { .. } | Self::Header { .. } => None,
        }
    }

    /// The plain-text response to Slack's URL verification. Call this only after verification.
    pub fn challenge(&self, body: &[u8]) -> Option<String> {
        let Self::Slack(_) = self else { return None };
        let Challenge { kind, challenge } = read(body)?;
        (kind == "url_verification"
            && challenge.len() <= 1024
            && !challenge.chars().any(char::is_control))
        .then_some(challenge)
    }
}

#[derive(Deserialize)]
struct Stripe {
    id: String,
}

#[derive(Deserialize)]
struct Slack {
    event_id: String,
}

#[derive(Deserialize)]
struct Challenge {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body)
        .or_else(|_| T::deserialize(json::read(body)?))
        .ok()
}

fn digest(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

fn header_key(headers: &HeaderMap, name: &str) -> Option<String> {
    key(name, headers.get(name)?.to_str().ok()?.trim())
}

fn key(source: &str, id: &str) -> Option<String> {
    let fits = (1..=MAX_ID_BYTES).contains(&id.len()) && !id.chars().any(char::is_control);
    fits.then(|| format!("{source}:{id}"))
}
