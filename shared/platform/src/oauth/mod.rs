//! Access tokens for OAuth 2.0 accounts (RFC 6749): fetched on first use, stored encrypted until
//! shortly before they expire, fetched once for all concurrent callers.
//!
//! Returns a token that the service has not rejected. The caller that fetches has a lease on the
//! account's row; the others poll that row until the fetch is done. A new refresh token is stored
//! in the same write as the rest of its response, even if that is an error.
//!
//! [`Tokens::fetch`] fetches a token even if there is a usable one, for tests of an account, and
//! stores it like any other.

mod request;

use std::time::{Duration, Instant};

use domain::account::{
    Account, OAuth2,
    oauth_tokens::{IssuedTokens, Lease, Step},
    token_response::Report,
};
use http::StatusCode;
use jiff::SignedDuration;
use secrecy::SecretString;

use self::request::TokenError;
use crate::{
    clock,
    egress::Egress,
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

/// A completed token request.
#[derive(Debug)]
pub struct FetchedToken {
    /// The token, or why there is none, without secrets.
    pub token: Result<SecretString, String>,
    /// Status of the token endpoint's response; none if there was no response.
    pub status: Option<StatusCode>,
    /// What the token endpoint reports.
    pub report: Report,
    /// Duration of the request.
    pub elapsed: Duration,
}

/// Timeout of a token request.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Minimum time for a token request. Interrupting one could lose a single-use refresh token.
const MIN_FETCH_TIME: Duration = Duration::from_millis(500);
/// Time that a lease outlives its holder's request: two writes of the table with retries.
const LEASE_GRACE: SignedDuration = SignedDuration::from_secs(25);
/// Maximum number of attempts to store the result of a fetch.
const STORE_ATTEMPTS: u32 = 3;
/// Poll interval of waiting callers: initial and maximum.
const POLL_INTERVAL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

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
            let (seen, left) = self.load(account, settings, started, timeout).await?;
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
                    if let Some(fetched) = self
                        .fetch_and_store(account, settings, seen, left.min(FETCH_TIMEOUT))
                        .await?
                    {
                        return fetched.token.map_err(OAuthError::NoToken);
                    }
                }
            }
        }
    }

    /// Fetches and stores a new token, even if the current one is usable. Waits for the end of a
    /// fetch by another caller. Takes at most `timeout`, plus writes to the table.
    ///
    /// # Errors
    ///
    /// If no request was made: the table failed, or the timeout passed.
    pub async fn fetch(
        &self,
        account: &Account,
        settings: &OAuth2,
        timeout: Duration,
    ) -> Result<FetchedToken, OAuthError> {
        let started = Instant::now();
        let mut look = POLL_INTERVAL.0;
        loop {
            let (seen, left) = self.load(account, settings, started, timeout).await?;
            if left < MIN_FETCH_TIME {
                return Err(OAuthError::Timeout);
            }
            if seen.issued.current_lease(clock::now()).is_some() {
                tokio::time::sleep(look.min(left)).await;
                look = (look * 2).min(POLL_INTERVAL.1);
                continue;
            }
            let fetched = self
                .fetch_and_store(account, settings, seen, left.min(FETCH_TIMEOUT))
                .await?;
            if let Some(fetched) = fetched {
                return Ok(fetched);
            }
        }
    }

    /// Loads the tokens of `account`. Returns them and what is left of `timeout`.
    async fn load(
        &self,
        account: &Account,
        settings: &OAuth2,
        started: Instant,
        timeout: Duration,
    ) -> Result<(StoredTokens, Duration), OAuthError> {
        let left = || timeout.saturating_sub(started.elapsed());
        let read = self.table.load_tokens(account, settings, self.keys);
        let seen = tokio::time::timeout(left(), read)
            .await
            .map_err(|_| OAuthError::Timeout)??;
        Ok((seen, left()))
    }

    /// Acquires the lease, requests a token and stores the result. None if another caller acquired
    /// the lease.
    async fn fetch_and_store(
        &self,
        account: &Account,
        settings: &OAuth2,
        mut seen: StoredTokens,
        time: Duration,
    ) -> Result<Option<FetchedToken>, OAuthError> {
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
        let started = Instant::now();
        let fetched = self
            .request(account, settings, &lease, previous.refresh.as_ref(), time)
            .await;
        let elapsed = started.elapsed();
        let (outcome, token) = match fetched.token {
            Ok(issued) => (Ok(issued.clone()), Ok(issued.access)),
            Err(TokenError::NoToken(reason)) => (Err(Some(reason.clone())), Err(reason)),
            Err(TokenError::Timeout) => (
                Err(None),
                Err("the token endpoint did not respond within the timeout".to_owned()),
            ),
        };
        // The token is usable even if this fails.
        self.store(account, settings, seen, |issued: IssuedTokens| {
            let (outcome, refresh) = (outcome.clone(), fetched.refresh.clone());
            issued.fetched(&lease.id, previous.refresh.as_ref(), outcome, refresh)
        })
        .await;
        Ok(Some(FetchedToken {
            token,
            status: fetched.status,
            report: fetched.report,
            elapsed,
        }))
    }

    /// Stores the result of a fetch, which may contain a new refresh token: retries errors, and
    /// applies `fetched` again if the row has changed.
    async fn store(
        &self,
        account: &Account,
        settings: &OAuth2,
        mut seen: StoredTokens,
        fetched: impl Fn(IssuedTokens) -> Option<IssuedTokens>,
    ) {
        for _ in 0..STORE_ATTEMPTS {
            let Some(issued) = fetched(seen.issued.clone()) else {
                return;
            };
            let written = self
                .table
                .save_tokens(account, settings, &mut seen, issued, self.keys)
                .await;
            let reread = match written {
                Ok(Written::Yes) => return,
                Ok(Written::ConditionFailed) => {
                    self.table.load_tokens(account, settings, self.keys).await
                }
                Err(error) => Err(error),
            };
            match reread {
                Ok(reread) => seen = reread,
                Err(error) => {
                    tracing::warn!(account = %account.id, %error, "failed to store token");
                }
            }
        }
        tracing::error!(account = %account.id, "failed to store token; not retrying");
    }
}
