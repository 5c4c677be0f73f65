//! Making one attempt: build the request, send it through the guarded client, tell what came of it.

use std::time::{Duration, Instant};

use domain::{
    delivery::{Attempt, Failure, Outcome, attempt::Requested},
    event::Event,
    id::ServiceId,
    redact::redact,
    retry::parse_retry_after,
    service::Connection,
    webhook::{Webhook, request},
};
use http::{HeaderName, header::RETRY_AFTER};
use secrecy::SecretString;

use crate::{
    clock,
    connected::{self, Answered, ConnectError},
    egress::{Answer, Call, CallError, WEBHOOK_ANSWER_LIMIT},
    keyring::Keys,
    oauth::Tokens,
    table::{Table, TableError},
};

/// A webhook with what it takes to call it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The webhook.
    pub webhook: Webhook,
    /// The connected service that it sends to, if it does.
    pub connection: Option<Connection>,
}

impl Endpoint {
    /// The webhook with its service, which is read where there is one.
    pub async fn of(webhook: Webhook, table: &Table, keys: &Keys) -> Result<Self, TableError> {
        let connection = match webhook.settings.destination.service() {
            // It can't be deleted while a webhook sends to it: where it is gone, the webhook has changed since it was read.
            Some(id) => Some(table.connection(id, keys).await?.ok_or_else(|| gone(id))?),
            None => None,
        };
        Ok(Self { webhook, connection })
    }

    /// The URL of the service, where it sends to one.
    pub fn server(&self) -> Option<&url::Url> {
        self.connection.as_ref().map(|connection| &connection.service.settings.server_url)
    }

    /// The header that the service's account sets.
    fn authenticating(&self) -> Option<HeaderName> {
        self.connection.as_ref()?.account.settings.authorization.header_name()
    }

    /// `text` without what an echo tells of the webhook's secrets, or of the service's account.
    fn redact(&self, text: &str, token: Option<&SecretString>) -> String {
        let mut secrets = self.webhook.secrets();
        secrets.extend(self.connection.iter().flat_map(|connection| connection.secrets(token)));
        redact(text, &secrets)
    }
}

fn gone(service: ServiceId) -> TableError {
    TableError::Document(format!("{service} is not there"))
}

/// Sends `event` to `endpoint` now, for at most `timeout`. Whatever happens is told, and nothing is written but an access
/// token. An error is one of the table's: nothing was sent for sure, or without effect.
pub async fn make(
    tokens: Tokens<'_>,
    endpoint: &Endpoint,
    event: &Event,
    number: u32,
    timeout: Duration,
) -> Result<(Attempt, Outcome), TableError> {
    let webhook = &endpoint.webhook;
    let at = clock::now();
    let started = Instant::now();
    let mut attempt = Attempt {
        number,
        at,
        duration_ms: 0,
        status_code: None,
        error: None,
        request: Requested { method: webhook.settings.method.to_string(), url: String::new() },
        response_body: None,
        missing_tags: Vec::new(),
    };
    let address = webhook.settings.destination.address(endpoint.server());
    let request = address.map_err(|error| error.to_string()).and_then(|address| {
        attempt.request.url = endpoint.redact(&domain::mask::url(address.as_str()), None);
        let request = request::build(webhook, &address, event, at).map_err(|unfit| unfit.to_string())?;
        match endpoint.authenticating().filter(|name| request.headers.contains_key(name)) {
            Some(name) => Err(format!("the header {name} is the webhook's and the account's: only one can be sent")),
            None => Ok(request),
        }
    });
    let outcome = match request {
        Err(reason) => Outcome::Blocked { reason },
        Ok(request) => {
            attempt.request.url = request.shown_url;
            attempt.missing_tags = request.missing.into();
            let call = Call {
                method: request.method,
                url: request.url,
                headers: request.headers,
                body: request.body.map(String::into_bytes),
                timeout,
                limit: WEBHOOK_ANSWER_LIMIT,
            };
            let answered = if let Some(connection) = &endpoint.connection {
                connected::call(tokens, &connection.account, call).await
            } else {
                let answer = tokens.egress.call(call).await;
                answer.map(|answer| Answered { answer, token: None }).map_err(ConnectError::from)
            };
            if let Ok(Answered { answer, token }) = &answered {
                attempt.response_body = Some(body_text(endpoint, answer, token.as_ref()));
            }
            judge(webhook, answered)?
        }
    };
    attempt.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    attempt.status_code = outcome.status_code();
    attempt.error = outcome.error().map(|error| endpoint.redact(&error, None));
    Ok((attempt, outcome))
}

/// How long a webhook's attempt may take.
pub fn timeout(webhook: &Webhook) -> Duration {
    Duration::from_secs(webhook.settings.timeout_seconds.into())
}

fn judge(webhook: &Webhook, answered: Result<Answered, ConnectError>) -> Result<Outcome, TableError> {
    Ok(match answered {
        Ok(Answered { answer, .. }) => {
            let code = answer.status.as_u16();
            if webhook.settings.success.accepts(code) {
                return Ok(Outcome::Delivered { code });
            }
            let wait = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry_after = wait.and_then(|text| parse_retry_after(text, clock::now()));
            Outcome::Failed(Failure::Status { code, retry_after })
        }
        Err(ConnectError::Call(CallError::Blocked(why))) => Outcome::Blocked { reason: why.to_string() },
        Err(ConnectError::Call(CallError::Timeout)) => Outcome::Failed(Failure::Timeout),
        Err(ConnectError::Call(CallError::Unreachable(why))) => Outcome::Failed(Failure::Unreachable(why.to_string())),
        Err(ConnectError::NoToken(why)) => Outcome::Failed(Failure::Unauthorized(why)),
        Err(ConnectError::Table(error)) => return Err(error),
    })
}

/// The answer's body as it is kept: text, without what it echoes of secrets.
fn body_text(endpoint: &Endpoint, answer: &Answer, token: Option<&SecretString>) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    // The cut may have gone through a character; what is left of it is no text.
    let text = if answer.truncated { text.trim_end_matches(char::REPLACEMENT_CHARACTER) } else { &text };
    endpoint.redact(text, token)
}
