//! Which deliveries are the same one, and Slack's question whether a URL is there.
//!
//! A key is only as good as what the scheme signs: `webhook-id` and the ids in a body are covered by the signature, the
//! other headers are not. Whoever captured a signed call and changes such a header can have it published again, where the
//! scheme's time window allows; without a signed call nobody gets as far as a key.

use http::HeaderMap;
use serde::Deserialize;

use super::Verification;

/// Headers that name a delivery, each by its scheme.
const NAMING: [&str; 4] = ["webhook-id", "x-github-delivery", "x-shopify-webhook-id", "i-twilio-idempotency-token"];
/// The longest id, in bytes. A longer one is taken for none.
const MOST: usize = 255;

impl Verification {
    /// What repetitions of one delivery have in common, if anything: the name of its source and, after a colon, the id. At
    /// most 300 bytes. To be asked after the call is verified.
    pub fn delivery_key(&self, headers: &HeaderMap, body: &[u8]) -> Option<String> {
        let header = |name: &'static str| {
            let id = headers.get(name)?.to_str().ok()?.trim();
            key(name, id)
        };
        let own = match self {
            Self::StandardWebhooks(_) => header("webhook-id"),
            Self::Github(_) => header("x-github-delivery"),
            Self::Shopify(_) => header("x-shopify-webhook-id"),
            Self::Twilio(_) => header("i-twilio-idempotency-token"),
            Self::Stripe(_) => read::<Stripe>(body).and_then(|event| key("stripe", &event.id)),
            Self::Slack(_) => read::<Slack>(body).and_then(|event| key("slack", &event.event_id)),
            Self::None | Self::Hmac(_) | Self::Basic { .. } | Self::Header { .. } => {
                NAMING.iter().find_map(|name| header(name))
            }
        };
        own.or_else(|| header("idempotency-key"))
    }

    /// What to answer, as plain text, when Slack asks whether this is the right URL. To be asked after the call is verified.
    pub fn challenge(&self, body: &[u8]) -> Option<String> {
        let Self::Slack(_) = self else { return None };
        let Challenge { kind, challenge } = read(body)?;
        (kind == "url_verification" && challenge.len() <= 1024 && !challenge.chars().any(char::is_control))
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

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

fn key(source: &str, id: &str) -> Option<String> {
    let fits = (1..=MOST).contains(&id.len()) && !id.chars().any(char::is_control);
    fits.then(|| format!("{source}:{id}"))
}
