//! Access tokens for OAuth 2.0 accounts: fetched on first use, kept sealed until shortly before
//! their end, fetched by one caller for all (RFC 6749).
//!
//! An account and its settings come in, a token that has not been refused goes out. Whoever fetches
//! holds a lease on the account's row; the others look at that row until it is done. A refresh
//! token that the server replaces is stored in the same write as what came with it, be that a token
//! or a failure.

use std::time::{Duration, Instant};

use domain::{
    account::{
        Account, OAuth2,
        answer::TokenAnswer,
        issued::{Failure, Issued, Lease, Step, Token},
    },
    redact::Redactor,
    webhook::request::HOPS_HEADER,
};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    clock,
    egress::{Call, CallError, Egress},
    keyring::Keys,
    random,
    table::{Table, TableError, Written, issued::Seen},
};

/// What fetching needs.
#[derive(Clone, Copy)]
pub struct Tokens<'a> {
    /// Where tokens are kept.
    pub table: &'a Table,
    /// What seals them.
    pub keys: &'a Keys,
    /// How the authorization server is called.
    pub egress: &'a Egress,
    /// How many times what leads to the call left Tieline: a token endpoint may lead back, too.
    pub hops: u8,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// The table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The token endpoint gave none. The text holds no secrets.
    #[error("no access token: {0}")]
    NoToken(String),
    /// The time was over before there was one.
    #[error("no access token within the timeout")]
    Timeout,
}

/// Bytes of a token endpoint's answer that are read.
const ANSWER_LIMIT: usize = 64 * 1024;
/// The longest that a fetch may take.
const FETCH: Duration = Duration::from_secs(10);
/// With less time than this no fetch begins: one that is cut off may cost a refresh token that can
/// be used but once.
const LEAST: Duration = Duration::from_millis(500);
/// A lease outlives its holder's fetch by this much: two writes of the table, with their
/// repetitions.
const GRACE: SignedDuration = SignedDuration::from_secs(25);
/// How long those who wait let pass between two looks, at first and at the most.
const LOOK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// A fetch that brought no token.
enum NoToken {
    /// Who waited for it need not try again.
    Refused(String),
    /// It was only this caller's time that was over.
    Timeout,
}

