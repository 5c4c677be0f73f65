//! Calls that carry an account's authorization: those of connected services, and webhooks that send
//! to one.
//!
//! A call comes in without authorization and goes out with it; an OAuth 2.0 token is fetched where
//! none is at hand, and once more when the service answers 401. All of it stays within the call's
//! timeout.

use std::time::{Duration, Instant};

use domain::account::{Account, Authorization};
use http::{HeaderName, HeaderValue, StatusCode, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    attempt::Unsent,
    egress::{Answer, Call, CallError},
    oauth::{OAuthError, Tokens},
    table::TableError,
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The service gave none.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The authorization server gave no token. The text holds no secrets.
    #[error("{0}")]
    NoToken(String),
    /// The table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The call was not to be made any more when it could have been.
    #[error(transparent)]
    Unsent(#[from] Unsent),
}

impl From<OAuthError> for ConnectError {
    fn from(error: OAuthError) -> Self {
        match error {
            OAuthError::Table(error) => Self::Table(error),
            OAuthError::NoToken(_) | OAuthError::Timeout => Self::NoToken(error.to_string()),
        }
    }
}

/// An answer, and the token that the call carried: what people see of the one must not hold the
/// other.
#[derive(Debug)]
pub struct Answered {
    /// What came back, whatever the status.
    pub answer: Answer,
    /// The access token, where there was one.
    pub token: Option<SecretString>,
}

/// Makes a call with the authorization of `account`.
pub async fn call(
    tokens: Tokens<'_>,
    account: &Account,
    call: Call,
) -> Result<Answered, ConnectError> {
    call_if(tokens, account, call, async |_| Ok(())).await
}

/// As [`call`], if `ready` still allows it right before the service is dialled; that is asked with
/// the time that the call may take. Where it does not when a token was refused, the refusal is the
/// answer.
pub async fn call_if(
    tokens: Tokens<'_>,
    account: &Account,
    call: Call,
    ready: impl AsyncFn(Duration) -> Result<(), Unsent>,
) -> Result<Answered, ConnectError> {
    let started = Instant::now();
    let timeout = call.timeout;
    let left = || timeout.saturating_sub(started.elapsed());
    let Authorization::OAuth2(settings) = &account.settings.authorization else {
        let call = match account.settings.authorization.header() {
            Some((name, value)) => with(call, name, value.expose_secret()),
            None => call,
        };
        ready(timeout).await?;
        return Ok(Answered {
            answer: tokens.egress.call(call).await?,
            token: None,
        });
    };
    let mut refused: Option<Answered> = None;
    loop {
        let refused_token = refused
            .as_ref()
            .and_then(|answered| answered.token.as_ref());
        let token = tokens.get(account, settings, refused_token, left()).await?;
        if let Err(unsent) = ready(left()).await {
            return refused.ok_or(unsent.into());
        }
        let bearer = format!("Bearer {}", token.expose_secret());
        let authorized = with(
            Call {
                timeout: left(),
                ..call.clone()
            },
            &AUTHORIZATION,
            &bearer,
        );
        let answer = tokens.egress.call(authorized).await?;
        if answer.status != StatusCode::UNAUTHORIZED || refused.is_some() {
            return Ok(Answered {
                answer,
                token: Some(token),
            });
        }
        refused = Some(Answered {
            answer,
            token: Some(token),
        });
    }
}

fn with(mut call: Call, name: &HeaderName, value: &str) -> Call {
    let mut value = HeaderValue::from_bytes(value.as_bytes())
        .expect("accounts and tokens hold what a header may, or are refused");
    value.set_sensitive(true);
    call.headers.insert(name, value);
    call
}
