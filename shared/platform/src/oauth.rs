//! Access tokens for OAuth 2.0 accounts (RFC 6749): fetched on first use, stored encrypted until
//! shortly before they expire, fetched once for all concurrent callers.
//!
//! Returns a token that the service has not rejected. The caller that fetches has a lease on the
//! account's row; the others poll that row until the fetch is done. A new refresh token is stored
//! in the same write as the rest of its response, even if that is an error.

use std::time::{Duration, Instant};

use domain::{
    account::{
        Account, OAuth2,
        oauth_tokens::{Failure, IssuedToken, IssuedTokens, Lease, Step},
        token_response::TokenResponse,
    },
    outgoing::HOPS_HEADER,
    secrets::redact::Redactor,
};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    clock,
    egress::{Egress, EgressError, EgressRequest},
    keyring::KeyringCache,
    random,
    table::{Table, TableError, Written, oauth_tokens::StoredTokens},
};

/// Dependencies of a token request.
#[derive(Clone, Copy)]
pub struct Tokens<'a> {
    /// Table that stores the tokens.
    pub table: &'a Table,
    /// Keyring that encrypts them.
    pub keys: &'a KeyringCache,
    /// Client for requests to the authorization server.
    pub egress: &'a Egress,
    /// Hop count of the request that needs the token. A token endpoint may lead back to Tieline.
    pub hops: u8,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// Reading or writing the table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The token endpoint issued none. The text contains no secrets.
    #[error("no access token: {0}")]
    NoToken(String),
    /// The timeout passed before there was a token.
    #[error("no access token within the timeout")]
    Timeout,
}

/// Maximum size of a token endpoint's response, in bytes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// Timeout of a token request.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Minimum time for a token request. Interrupting one could lose a single-use refresh token.
const MIN_FETCH_TIME: Duration = Duration::from_millis(500);
/// Time that a lease outlives its holder's request: two writes of the table with retries.
const LEASE_GRACE: SignedDuration = SignedDuration::from_secs(25);
/// Poll interval of waiting callers: initial and maximum.
const POLL_INTERVAL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// A request that returned no token.
enum TokenError {
    /// A definite error. Waiting callers need not retry.
    NoToken(String),
    /// This caller's time ran out.
    Timeout,
}

