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

    /// The lease of the caller that is fetching a token at `now`, if there is one.
    pub fn current_lease(&self, now: Timestamp) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| now < lease.until)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn token(access: &str, good_until: i64) -> IssuedToken {
        IssuedToken {
            access: access.into(),
            good_until: at(good_until),
            lease: "previous".to_owned(),
        }
    }

    #[test]
    fn lease_is_current_until_it_expires() {
        let lease = Lease {
            id: "l".to_owned(),
            until: at(100),
        };
        let issued = IssuedTokens {
            token: Some(token("new", 1_000)),
            lease: Some(lease.clone()),
            ..IssuedTokens::default()
        };
        assert_eq!(issued.current_lease(at(99)), Some(&lease));
        assert_eq!(issued.current_lease(at(100)), None);
        assert_eq!(IssuedTokens::default().current_lease(at(0)), None);
    }

    #[test]
    fn concurrent_callers_share_one_fetch() {
        let refused = SecretString::from("old");
        let lease = |until| {
            Some(Lease {
                id: "l".to_owned(),
                until: at(until),
            })
        };
        let failure = |lease: &str| {
            Some(Failure {
                lease: lease.to_owned(),
                reason: "no".to_owned(),
            })
        };
        let step = |issued: &IssuedTokens, refused: Option<&SecretString>, waited| match issued
            .step(refused, waited, at(100))
        {
            Step::Use(token) => format!("use {}", token.expose_secret()),
            Step::Fetch => "fetch".to_owned(),
            Step::Wait(lease) => format!("wait {lease}"),
            Step::Fail(reason) => format!("fail {reason}"),
        };
        let nothing = IssuedTokens::default();
        let good = IssuedTokens {
            token: Some(token("new", 101)),
            ..IssuedTokens::default()
        };
        let ended = IssuedTokens {
            token: Some(token("new", 100)),
            ..IssuedTokens::default()
        };
        let old = IssuedTokens {
            token: Some(token("old", 101)),
            ..IssuedTokens::default()
        };
        for (issued, refused, waited, wanted) in [
            (nothing.clone(), None, None, "fetch"),
            (good.clone(), None, None, "use new"),
            (ended.clone(), None, None, "fetch"),
            (old.clone(), Some(&refused), None, "fetch"),
            (good.clone(), Some(&refused), None, "use new"),
            (ended.clone(), None, Some("previous"), "use new"),
            (old.clone(), Some(&refused), Some("previous"), "use old"),
            (
                IssuedTokens {
                    lease: lease(101),
                    ..nothing.clone()
                },
                None,
                None,
                "wait l",
            ),
            (
                IssuedTokens {
                    lease: lease(101),
                    ..old
                },
                Some(&refused),
                None,
                "wait l",
            ),
            (
                IssuedTokens {
                    lease: lease(101),
                    ..good
                },
                None,
                None,
                "use new",
            ),
            (
                IssuedTokens {
                    lease: lease(100),
                    ..ended
                },
                None,
                Some("l"),
                "fetch",
            ),
            (
                IssuedTokens {
                    failure: failure("l"),
                    ..nothing.clone()
                },
                None,
                Some("l"),
                "fail no",
            ),
            (
                IssuedTokens {
                    failure: failure("l"),
                    ..nothing.clone()
                },
                None,
                None,
                "fetch",
            ),
            (
                IssuedTokens {
                    failure: failure("l"),
                    lease: lease(101),
                    ..nothing.clone()
                },
                None,
                Some("l"),
                "wait l",
            ),
            (
                IssuedTokens {
                    failure: failure("other"),
                    ..nothing
                },
                None,
                Some("l"),
                "fetch",
            ),
        ] {
            assert_eq!(
                step(&issued, refused, waited),
                wanted,
                "{issued:?} {waited:?}"
            );
        }
    }
}
