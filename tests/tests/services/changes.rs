//! Accounts that are changed or deleted while a token is fetched for them, and the refresh tokens
//! that outlive the change.

use std::{future::Future, time::Duration};

use jiff::SignedDuration;
use platform::service_client::ConnectError;
use serde_json::{Value, json};
use tests::receiver::{Receiver, Reply};

use crate::oauth::{OAuthFixture, Process, token};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Calls a service and runs `work` while its token is fetched. The authorization server's first
/// response is held until then.
async fn while_fetching<T>(fixture: &OAuthFixture, work: impl Future<Output = T>) -> (u16, T) {
    let process = fixture.process().await;
    let concurrent = async {
        fixture.issuer.wait_for(1).await;
        work.await
    };
    let (result, done) = tokio::join!(fixture.call(&process, TIMEOUT), concurrent);
    (result.expect("a response"), done)
}

#[tokio::test]
async fn token_for_former_settings_is_not_used_under_new_ones() {
    let fixture =
        OAuthFixture::new(Receiver::replying([token("first").held(), token("second")])).await;
    let (former, next): (Process, Process) = (fixture.process().await, fixture.process().await);
    let work = async {
        let changed = fixture
            .change(&fixture.account, "CRM", &json!({"scope": "more"}))
            .await;
        let waiting = fixture.call_with(&next, &changed, fixture.system.time(), TIMEOUT);
        let (status, ()) = tokio::join!(waiting, async { fixture.issuer.release() });
        assert_eq!(status.expect("a response"), 200);
        changed
    };
    let (status, changed) = while_fetching(&fixture, work).await;
    assert_eq!(status, 200);
    let mut bearers = fixture.bearers();
    bearers.sort();
    assert_eq!(
        (fixture.asked(), bearers),
        (
            2,
            vec!["Bearer first".to_owned(), "Bearer second".to_owned()]
        )
    );

    // A caller with the previous settings reads them again. No token is fetched for those any more.
    let result = fixture.call(&former, TIMEOUT).await;
    assert!(matches!(result, Err(ConnectError::Table(_))), "{result:?}");
    let again = fixture
        .call_with(&next, &changed, fixture.system.time(), TIMEOUT)
        .await;
    assert_eq!((again.expect("a response"), fixture.asked()), (200, 2));
}

#[tokio::test]
async fn renamed_account_keeps_its_token() {
    let fixture =
        OAuthFixture::new(Receiver::replying([token("first").held(), token("second")])).await;
    let next = fixture.process().await;
    let work = async {
        let renamed = fixture
            .change(&fixture.account, "Customers", &json!({}))
            .await;
        fixture.issuer.release();
        renamed
    };
    let (status, renamed) = while_fetching(&fixture, work).await;
    let other = fixture
        .call_with(&next, &renamed, fixture.system.time(), TIMEOUT)
        .await
        .expect("a response");
    assert_eq!((status, other, fixture.asked()), (200, 200, 1));
}

#[tokio::test]
async fn deleted_account_leaves_no_token() {
    let fixture =
        OAuthFixture::new(Receiver::replying([token("first").held(), token("second")])).await;
    let work = async {
        fixture.delete().await;
        fixture.issuer.release();
    };
    let (status, ()) = while_fetching(&fixture, work).await;
    assert_eq!(
        (status, fixture.bearers()),
        (200, vec!["Bearer first".to_owned()]),
        "the holder uses its own token"
    );
    let id = fixture.account.id.to_string();
    let kept = |fixture: &OAuthFixture| {
        fixture
            .system
            .fake
            .state()
            .table
            .items()
            .keys()
            .any(|(pk, _)| pk.contains(&id))
    };
    assert!(!kept(&fixture));

    let process = fixture.process().await;
    fixture.system.begin_count();
    let result = fixture.call(&process, TIMEOUT).await;
    assert!(matches!(result, Err(ConnectError::Table(_))), "{result:?}");
    let calls = fixture.system.fake.state().calls.len();
    assert_eq!(
        (fixture.asked(), calls, kept(&fixture)),
        (1, 2, false),
        "it is found with the first lookup"
    );
}

#[tokio::test]
async fn replaced_refresh_token_survives_all_changes_but_a_new_consent() {
    let replacing = |access: &str, refresh: &str| {
        let body = json!({"access_token": access, "expires_in": 3600, "refresh_token": refresh});
        Reply::status(200).body(body.to_string())
    };
    let issuer = Receiver::replying([
        replacing("first", "second-refresh"),
        Reply::status(503),
        token("second"),
        replacing("third", "third-refresh"),
        token("fourth"),
        token("fifth"),
    ]);
    let given = json!({"grant_type": "refresh_token", "refresh_token": "given"});
    let mut fixture = OAuthFixture::with(issuer, &given).await;
    let mut call = async |fields: Value| {
        let later = fixture.system.time() + SignedDuration::from_hours(1);
        fixture.system.set_time(later);
        if fields != json!({}) {
            fixture.account = fixture.change(&fixture.account, "CRM", &fields).await;
        }
        let process = fixture.process().await;
        fixture.call(&process, TIMEOUT).await.is_ok()
    };
    let mut worked = Vec::new();
    for fields in [
        json!({}),
        json!({}),
        json!({}),
        json!({}),
        json!({"scope": "more", "client_secret": "the client's next secret"}),
        json!({"refresh_token": "given again"}),
    ] {
        worked.push(call(fields).await);
    }
    assert_eq!(worked, [true, false, true, true, true, true]);
    let used: Vec<String> = fixture
        .issuer
        .requests()
        .iter()
        .flat_map(|request| {
            url::form_urlencoded::parse(&request.body)
                .into_owned()
                .collect::<Vec<_>>()
        })
        .filter_map(|(name, value)| (name == "refresh_token").then_some(value))
        .collect();
    let second = "second-refresh";
    assert_eq!(
        used,
        [
            "given",
            second,
            second,
            second,
            "third-refresh",
            "given again"
        ]
    );
}
