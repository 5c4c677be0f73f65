//! Handing a message to its provider: one attempt, like a webhook's.

use std::time::Duration;

use domain::{
    delivery::Outcome,
    mask,
    message::{Made, Message},
    provider::request,
    redact::Secrets,
};
use http::Method;
use secrecy::SecretString;

use crate::{
    attempt::{Begun, Exchange, Unsent, plainly},
    egress::Egress,
    table::providers::Stored,
};

/// How long a provider may take.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// Where a provider reports to; none where it does not. `public_url` is how the outside addresses
/// us.
pub fn callback_url(public_url: &str, stored: &Stored) -> Option<String> {
    stored
        .key
        .as_ref()
        .map(|key| format!("{public_url}/in/{}", key.expose()))
}

/// The secrets to mask in text that comes from the provider.
pub fn secrets(stored: &Stored) -> Secrets {
    let mut secrets = Secrets::default();
    // Whoever knows the callback URL can report.
    stored.key.iter().for_each(|key| secrets.add(key.expose()));
    secrets.extend(&stored.provider.secrets());
    secrets
}

/// Hands `message` to the provider now, for at most `timeout`. Whatever happens is told, and
/// nothing is written.
pub async fn send(
    egress: &Egress,
    stored: &Stored,
    public_url: &str,
    message: &Message,
    number: u32,
    timeout: Duration,
) -> Result<Made, Unsent> {
    let provider = &stored.provider;
    let callback_url = callback_url(public_url, stored);
    let method = provider
        .settings
        .request
        .as_ref()
        .map_or(Method::POST, |request| request.method.clone());
    let mut begun = Begun::new(number, &method);
    begun.attempt.request.url = mask::url(provider.settings.send_url.as_str());
    let request = request::build(provider, message, callback_url.as_deref(), begun.attempt.at);
    let request = request.map_err(|error| {
        begun.attempt.missing_tags =
            request::missing(provider, message, callback_url.as_deref()).into();
        error.to_string()
    });
    let exchange = Exchange {
        call: async |call| plainly(egress, call).await,
        accepts: |code| (200..300).contains(&code),
        secrets: |_: Option<&SecretString>| secrets(stored),
    };
    let (attempt, outcome, answer) = begun.end(request, timeout, exchange).await?;
    let provider_message_id = answer
        .filter(|answer| answer.status.is_success() && !answer.truncated)
        .and_then(|answer| provider.settings.answered_id(&answer.body));
    Ok(Made {
        attempt,
        outcome,
        provider_message_id,
    })
}

/// The attempt of a message that can't be sent any more.
pub fn unmade(number: u32, reason: &str) -> Made {
    let outcome = Outcome::Blocked {
        reason: reason.to_owned(),
    };
    let attempt = Begun::new(number, &Method::POST).ended(&outcome);
    Made {
        attempt,
        outcome,
        provider_message_id: None,
    }
}
