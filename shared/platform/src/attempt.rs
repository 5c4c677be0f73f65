//! Making one attempt: build the request, send it through the guarded client, tell what came of it.

use std::time::Duration;

use domain::{
    delivery::{Attempt, Failure, Outcome, attempt::Requested},
    event::Event,
    id::ServiceId,
    redact::{Redactor, Secrets},
    retry::parse_retry_after,
    service::Connection,
    webhook::{
        Webhook,
        request::{self, Request},
    },
};
use http::{HeaderName, Method, header::RETRY_AFTER};
use secrecy::SecretString;
use tokio::time::Instant;

use crate::{
    clock,
    connected::{self, Answered, ConnectError},
    egress::{Answer, Call, CallError, Egress, WEBHOOK_ANSWER_LIMIT},
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
            // It can't be deleted while a webhook sends to it: where it is gone, the webhook has
            // changed since it was read.
            Some(id) => Some(table.connection(id, keys).await?.ok_or_else(|| gone(id))?),
            None => None,
        };
        Ok(Self {
            webhook,
            connection,
        })
    }

    /// The URL of the service, where it sends to one.
    pub fn server(&self) -> Option<&url::Url> {
        self.connection
            .as_ref()
            .map(|connection| &connection.service.settings.server_url)
    }

    /// The header that the service's account sets.
    fn authenticating(&self) -> Option<HeaderName> {
        self.connection
            .as_ref()?
            .account
            .settings
            .authorization
            .header_name()
    }

    /// The secrets that a call may have carried: the service's and its account's, `token` among
    /// them, and the webhook's.
    fn secrets(&self, token: Option<&SecretString>) -> Secrets {
        let connection = self.connection.as_ref();
        let mut secrets = connection
            .map(|connection| connection.secrets(token))
            .unwrap_or_default();
        secrets.extend(&self.webhook.secrets());
        secrets
    }
}

/// Why an attempt was not made. Nothing was sent, or nothing that has an effect.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// The webhook was deleted or disabled meanwhile.
    #[error("the webhook was stopped")]
    Stopped,
    /// The invocation ends before the call would have to.
    #[error("the invocation leaves no time for it")]
    NoTime,
    /// The table failed.
    #[error(transparent)]
    Table(#[from] TableError),
}

fn gone(service: ServiceId) -> TableError {
    TableError::Document(format!("{service} is not there"))
}

/// Sends `event` to `endpoint` now, for at most `timeout`, if `ready` allows it right before the
/// endpoint is dialled; that is asked with the time that the call may take. Returns whatever
/// happened, and writes nothing but an access token.
pub async fn make(
    tokens: Tokens<'_>,
    endpoint: &Endpoint,
    event: &Event,
    number: u32,
    timeout: Duration,
    ready: impl AsyncFn(Duration) -> Result<(), Unsent>,
) -> Result<(Attempt, Outcome), Unsent> {
    let webhook = &endpoint.webhook;
    let mut begun = Begun::new(number, &webhook.settings.method);
    let address = webhook.settings.destination.address(endpoint.server());
    let request = address
        .map_err(|error| error.to_string())
        .and_then(|address| {
            begun.attempt.request.url = domain::mask::url(address.as_str());
            let request =
                request::build(webhook, &address, event, begun.attempt.at).map_err(|unfit| {
                    begun.attempt.missing_tags = request::missing(webhook, &address, event).into();
                    unfit.to_string()
                })?;
            match endpoint
                .authenticating()
                .filter(|name| request.headers.contains_key(name))
            {
                Some(name) => Err(format!(
                    "the header {name} is the webhook's and the account's: only one can be sent"
                )),
                None => Ok(request),
            }
        });
    let exchange = Exchange {
        call: async |call| {
            if let Some(connection) = &endpoint.connection {
                connected::call_if(tokens, &connection.account, call, ready).await
            } else {
                ready(call.timeout).await?;
                plainly(tokens.egress, call).await
            }
        },
        accepts: |code| webhook.settings.success.accepts(code),
        secrets: |token: Option<&SecretString>| endpoint.secrets(token),
    };
    let (attempt, outcome, _) = begun.end(request, timeout, exchange).await?;
    Ok((attempt, outcome))
}

/// Calls without any account's authorization.
pub(crate) async fn plainly(egress: &Egress, call: Call) -> Result<Answered, ConnectError> {
    let answer = egress.call(call).await;
    answer
        .map(|answer| Answered {
            answer,
            token: None,
        })
        .map_err(ConnectError::from)
}

/// What differs between those who are called.
pub(crate) struct Exchange<C, A, S> {
    /// Makes the call.
    pub(crate) call: C,
    /// Whether a status is a success.
    pub(crate) accepts: A,
    /// The secrets to mask in the answer, the token that the call carried among them.
    pub(crate) secrets: S,
}

/// An attempt under way.
pub(crate) struct Begun {
    /// What is on record of it so far.
    pub(crate) attempt: Attempt,
    started: Instant,
}

impl Begun {
    pub(crate) fn new(number: u32, method: &Method) -> Self {
        let attempt = Attempt {
            number,
            at: clock::now(),
            duration_ms: 0,
            status_code: None,
            error: None,
            request: Requested {
                method: method.to_string(),
                url: String::new(),
            },
            response_body: None,
            missing_tags: Vec::new(),
        };
        Self {
            attempt,
            started: Instant::now(),
        }
    }

