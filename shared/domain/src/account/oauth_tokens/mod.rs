//! The access token issued to an account, and who fetches the next one.
//!
//! The state is stored in one row, [`IssuedTokens`]. A caller that needs a token asks
//! [`IssuedTokens::step`]: use the current one, wait for another caller's fetch, or fetch one. A
//! fetch starts with a lease on the row, so that only one of many callers, across all processes,
//! sends a request to the authorization server. The lease of a crashed caller expires. Waiting
//! callers share the result, including a failure.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// An access token issued by an authorization server.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The token sent with requests.
    pub access: SecretString,
    /// How long it is used.
    pub good_until: Timestamp,
    /// The lease under which it was fetched.
    pub lease: String,
}

/// Token state of an account.
#[derive(Debug, Clone, Default)]
pub struct IssuedTokens {
    /// The last token, even if it has expired.
    pub token: Option<IssuedToken>,
    /// Refresh token, if the server has replaced the configured one.
    pub refresh: Option<SecretString>,
    /// Lease of the caller that fetches the next token.
    pub lease: Option<Lease>,
    /// Why the last lease got no token.
    pub failure: Option<Failure>,
}

/// The right to fetch a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Unique ID of the lease.
    pub id: String,
    /// When it expires.
    pub until: Timestamp,
}

/// A lease that got no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// ID of the lease.
    pub lease: String,
    /// Why it failed, without secrets.
    pub reason: String,
}

/// Next step of a caller.
#[derive(Debug, Clone)]
pub enum Step {
    /// Use this token.
    Use(SecretString),
    /// Acquire a lease and fetch a token.
    Fetch,
    /// Another caller holds the lease with this ID: check again later.
    Wait(String),
    /// The lease that this caller waited for failed.
    Fail(String),
}

impl IssuedTokens {
    /// Returns the next step of a caller at `now`. `refused` is a token that the service rejected,
    /// `waited` the lease that the caller waited for.
    pub fn step(
        &self,
        refused: Option<&SecretString>,
        waited: Option<&str>,
        now: Timestamp,
    ) -> Step {
        let is_usable = |token: &&IssuedToken| {
            let refused = refused
                .is_some_and(|refused| refused.expose_secret() == token.access.expose_secret());
            // A caller that waited for a token uses it unconditionally. If it is invalid, fetching
            // another one would not help.
            waited == Some(&*token.lease) || now < token.good_until && !refused
        };
        if let Some(token) = self.token.as_ref().filter(is_usable) {
            return Step::Use(token.access.clone());
        }
        if let Some(lease) = self.current_lease(now) {
            return Step::Wait(lease.id.clone());
        }
        match &self.failure {
            Some(failure) if waited == Some(&*failure.lease) => Step::Fail(failure.reason.clone()),
            _ => Step::Fetch,
        }
    }

    /// Returns the state after a fetch under `lease` that used the refresh token `spent` and
    /// brought `token`, or the reason to record for waiting callers, and a `refresh` token. `None`
    /// if nothing is to be stored: the lease expired in the meantime and another caller continued.
    ///
    /// That caller's tokens stay. A new refresh token is stored even then, unless the spent one has
    /// been replaced already: no other is valid.
    #[must_use]
    pub fn fetched(
        self,
        lease: &str,
        spent: Option<&SecretString>,
        token: Result<IssuedToken, Option<String>>,
        refresh: Option<SecretString>,
    ) -> Option<Self> {
        if self.lease.as_ref().is_some_and(|held| held.id == lease) {
            let (token, reason) = match token {
                Ok(token) => (Some(token), None),
                Err(reason) => (self.token, reason),
            };
            return Some(Self {
                token,
                // A server that does not replace the refresh token need not repeat it (RFC 6749,
                // section 6).
                refresh: refresh.or(self.refresh),
                lease: None,
                failure: reason.map(|reason| Failure {
                    lease: lease.to_owned(),
                    reason,
                }),
            });
        }
        let is_spent = self.refresh.as_ref().map(ExposeSecret::expose_secret)
            == spent.map(ExposeSecret::expose_secret);
        refresh.filter(|_| is_spent).map(|refresh| Self {
            refresh: Some(refresh),
            ..self
        })
    }

    /// The lease of the caller that is fetching a token at `now`, if there is one.
    pub fn current_lease(&self, now: Timestamp) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| now < lease.until)
    }
}

#[cfg(test)]
mod tests;
