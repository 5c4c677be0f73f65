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
fn fetch_under_a_lost_lease_stores_only_the_token_that_replaces_the_spent_one() {
    let secret = |text: Option<&str>| text.map(SecretString::from);
    let row = |lease: Option<&str>, refresh| IssuedTokens {
        token: Some(token("old", 1)),
        refresh: secret(refresh),
        lease: lease.map(|id| Lease {
            id: id.to_owned(),
            until: at(1),
        }),
        failure: None,
    };
    let shown = |issued: IssuedTokens| {
        let text = |secret: &SecretString| secret.expose_secret().to_owned();
        (
            issued.token.map(|token| text(&token.access)),
            issued.refresh.as_ref().map(text),
            issued.lease.map(|lease| lease.id),
            issued.failure.map(|failure| failure.reason),
        )
    };
    let fetched = |row: IssuedTokens, result: Result<&str, Option<&str>>, refresh| {
        let result = result
            .map(|access| token(access, 2))
            .map_err(|reason| reason.map(str::to_owned));
        let spent = secret(Some("spent"));
        row.fetched("l", spent.as_ref(), result, secret(refresh))
            .map(shown)
    };
    let expected = |access: &str, refresh: &str, lease: Option<&str>, reason: Option<&str>| {
        let text = |text: &str| Some(text.to_owned());
        Some((
            text(access),
            text(refresh),
            lease.map(str::to_owned),
            reason.map(str::to_owned),
        ))
    };
    let ours = || row(Some("l"), Some("spent"));
    for (row, result, refresh, stored) in [
        (
            ours(),
            Ok("new"),
            Some("next"),
            expected("new", "next", None, None),
        ),
        (
            ours(),
            Ok("new"),
            None,
            expected("new", "spent", None, None),
        ),
        (
            ours(),
            Err(Some("no")),
            Some("next"),
            expected("old", "next", None, Some("no")),
        ),
        (
            ours(),
            Err(None),
            None,
            expected("old", "spent", None, None),
        ),
        // Another caller's late response has replaced the token.
        (
            row(Some("l"), Some("other")),
            Err(Some("no")),
            None,
            expected("old", "other", None, Some("no")),
        ),
        (
            row(Some("theirs"), Some("spent")),
            Ok("new"),
            Some("next"),
            expected("old", "next", Some("theirs"), None),
        ),
        (
            row(None, Some("spent")),
            Err(Some("no")),
            Some("next"),
            expected("old", "next", None, None),
        ),
        (row(None, Some("spent")), Ok("new"), None, None),
        (row(None, Some("other")), Ok("new"), Some("next"), None),
        (row(None, None), Ok("new"), Some("next"), None),
    ] {
        let context = format!("{row:?} {result:?} {refresh:?}");
        assert_eq!(fetched(row, result, refresh), stored, "{context}");
    }
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
    let step = |issued: &IssuedTokens, refused: Option<&SecretString>, waited| match issued.step(
        refused,
        waited,
        at(100),
    ) {
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