impl Tokens<'_> {
    /// A token for `account`: not the one that its service `refused`. It takes no longer than
    /// `timeout`, but for writes of the table.
    pub async fn get(
        &self,
        account: &Account,
        settings: &OAuth2,
        refused: Option<&SecretString>,
        timeout: Duration,
    ) -> Result<SecretString, OAuthError> {
        let started = Instant::now();
        let (mut waited, mut look) = (None, LOOK.0);
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            let read =
                tokio::time::timeout(left, self.table.issued(account, settings, self.keys)).await;
            let seen = read.map_err(|_| OAuthError::Timeout)??;
            let left = timeout.saturating_sub(started.elapsed());
            match seen.issued.step(refused, waited.as_deref(), clock::now()) {
                Step::Use(token) => return Ok(token),
                Step::Fail(reason) => return Err(OAuthError::NoToken(reason)),
                Step::Wait(_) | Step::Fetch if left < LEAST => return Err(OAuthError::Timeout),
                Step::Wait(lease) => {
                    waited = Some(lease);
                    tokio::time::sleep(look.min(left)).await;
                    look = (look * 2).min(LOOK.1);
                }
                Step::Fetch => {
                    if let Some(token) = self.lead(account, settings, seen, left.min(FETCH)).await?
                    {
                        return Ok(token);
                    }
                }
            }
        }
    }

    /// Takes the lease, fetches, and stores what came of it. `None`: somebody else took the lease.
    async fn lead(
        &self,
        account: &Account,
        settings: &OAuth2,
        mut seen: Seen,
        time: Duration,
    ) -> Result<Option<SecretString>, OAuthError> {
        let now = clock::now();
        let until = SignedDuration::try_from(time)
            .ok()
            .and_then(|time| now.checked_add(time + GRACE).ok());
        let lease = Lease {
            id: random::token(),
            until: until.unwrap_or(now),
        };
        let former = seen.issued.clone();
        let leased = Issued {
            lease: Some(lease.clone()),
            failure: None,
            ..former.clone()
        };
        if self
            .table
            .issue(account, settings, &mut seen, leased, self.keys)
            .await?
            == Written::Refused
        {
            // The SDK repeats a write whose answer was lost, and then refuses its own.
            seen = self.table.issued(account, settings, self.keys).await?;
            if seen.issued.lease.as_ref() != Some(&lease) {
                return Ok(None);
            }
        }
        let (token, replaced) = self
            .fetch(account, settings, &lease, former.refresh.as_ref(), time)
            .await;
        // A server that keeps the refresh token does not send it again (RFC 6749, section 6).
        let refresh = replaced.or(former.refresh);
        let (issued, result) = match token {
            Ok(token) => {
                let access = token.access.clone();
                (
                    Issued {
                        token: Some(token),
                        refresh,
                        lease: None,
                        failure: None,
                    },
                    Ok(Some(access)),
                )
            }
            Err(NoToken::Refused(reason)) => {
                let failure = Some(Failure {
                    lease: lease.id,
                    reason: reason.clone(),
                });
                (
                    Issued {
                        token: former.token,
                        refresh,
                        lease: None,
                        failure,
                    },
                    Err(OAuthError::NoToken(reason)),
                )
            }
            Err(NoToken::Timeout) => {
                let reason = "the token endpoint did not answer within the timeout".to_owned();
                let issued = Issued {
                    token: former.token,
                    refresh,
                    lease: None,
                    failure: None,
                };
                (issued, Err(OAuthError::NoToken(reason)))
            }
        };
        // What was fetched serves this caller whatever becomes of the write; a refresh token may
        // hang on it, so it is tried once more. Refused: the lease was over before this came, and
        // somebody else has gone on.
        let written = self
            .table
            .issue(account, settings, &mut seen, issued.clone(), self.keys)
            .await;
        if let Err(error) = written {
            tracing::warn!(account = %account.id, %error, "token not stored: tried once more");
            if let Err(error) = self
                .table
                .issue(account, settings, &mut seen, issued, self.keys)
                .await
            {
                tracing::error!(account = %account.id, %error, "token not stored");
            }
        }
        result
    }

    /// One request to the token endpoint: the access token, or why there is none, and the refresh
    /// token that replaces ours.
    async fn fetch(
        &self,
        account: &Account,
        settings: &OAuth2,
        lease: &Lease,
        refresh: Option<&SecretString>,
        timeout: Duration,
    ) -> (Result<Token, NoToken>, Option<SecretString>) {
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
                    Err(refused("the client's id or secret does not fit a header")),
                    None,
                );
            };
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let call = Call {
            method: Method::POST,
            url: settings.token_url.clone(),
            headers,
            body: Some(request.form.expose_secret().as_bytes().to_vec()),
            timeout,
            limit: ANSWER_LIMIT,
        };
        let now = clock::now();
        let answer = match self.egress.call(call).await {
            Ok(answer) => answer,
            Err(error) => return (Err(error.into()), None),
        };
        let mut secrets = account.settings.authorization.secrets();
        if let Some(token) = &refresh {
            secrets.add(token.expose_secret());
        }
        let TokenAnswer { token, refresh } = TokenAnswer::read(
            answer.status,
            &answer.body,
            &Redactor::new(secrets),
            &lease.id,
            now,
        );
        let token = token.map_err(|reason| match answer.incomplete {
            Some(error) if answer.status.is_success() => error.into(),
            _ => NoToken::Refused(reason),
        });
        (token, refresh)
    }
}

impl From<CallError> for NoToken {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Timeout => Self::Timeout,
            CallError::Blocked(why) => refused(format!("the token endpoint is blocked: {why}")),
            CallError::Unreachable(why) => {
                refused(format!("the token endpoint is unreachable: {why}"))
            }
        }
    }
}

fn refused(why: impl Into<String>) -> NoToken {
    NoToken::Refused(why.into())
}