impl Tokens<'_> {
    /// Returns a token for `account` other than `refused`, which its service rejected. Takes at
    /// most `timeout`, plus writes to the table.
    pub async fn get(
        &self,
        account: &Account,
        settings: &OAuth2,
        refused: Option<&SecretString>,
        timeout: Duration,
    ) -> Result<SecretString, OAuthError> {
        let started = Instant::now();
        let (mut waited, mut look) = (None, POLL_INTERVAL.0);
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            let read =
                tokio::time::timeout(left, self.table.load_tokens(account, settings, self.keys))
                    .await;
            let seen = read.map_err(|_| OAuthError::Timeout)??;
            let left = timeout.saturating_sub(started.elapsed());
            match seen.issued.step(refused, waited.as_deref(), clock::now()) {
                Step::Use(token) => return Ok(token),
                Step::Fail(reason) => return Err(OAuthError::NoToken(reason)),
                Step::Wait(_) | Step::Fetch if left < MIN_FETCH_TIME => {
                    return Err(OAuthError::Timeout);
                }
                Step::Wait(lease) => {
                    waited = Some(lease);
                    tokio::time::sleep(look.min(left)).await;
                    look = (look * 2).min(POLL_INTERVAL.1);
                }
                Step::Fetch => {
                    if let Some(token) = self
                        .fetch_and_store(account, settings, seen, left.min(FETCH_TIMEOUT))
                        .await?
                    {
                        return Ok(token);
                    }
                }
            }
        }
    }

    /// Acquires the lease, requests a token and stores the result. None if another caller acquired
    /// the lease.
    async fn fetch_and_store(
        &self,
        account: &Account,
        settings: &OAuth2,
        mut seen: StoredTokens,
        time: Duration,
    ) -> Result<Option<SecretString>, OAuthError> {
        let now = clock::now();
        let until = SignedDuration::try_from(time)
            .ok()
            .and_then(|time| now.checked_add(time + LEASE_GRACE).ok());
        let lease = Lease {
            id: random::token(),
            until: until.unwrap_or(now),
        };
        let previous = seen.issued.clone();
        let leased = IssuedTokens {
            lease: Some(lease.clone()),
            failure: None,
            ..previous.clone()
        };
        if self
            .table
            .save_tokens(account, settings, &mut seen, leased, self.keys)
            .await?
            == Written::ConditionFailed
        {
            // The SDK retries a write whose response was lost, and the retry then fails its own
            // condition.
            seen = self.table.load_tokens(account, settings, self.keys).await?;
            if seen.issued.lease.as_ref() != Some(&lease) {
                return Ok(None);
            }
        }
        let (token, replaced) = self
            .fetch(account, settings, &lease, previous.refresh.as_ref(), time)
            .await;
        // A server that keeps the refresh token need not send it again (RFC 6749, section 6).
        let refresh = replaced.or(previous.refresh);
        let (issued, result) = match token {
            Ok(token) => {
                let access = token.access.clone();
                (
                    IssuedTokens {
                        token: Some(token),
                        refresh,
                        lease: None,
                        failure: None,
                    },
                    Ok(Some(access)),
                )
            }
            Err(TokenError::NoToken(reason)) => {
                let failure = Some(Failure {
                    lease: lease.id,
                    reason: reason.clone(),
                });
                (
                    IssuedTokens {
                        token: previous.token,
                        refresh,
                        lease: None,
                        failure,
                    },
                    Err(OAuthError::NoToken(reason)),
                )
            }
            Err(TokenError::Timeout) => {
                let reason = "the token endpoint did not respond within the timeout".to_owned();
                let issued = IssuedTokens {
                    token: previous.token,
                    refresh,
                    lease: None,
                    failure: None,
                };
                (issued, Err(OAuthError::NoToken(reason)))
            }
        };
        // The token is usable even if the write fails. The write is retried once, because it may
        // contain a new refresh token. Condition failed: the lease expired in the meantime, and
        // another caller continued.
        let written = self
            .table
            .save_tokens(account, settings, &mut seen, issued.clone(), self.keys)
            .await;
        if let Err(error) = written {
            tracing::warn!(account = %account.id, %error, "failed to store token; retrying once");
            if let Err(error) = self
                .table
                .save_tokens(account, settings, &mut seen, issued, self.keys)
                .await
            {
                tracing::error!(account = %account.id, %error, "failed to store token");
            }
        }
        result
    }

    /// Sends one request to the token endpoint. Returns the access token or the error, and the new
    /// refresh token, if any.
    async fn fetch(
        &self,
        account: &Account,
        settings: &OAuth2,
        lease: &Lease,
        refresh: Option<&SecretString>,
        timeout: Duration,
    ) -> (Result<IssuedToken, TokenError>, Option<SecretString>) {
        let request = settings.token_request(refresh);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(HOPS_HEADER, u16::from(self.hops.saturating_add(1)).into());
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        if let Some(authorization) = &request.authorization {
            let Ok(mut value) = HeaderValue::try_from(authorization.expose_secret()) else {
                return (
                    Err(refused("the client ID or secret can't be sent in a header")),
                    None,
                );
            };
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let call = EgressRequest {
            method: Method::POST,
            url: settings.token_url.clone(),
            headers,
            body: Some(request.form.expose_secret().as_bytes().to_vec()),
            timeout,
            limit: MAX_RESPONSE_BYTES,
        };
        let now = clock::now();
        let response = match self.egress.call(call).await {
            Ok(response) => response,
            Err(error) => return (Err(error.into()), None),
        };
        let mut secrets = account.settings.authorization.secrets();
        if let Some(token) = &refresh {
            secrets.add(token.expose_secret());
        }
        let TokenResponse { token, refresh } = TokenResponse::read(
            response.status,
            &response.body,
            &Redactor::new(secrets),
            &lease.id,
            now,
        );
        let token = token.map_err(|reason| match response.incomplete {
            Some(error) if response.status.is_success() => error.into(),
            _ => TokenError::NoToken(reason),
        });
        (token, refresh)
    }
}

impl From<EgressError> for TokenError {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::Timeout => Self::Timeout,
            EgressError::Blocked(why) => refused(format!("the token endpoint is blocked: {why}")),
            EgressError::Unreachable(why) => {
                refused(format!("the token endpoint is unreachable: {why}"))
            }
        }
    }
}

fn refused(why: impl Into<String>) -> TokenError {
    TokenError::NoToken(why.into())
}
