//! Makes one attempt: builds the request, sends it through the egress client and records the
//! outcome.

mod response_text;

use std::{sync::Arc, time::Duration};

use domain::{
    attempt::{Attempt, Failure, Outcome, Requested},
    event::EventText,
    id::ServiceId,
    outgoing::Request,
    retry::parse_retry_after,
    secrets::redact::{Redactor, Secrets},
    service::Connection,
    success::SuccessWhen,
    webhook::{Webhook, request},
};
use http::{HeaderName, Method, header::RETRY_AFTER};
use secrecy::SecretString;
use tokio::time::Instant;

use self::response_text::redacted;
use crate::{
    clock,
    egress::{Egress, EgressError, EgressRequest, EgressResponse, MAX_WEBHOOK_RESPONSE_BYTES},
    keyring::KeyringCache,
    oauth::Tokens,
    service_client::{self, Authorized, ConnectError, NotAttempted},
    table::{Table, TableError},
};

/// A webhook with everything that its requests need.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The webhook, with its secrets.
    pub webhook: Arc<Webhook>,
    /// The connected service that receives the requests. None if the webhook has a URL.
    pub connection: Option<Connection>,
}

impl Endpoint {
    /// Loads the webhook's service, if it has one.
    pub async fn of(
        webhook: impl Into<Arc<Webhook>>,
        table: &Table,
        keys: &KeyringCache,
    ) -> Result<Self, TableError> {
        let webhook = webhook.into();
        let connection = match webhook.settings.destination.service() {
            // A service can't be deleted while a webhook uses it. If it is missing, the webhook has
            // changed since it was read.
            Some(id) => Some(table.connection(id, keys).await?.ok_or_else(|| gone(id))?),
            None => None,
        };
        Ok(Self {
            webhook,
            connection,
        })
    }

    /// Base URL of the service. None if the webhook has a URL of its own.
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

    /// The secrets that a request may have carried: those of the webhook, the service and its
    /// account, and `token`.
    fn secrets(&self, token: Option<&SecretString>) -> Secrets {
        let connection = self.connection.as_ref();
        let mut secrets = connection
            .map(|connection| connection.secrets(token))
            .unwrap_or_default();
        secrets.extend(&self.webhook.secrets());
        secrets
    }
}

fn gone(service: ServiceId) -> TableError {
    TableError::Document(format!("{service} does not exist"))
}

/// Sends `event` to `endpoint` within `timeout`. Calls `ready` right before connecting, with the
/// time that the request may take, and sends nothing if that returns an error. Returns the attempt
/// whatever its outcome. Writes nothing but access tokens.
pub async fn make(
    tokens: Tokens<'_>,
    endpoint: &Endpoint,
    event: &EventText,
    number: u32,
    timeout: Duration,
    ready: impl AsyncFn(Duration) -> Result<(), NotAttempted>,
) -> Result<(Attempt, Outcome), NotAttempted> {
    let webhook = &endpoint.webhook;
    let mut builder = AttemptBuilder::new(number, &webhook.settings.method);
    let address = webhook.settings.destination.address(endpoint.server());
    let request = address
        .map_err(|error| error.to_string())
        .and_then(|address| {
            builder.attempt.request.url = domain::secrets::mask::url(address.as_str());
            // Parsed here, where nothing is awaited: a batch never has two parsed events.
            let event = event
                .parse()
                .map_err(|_| "the event's data is not JSON".to_owned())?;
            let request =
                request::build(webhook, &address, &event, builder.attempt.at).map_err(|unfit| {
                    builder.attempt.missing_tags =
                        request::missing(webhook, &address, &event).into();
                    unfit.to_string()
                })?;
            match endpoint
                .authenticating()
                .filter(|name| request.headers.contains_key(name))
            {
                Some(name) => Err(format!(
                    "the header {name} is set by both the webhook and the account"
                )),
                None => Ok(request),
            }
        });
    let transport = Transport {
        call: async |call| {
            if let Some(connection) = &endpoint.connection {
                service_client::call_if(tokens, &connection.account, call, ready).await
            } else {
                ready(call.timeout).await?;
                send_unauthenticated(tokens.egress, call).await
            }
        },
        accepts: |code| webhook.settings.success.accepts(code),
        success_when: webhook.settings.success_when.as_ref(),
        secrets: |token: Option<&SecretString>| endpoint.secrets(token),
    };
    let (attempt, outcome, _) = builder.send(request, timeout, transport).await?;
    Ok((attempt, outcome))
}

/// Sends a request without an account's authorization.
pub(crate) async fn send_unauthenticated(
    egress: &Egress,
    call: EgressRequest,
) -> Result<Authorized, ConnectError> {
    let response = egress.call(call).await;
    response
        .map(|response| Authorized {
            response,
            token: None,
        })
        .map_err(ConnectError::from)
}

/// How an attempt is sent and judged.
pub(crate) struct Transport<'a, C, A, S> {
    /// Sends the request.
    pub(crate) call: C,
    /// Returns whether a status code is a success.
    pub(crate) accepts: A,
    /// What a success must report.
    pub(crate) success_when: Option<&'a SuccessWhen>,
    /// Returns the secrets to mask in the response, including the token that the request carried.
    pub(crate) secrets: S,
}

