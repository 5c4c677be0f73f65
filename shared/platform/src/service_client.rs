//! Sends requests with an account's authorization, to connected services and for webhooks that send
//! to one.
//!
//! An OAuth 2.0 token is fetched if none is cached, and once more if the service returns 401.
//! Everything stays within the request's timeout.

use std::time::{Duration, Instant};

use domain::{
    account::{Account, Authorization},
    delivery::Cancellation,
};
use http::{HeaderName, HeaderValue, StatusCode, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    egress::{Egress, EgressError, EgressRequest, EgressResponse},
    oauth::{OAuthError, Tokens},
    table::TableError,
};

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The request to the service failed.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The authorization server issued no token. The text contains no secrets.
    #[error("{0}")]
    NoToken(String),
    /// Reading or writing the table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The request was no longer allowed when it was ready to be sent.
    #[error(transparent)]
    NotAttempted(#[from] NotAttempted),
}

/// Why an attempt was not made. Nothing was sent that has an effect.
#[derive(Debug, thiserror::Error)]
pub enum NotAttempted {
    /// The webhook was deleted or disabled in the meantime.
    #[error("{0}")]
    Stopped(Cancellation),
    /// The request could outlast the invocation.
    #[error("not enough time left in this invocation")]
    NoTime,
    /// Reading or writing the table failed.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl From<OAuthError> for ConnectError {
    fn from(error: OAuthError) -> Self {
        match error {
            OAuthError::Table(error) => Self::Table(error),
            OAuthError::NoToken(_) | OAuthError::Timeout => Self::NoToken(error.to_string()),
        }
    }
}

/// A response, and the token of its request, which must be masked wherever the response is shown.
#[derive(Debug)]
pub struct Authorized {
    /// The response, whatever its status.
    pub response: EgressResponse,
    /// The access token, if the request carried one.
    pub token: Option<SecretString>,
}

/// Sends a request with the authorization of `account`.
pub async fn call(
    tokens: Tokens<'_>,
    account: &Account,
    call: EgressRequest,
) -> Result<Authorized, ConnectError> {
    call_if(tokens, account, call, async |_| Ok(())).await
}

/// Like [`call`], but asks `ready` right before connecting, with the time that the request may
/// take. If `ready` returns an error after a token was rejected, the 401 is returned.
pub async fn call_if(
    tokens: Tokens<'_>,
    account: &Account,
    call: EgressRequest,
    ready: impl AsyncFn(Duration) -> Result<(), NotAttempted>,
) -> Result<Authorized, ConnectError> {
    let started = Instant::now();
    let timeout = call.timeout;
    let left = || timeout.saturating_sub(started.elapsed());
    let Authorization::OAuth2(settings) = &account.settings.authorization else {
        ready(timeout).await?;
        return Ok(Authorized {
            response: call_once(tokens.egress, account, None, call).await?,
            token: None,
        });
    };
    let mut rejected: Option<Authorized> = None;
    loop {
        let rejected_token = rejected
            .as_ref()
            .and_then(|authorized| authorized.token.as_ref());
        let token = tokens
            .get(account, settings, rejected_token, left())
            .await?;
        if let Err(unsent) = ready(left()).await {
            return rejected.ok_or(unsent.into());
        }
        let call = EgressRequest {
            timeout: left(),
            ..call.clone()
        };
        let response = call_once(tokens.egress, account, Some(&token), call).await?;
        if response.status != StatusCode::UNAUTHORIZED || rejected.is_some() {
            return Ok(Authorized {
                response,
                token: Some(token),
            });
        }
        rejected = Some(Authorized {
            response,
            token: Some(token),
        });
    }
}

/// Sends a request with the fixed header of `account`, or with `token`. Unlike [`call`], it fetches
/// no other token if the service returns 401.
///
/// # Errors
///
/// If there is no response.
pub async fn call_once(
    egress: &Egress,
    account: &Account,
    token: Option<&SecretString>,
    call: EgressRequest,
) -> Result<EgressResponse, EgressError> {
    let call = match (account.settings.authorization.header(), token) {
        (Some((name, value)), _) => with(call, name, value.expose_secret()),
        (None, Some(token)) => {
            let bearer = format!("Bearer {}", token.expose_secret());
            with(call, &AUTHORIZATION, &bearer)
        }
        (None, None) => call,
    };
    egress.call(call).await
}

fn with(mut call: EgressRequest, name: &HeaderName, value: &str) -> EgressRequest {
    let mut value = HeaderValue::from_bytes(value.as_bytes())
        .expect("accounts and tokens are validated as header values");
    value.set_sensitive(true);
    call.headers.insert(name, value);
    call
}
