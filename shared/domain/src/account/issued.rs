//! The access token that an account was issued: who fetches it, and for how long it serves.
//!
//! What is known lies in one row, [`Issued`]. Whoever needs a token asks [`Issued::step`]: use the
//! one that is there, wait for the caller who is fetching one, or fetch it. Fetching begins with a
//! lease on the row, so that of many callers, in whatever process, one asks the authorization
//! server; a lease whose holder died ends by itself. Those who waited share what the holder got, a
//! refusal too.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// An access token as an authorization server issued it.
#[derive(Debug, Clone)]
pub struct Token {
    /// What calls carry.
    pub access: SecretString,
    /// Until when it is used.
    pub good_until: Timestamp,
    /// The lease that it was fetched under.
    pub lease: String,
}

/// What is known of an account's token.
#[derive(Debug, Clone, Default)]
pub struct Issued {
    /// The last token.
    pub token: Option<Token>,
    /// What the next one is asked for with, where the server has replaced that.
    pub refresh: Option<SecretString>,
    /// Who fetches the next.
    pub lease: Option<Lease>,
    /// How the last lease ended that brought none.
    pub failure: Option<Failure>,
}

/// The right to fetch a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Told apart from every other one.
    pub id: String,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// A lease that brought no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which lease.
    pub lease: String,
    /// Why, without secrets.
    pub reason: String,
}

/// What a caller does next.
#[derive(Debug, Clone)]
pub enum Step {
    /// Call with this token.
    Use(SecretString),
    /// Take a lease and fetch one.
    Fetch,
    /// Somebody is at it, under the lease of this id: look again.
    Wait(String),
    /// The lease that this caller waited for brought none.
    Fail(String),
}

impl Issued {
    /// Decides for a caller at `now`, whose service has `refused` a token, and who has `waited` for
    /// a lease.
    pub fn step(
        &self,
        refused: Option<&SecretString>,
        waited: Option<&str>,
        now: Timestamp,
    ) -> Step {
        let serves = |token: &&Token| {
            let refused = refused
                .is_some_and(|refused| refused.expose_secret() == token.access.expose_secret());
            // Who waited for a token takes it as it is: were it no good, fetching another in turn
            // would not help.
            waited == Some(&*token.lease) || now < token.good_until && !refused
        };
        if let Some(token) = self.token.as_ref().filter(serves) {
            return Step::Use(token.access.clone());
        }
        if let Some(lease) = self.lease.as_ref().filter(|lease| now < lease.until) {
            return Step::Wait(lease.id.clone());
        }
        match &self.failure {
            Some(failure) if waited == Some(&*failure.lease) => Step::Fail(failure.reason.clone()),
            _ => Step::Fetch,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn token(access: &str, good_until: i64) -> Token {
        Token {
            access: access.into(),
            good_until: at(good_until),
            lease: "former".to_owned(),
        }
    }

    #[test]
    fn one_fetches_and_the_others_wait_and_share() {
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
        let step = |issued: &Issued, refused: Option<&SecretString>, waited| match issued.step(
            refused,
            waited,
            at(100),
        ) {
            Step::Use(token) => format!("use {}", token.expose_secret()),
            Step::Fetch => "fetch".to_owned(),
            Step::Wait(lease) => format!("wait {lease}"),
            Step::Fail(reason) => format!("fail {reason}"),
        };
        let nothing = Issued::default();
        let good = Issued {
            token: Some(token("new", 101)),
            ..Issued::default()
        };
        let ended = Issued {
            token: Some(token("new", 100)),
            ..Issued::default()
        };
        let old = Issued {
            token: Some(token("old", 101)),
            ..Issued::default()
        };
        for (issued, refused, waited, wanted) in [
            (nothing.clone(), None, None, "fetch"),
            (good.clone(), None, None, "use new"),
            (ended.clone(), None, None, "fetch"),
            (old.clone(), Some(&refused), None, "fetch"),
            (good.clone(), Some(&refused), None, "use new"),
            (ended.clone(), None, Some("former"), "use new"),
            (old.clone(), Some(&refused), Some("former"), "use old"),
            (
                Issued {
                    lease: lease(101),
                    ..nothing.clone()
                },
                None,
                None,
                "wait l",
            ),
            (
                Issued {
                    lease: lease(101),
                    ..old
                },
                Some(&refused),
                None,
                "wait l",
            ),
            (
                Issued {
                    lease: lease(101),
                    ..good
                },
                None,
                None,
                "use new",
            ),
            (
                Issued {
                    lease: lease(100),
                    ..ended
                },
                None,
                Some("l"),
                "fetch",
            ),
            (
                Issued {
                    failure: failure("l"),
                    ..nothing.clone()
                },
                None,
                Some("l"),
                "fail no",
            ),
            (
                Issued {
                    failure: failure("l"),
                    ..nothing.clone()
                },
                None,
                None,
                "fetch",
            ),
            (
                Issued {
                    failure: failure("l"),
                    lease: lease(101),
                    ..nothing.clone()
                },
                None,
                Some("l"),
                "wait l",
            ),
            (
                Issued {
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
