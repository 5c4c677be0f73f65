//! Sends a message to its provider: one attempt, as for a webhook. A provider may use an account's
//! authorization, as connected services do.

use std::time::Duration;

use domain::{
    account::Account,
    attempt::Outcome,
    message::{CompletedAttempt, Message},
    provider::request,
    secrets::{mask, redact::Secrets},
};
use http::Method;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    attempt::{AttemptBuilder, Transport, send_unauthenticated},
    keyring::KeyringCache,
    oauth::Tokens,
    service_client::{self, NotAttempted},
    table::{Table, TableError, providers::StoredProvider},
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
    stored.secrets()
}

/// A provider with everything that its requests need.
#[derive(Debug)]
pub struct Connection<'a> {
    stored: &'a StoredProvider,
    /// The account that authenticates requests, if one does.
    account: Option<Account>,
}

impl<'a> Connection<'a> {
    /// Loads the provider's account, if it has one.
    ///
    /// # Errors
    ///
    /// If the table fails, or the provider has changed since it was read.
    pub async fn of(
        stored: &'a StoredProvider,
        table: &Table,
        keys: &KeyringCache,
    ) -> Result<Self, TableError> {
        let account = match stored.provider.settings.auth.account() {
            // An account in use can't be deleted. If it is missing, the provider has been assigned
            // another one.
            Some(id) => {
                let used = table.account(id, keys).await?;
                let gone = || TableError::Document(format!("{id} does not exist"));
                Some(used.ok_or_else(gone)?.account)
            }
            None => None,
        };
        Ok(Self { stored, account })
    }

    /// The secrets that a request may have carried. `token` is its access token.
    fn secrets(&self, token: Option<&SecretString>) -> Secrets {
        let mut found = Secrets::default();
        if let Some(token) = token {
            found.add(token.expose_secret());
        }
        if let Some(account) = &self.account {
            found.extend(&account.settings.authorization.secrets());
        }
        found.extend(&secrets(self.stored));
        found
    }
}

/// Sends `message` to the provider within [`TIMEOUT`]. Calls `ready` right before connecting, with
/// the time that the request may take, and sends nothing if that returns an error. Returns the
/// attempt whatever its outcome. Writes nothing but access tokens.
pub async fn send(
    tokens: Tokens<'_>,
    connection: &Connection<'_>,
    public_url: &str,
    message: &Message,
    number: u32,
    ready: impl AsyncFn(Duration) -> Result<(), NotAttempted>,
) -> Result<CompletedAttempt, NotAttempted> {
    let Connection { stored, account } = connection;
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
    let header = account
        .as_ref()
        .and_then(|account| account.settings.authorization.header_name());
    let request = request.and_then(|request| match header {
        Some(name) if request.headers.contains_key(&name) => Err(format!(
            "the header {name} is set by both the provider and its account"
        )),
        _ => Ok(request),
    });
    let transport = Transport {
        call: async |call| {
            if let Some(account) = account {
                service_client::call_if(tokens, account, call, ready).await
            } else {
                ready(call.timeout).await?;
                send_unauthenticated(tokens.egress, call).await
            }
        },
        accepts: |code| (200..300).contains(&code),
        success_when: provider.settings.response.success_when.as_ref(),
        secrets: |token: Option<&SecretString>| connection.secrets(token),
    };
    let (attempt, outcome, response) = builder.send(request, TIMEOUT, transport).await?;
    let provider_message_id = response
        .filter(|(response, _)| response.status.is_success() && !response.truncated)
        .and_then(|(response, redactor)| {
            let settings = &provider.settings.response;
            let id = settings.id(&response.headers, &response.body)?;
            // Stored, shown and published, so it must not be a secret that the provider returns.
            if redactor.finds_any(&id) {
                tracing::warn!(message = %message.id, provider = %provider.id, "message ID ignored: it contains a secret");
                return None;
            }
            Some(id)
        });
    Ok(CompletedAttempt {
        attempt,
        outcome,
        provider_message_id,
    })
}

/// The attempt of a message that can't be sent any more.
pub fn blocked(number: u32, reason: &str) -> CompletedAttempt {
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