    /// Sends the request, or tells why there is none. The answer comes back where there was one.
    pub(crate) async fn end(
        mut self,
        request: Result<Request, String>,
        timeout: Duration,
        exchange: Exchange<
            impl AsyncFnOnce(Call) -> Result<Answered, ConnectError>,
            impl Fn(u16) -> bool,
            impl Fn(Option<&SecretString>) -> Secrets,
        >,
    ) -> Result<(Attempt, Outcome, Option<Answer>), Unsent> {
        match request {
            Err(reason) => {
                let outcome = Outcome::Blocked { reason };
                Ok((self.ended(&outcome), outcome, None))
            }
            Ok(request) => {
                self.attempt.request.url = cut(request.shown_url);
                self.attempt.missing_tags = request.missing.into();
                let call = Call {
                    method: request.method,
                    url: request.url,
                    headers: request.headers,
                    body: request.body.map(String::into_bytes),
                    timeout,
                    limit: WEBHOOK_ANSWER_LIMIT,
                };
                let answered = match (exchange.call)(call).await {
                    Err(ConnectError::Table(error)) => return Err(error.into()),
                    Err(ConnectError::Unsent(unsent)) => return Err(unsent),
                    answered => answered,
                };
                let outcome = judge(&answered, &exchange.accepts);
                let mut attempt = self.ended(&outcome);
                if let Ok(Answered { answer, token }) = &answered {
                    let secrets = (exchange.secrets)(token.as_ref());
                    attempt.response_body = Some(redacted(Text::of(answer), secrets).await);
                }
                Ok((
                    attempt,
                    outcome,
                    answered.ok().map(|Answered { answer, .. }| answer),
                ))
            }
        }
    }

    /// The record of it once it has ended.
    pub(crate) fn ended(self, outcome: &Outcome) -> Attempt {
        Attempt {
            duration_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            status_code: outcome.status_code(),
            error: outcome.error(),
            ..self.attempt
        }
    }
}

/// The most bytes of an address that are kept.
const MOST_URL: usize = 8 * 1024;

fn cut(mut url: String) -> String {
    url.truncate(url.floor_char_boundary(MOST_URL));
    url
}

/// How long a webhook's attempt may take.
pub fn timeout(webhook: &Webhook) -> Duration {
    Duration::from_secs(webhook.settings.timeout_seconds.into())
}

fn judge(answered: &Result<Answered, ConnectError>, accepts: impl Fn(u16) -> bool) -> Outcome {
    match answered {
        Ok(Answered { answer, .. }) => {
            let code = answer.status.as_u16();
            match answer.incomplete {
                None if accepts(code) => Outcome::Delivered { code },
                Some(error) if accepts(code) => Outcome::Failed(Failure::Incomplete {
                    code,
                    cause: Box::new(failure(error)),
                }),
                _ => {
                    let wait = answer
                        .headers
                        .get(RETRY_AFTER)
                        .and_then(|value| value.to_str().ok());
                    let retry_after = wait.and_then(|text| parse_retry_after(text, clock::now()));
                    Outcome::Failed(Failure::Status { code, retry_after })
                }
            }
        }
        Err(ConnectError::Call(CallError::Blocked(why))) => Outcome::Blocked {
            reason: why.to_string(),
        },
        Err(ConnectError::Call(error)) => Outcome::Failed(failure(*error)),
        Err(ConnectError::NoToken(why)) => Outcome::Failed(Failure::Unauthorized(why.clone())),
        Err(error @ (ConnectError::Table(_) | ConnectError::Unsent(_))) => {
            Outcome::Failed(Failure::Unreachable(error.to_string()))
        }
    }
}

fn failure(error: CallError) -> Failure {
    match error {
        CallError::Timeout => Failure::Timeout,
        CallError::Unreachable(why) => Failure::Unreachable(why.to_string()),
        CallError::Blocked(why) => Failure::Unreachable(why.to_string()),
    }
}

/// An answer's body as text.
struct Text {
    text: String,
    /// Whether the answer has more text than this.
    cut: bool,
}

impl Text {
    /// At most as many bytes as are read of a body: bytes that are not UTF-8 take more room once
    /// they are replaced.
    fn of(answer: &Answer) -> Self {
        let text = String::from_utf8_lossy(&answer.body);
        // The cut may have gone through a character, whose first bytes are no text.
        let cut = answer.truncated || answer.incomplete.is_some();
        let text = if cut {
            text.trim_end_matches(char::REPLACEMENT_CHARACTER)
        } else {
            &text
        };
        let end = text.floor_char_boundary(WEBHOOK_ANSWER_LIMIT);
        Self {
            text: text[..end].to_owned(),
            cut: cut || end < text.len(),
        }
    }
}

/// The text with secrets masked. A search is bounded (see [`domain::redact`]), and lets the other
/// calls of the batch go on before it begins.
async fn redacted(Text { text, cut }: Text, secrets: Secrets) -> String {
    if text.is_empty() {
        return text;
    }
    tokio::task::yield_now().await;
    let redactor = Redactor::new(secrets);
    if cut {
        redactor.cut(&text)
    } else {
        redactor.whole(&text)
    }
}