/// A response, and what masks the secrets that its request may have carried.
type Response = (EgressResponse, Redactor);

/// An attempt in progress.
pub(crate) struct AttemptBuilder {
    /// The record so far.
    pub(crate) attempt: Attempt,
    started: Instant,
}

impl AttemptBuilder {
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

    /// Sends the request, or records why there is none. Returns the response, if there was one, and
    /// what masks the secrets of its request.
    pub(crate) async fn send(
        mut self,
        request: Result<Request, String>,
        timeout: Duration,
        transport: Transport<
            '_,
            impl AsyncFnOnce(EgressRequest) -> Result<Authorized, ConnectError>,
            impl Fn(u16) -> bool,
            impl Fn(Option<&SecretString>) -> Secrets,
        >,
    ) -> Result<(Attempt, Outcome, Option<Response>), NotAttempted> {
        match request {
            Err(reason) => {
                let outcome = Outcome::Blocked { reason };
                Ok((self.finish(&outcome), outcome, None))
            }
            Ok(request) => {
                self.attempt.request.url = cut(request.shown_url);
                self.attempt.missing_tags = request.missing.into();
                let call = EgressRequest {
                    method: request.method,
                    url: request.url,
                    headers: request.headers,
                    body: request.body.map(String::into_bytes),
                    timeout,
                    limit: if transport.success_when.is_some() {
                        MAX_JUDGED_BYTES
                    } else {
                        MAX_WEBHOOK_RESPONSE_BYTES
                    },
                };
                let result = match (transport.call)(call).await {
                    Err(ConnectError::Table(error)) => return Err(error.into()),
                    Err(ConnectError::NotAttempted(unsent)) => return Err(unsent),
                    result => result.map(|Authorized { response, token }| {
                        let secrets = (transport.secrets)(token.as_ref());
                        (response, Redactor::new(secrets))
                    }),
                };
                let outcome = outcome_of(&result, &transport.accepts, transport.success_when);
                let mut attempt = self.finish(&outcome);
                if let Ok((response, redactor)) = &result {
                    attempt.response_body = Some(redacted(response, redactor).await);
                }
                Ok((attempt, outcome, result.ok()))
            }
        }
    }

    /// Completes the record.
    pub(crate) fn finish(self, outcome: &Outcome) -> Attempt {
        Attempt {
            duration_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            status_code: outcome.status_code(),
            error: outcome.error(),
            ..self.attempt
        }
    }
}

/// Maximum size in bytes of a response that is read to judge whether it reports success.
const MAX_JUDGED_BYTES: usize = 1 << 20;
/// Maximum length in bytes of a recorded URL.
const MAX_URL_BYTES: usize = 8 * 1024;

fn cut(mut url: String) -> String {
    url.truncate(url.floor_char_boundary(MAX_URL_BYTES));
    url
}

/// Maximum duration of a webhook's attempt.
pub fn timeout(webhook: &Webhook) -> Duration {
    Duration::from_secs(webhook.settings.timeout_seconds.into())
}

fn outcome_of(
    result: &Result<Response, ConnectError>,
    accepts: impl Fn(u16) -> bool,
    success_when: Option<&SuccessWhen>,
) -> Outcome {
    let reports_success = |response: &EgressResponse, redactor: &Redactor| {
        let (status, headers) = (response.status.as_u16(), &response.headers);
        success_when.is_none_or(|when| when.is_met(status, headers, &response.body, redactor))
    };
    match result {
        Ok((response, redactor)) => {
            let code = response.status.as_u16();
            match response.incomplete {
                None if accepts(code) && reports_success(response, redactor) => {
                    Outcome::Delivered { code }
                }
                None if accepts(code) => Outcome::Failed(Failure::Unreported { code }),
                Some(error) if accepts(code) => Outcome::Failed(Failure::Incomplete {
                    code,
                    cause: Box::new(failure(error)),
                }),
                _ => {
                    let wait = response
                        .headers
                        .get(RETRY_AFTER)
                        .and_then(|value| value.to_str().ok());
                    let retry_after = wait.and_then(|text| parse_retry_after(text, clock::now()));
                    Outcome::Failed(Failure::Status { code, retry_after })
                }
            }
        }
        Err(ConnectError::Egress(EgressError::Blocked(why))) => Outcome::Blocked {
            reason: why.to_string(),
        },
        Err(ConnectError::Egress(error)) => Outcome::Failed(failure(*error)),
        Err(ConnectError::NoToken(why)) => Outcome::Failed(Failure::Unauthorized(why.clone())),
        Err(error @ (ConnectError::Table(_) | ConnectError::NotAttempted(_))) => {
            Outcome::Failed(Failure::Unreachable(error.to_string()))
        }
    }
}

fn failure(error: EgressError) -> Failure {
    match error {
        EgressError::Timeout => Failure::Timeout,
        EgressError::Unreachable(why) => Failure::Unreachable(why.to_string()),
        EgressError::Blocked(why) => Failure::Unreachable(why.to_string()),
    }
}

#[cfg(test)]
mod tests;
