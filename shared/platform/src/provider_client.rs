//! Sends a message to its provider: one attempt, as for a webhook.

use std::time::Duration;

use domain::{
    attempt::Outcome,
    message::{CompletedAttempt, Message},
    provider::request,
    secrets::{mask, redact::Secrets},
};
use http::Method;
use secrecy::SecretString;

use crate::{
    attempt::{AttemptBuilder, Transport, send_unauthenticated},
    egress::Egress,
    service_client::NotAttempted,
    table::providers::StoredProvider,
};

/// Timeout of a request to a provider.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// The URL for the provider's status reports. None if it has no callback. `public_url` is the
/// deployment's public base URL.
pub fn callback_url(public_url: &str, stored: &StoredProvider) -> Option<String> {
    stored
        .key
        .as_ref()
        .map(|key| format!("{public_url}/in/{}", key.expose()))
}

/// The secrets to mask in text from the provider.
pub fn secrets(stored: &StoredProvider) -> Secrets {
    let mut secrets = Secrets::default();
    // Anyone who knows the callback URL can report.
    stored.key.iter().for_each(|key| secrets.add(key.expose()));
    secrets.extend(&stored.provider.secrets());
    secrets
}

/// Sends `message` to the provider within `timeout`. Returns the attempt whatever its outcome, and
/// writes nothing.
pub async fn send(
    egress: &Egress,
    stored: &StoredProvider,
    public_url: &str,
    message: &Message,
    number: u32,
    timeout: Duration,
) -> Result<CompletedAttempt, NotAttempted> {
    let provider = &stored.provider;
    let callback_url = callback_url(public_url, stored);
    let method = provider
        .settings
        .request
        .as_ref()
        .map_or(Method::POST, |request| request.method.clone());
    let mut builder = AttemptBuilder::new(number, &method);
    builder.attempt.request.url = mask::url(provider.settings.send_url.as_str());
    let request = request::build(
        provider,
        message,
        callback_url.as_deref(),
        builder.attempt.at,
    );
    let request = request.map_err(|error| {
        builder.attempt.missing_tags =
            request::missing(provider, message, callback_url.as_deref()).into();
        error.to_string()
    });
    let transport = Transport {
        call: async |call| send_unauthenticated(egress, call).await,
        accepts: |code| (200..300).contains(&code),
        success_when: provider.settings.response.success_when.as_ref(),
        secrets: |_: Option<&SecretString>| secrets(stored),
    };
    let (attempt, outcome, response) = builder.send(request, timeout, transport).await?;
    let provider_message_id = response
        .filter(|response| response.status.is_success() && !response.truncated)
        .and_then(|response| {
            provider
                .settings
                .response
                .id(&response.headers, &response.body)
        });
    Ok(CompletedAttempt {
        attempt,
        outcome,
        provider_message_id,
    })
}

/// The attempt of a message that can't be sent any more.
pub fn unmade(number: u32, reason: &str) -> CompletedAttempt {
    let outcome = Outcome::Blocked {
        reason: reason.to_owned(),
    };
    let attempt = AttemptBuilder::new(number, &Method::POST).finish(&outcome);
    CompletedAttempt {
        attempt,
        outcome,
        provider_message_id: None,
    }
}
