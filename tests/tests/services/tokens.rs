//! Access tokens: requested once for concurrent callers in all processes, and used until they
//! expire or are rejected.

use std::{iter::repeat_n, time::Duration};

use futures::future::join_all;
use jiff::SignedDuration;
use serde_json::json;
use tests::receiver::{Receiver, Reply, Request};

use crate::oauth::{OAuthFixture, Process, token};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Makes ten concurrent calls in five processes.
async fn ten(fixture: &OAuthFixture) -> Vec<Result<u16, String>> {
    let processes: Vec<Process> = join_all((0..5).map(|_| fixture.process())).await;
    let calls = (0..10).map(|n| fixture.call(&processes[n / 2], TIMEOUT));
    join_all(calls)
        .await
        .into_iter()
        .map(|result| result.map_err(|error| error.to_string()))
        .collect()
}

#[tokio::test]
async fn ten_concurrent_calls_request_one_token() {
    let fixture = OAuthFixture::new(Receiver::replying([token("first")])).await;
    assert_eq!(ten(&fixture).await, vec![Ok(200); 10]);
    assert_eq!(
        (fixture.asked(), fixture.bearers()),
        (1, vec!["Bearer first".to_owned(); 10])
    );
    assert_eq!(ten(&fixture).await, vec![Ok(200); 10]);
    assert_eq!((fixture.asked(), fixture.bearers().len()), (1, 20));
}

#[tokio::test]
async fn token_request_carries_the_hops_of_its_call() {
    let fixture = OAuthFixture::new(Receiver::replying([token("first")])).await;
    let process = fixture.process().await;
    assert_eq!(
        fixture.call(&process, TIMEOUT).await.expect("a response"),
        200
    );
    assert_eq!(fixture.issuer.requests()[0].header("tieline-hops"), "2");
}

#[tokio::test]
async fn waiting_calls_share_a_rejection() {
    let refusal = Reply::status(400).body(r#"{"error": "invalid_client"}"#);
    let fixture = OAuthFixture::new(Receiver::replying([refusal])).await;
    let error = "no access token: the token endpoint responded with 400: invalid_client".to_owned();
    assert_eq!(ten(&fixture).await, vec![Err(error); 10]);
    assert_eq!((fixture.asked(), fixture.bearers().len()), (1, 0));
    // Later calls try again.
    fixture.issuer.set_reply(token("late"));
    assert_eq!(ten(&fixture).await, vec![Ok(200); 10]);
    assert_eq!(
        (fixture.asked(), fixture.bearers()),
        (2, vec!["Bearer late".to_owned(); 10])
    );
}

#[tokio::test]
async fn token_is_used_until_a_minute_before_its_expiry() {
    let mut fixture =
        OAuthFixture::new(Receiver::replying([token("first"), token("second")])).await;
    assert_eq!(ten(&fixture).await, vec![Ok(200); 10]);
    let issued = fixture.system.time();
    for (seconds, asked) in [(3539, 1), (3540, 2), (3540 + 3539, 2)] {
        fixture
            .system
            .set_time(issued + SignedDuration::from_secs(seconds));
        assert_eq!(ten(&fixture).await, vec![Ok(200); 10]);
        assert_eq!(fixture.asked(), asked, "after {seconds} s");
    }
    assert_eq!(
        fixture.bearers()[20..],
        vec!["Bearer second".to_owned(); 20]
    );
}

#[tokio::test]
async fn token_rejected_by_the_service_is_replaced_once() {
    let fixture = OAuthFixture::new(Receiver::replying([
        token("first"),
        token("second"),
        token("third"),
    ]))
    .await;
    assert_eq!(ten(&fixture).await, vec![Ok(200); 10]);
    // All of the next ten calls are rejected; their repeats are not.
    fixture
        .server
        .set_replies(repeat_n(Reply::status(401), 10).chain([Reply::status(200)]));
    assert_eq!(ten(&fixture).await, vec![Ok(200); 10]);
    assert_eq!(fixture.asked(), 2);
    let bearers = fixture.bearers();
    assert_eq!(
        (&bearers[10..20], &bearers[20..]),
        (
            &*vec!["Bearer first".to_owned(); 10],
            &*vec!["Bearer second".to_owned(); 10]
        )
    );
    // After one new token, the service's response is returned.
    fixture.server.set_reply(Reply::status(401));
    let process = fixture.process().await;
    assert_eq!(
        fixture.call(&process, TIMEOUT).await.expect("a response"),
        401
    );
    assert_eq!(
        (fixture.asked(), &fixture.bearers()[30..]),
        (
            3,
            &["Bearer second".to_owned(), "Bearer third".to_owned()][..]
        )
    );
}

#[tokio::test]
async fn one_time_refresh_token_survives_a_response_without_a_token() {
    let replies = [
        Reply::status(200).body(r#"{"access_token": "not a token", "refresh_token": "second"}"#),
        Reply::status(200)
            .body(r#"{"error": "temporarily_unavailable", "refresh_token": "third"}"#),
        Reply::status(400).body(r#"{"error": "invalid_request", "refresh_token": "not ours"}"#),
        Reply::status(200)
            .body("access_token=late&token_type=bot&refresh_token=fourth&expires_in=3600"),
    ];
    let fixture = OAuthFixture::with(
        Receiver::replying(replies),
        &json!({"grant_type": "refresh_token", "refresh_token": "first"}),
    )
    .await;
    let process = fixture.process().await;
    for reason in [
        "the token endpoint's response contains an access_token with characters that are not allowed in headers",
        "the token endpoint responded with 200: temporarily_unavailable",
        "the token endpoint responded with 400: invalid_request",
    ] {
        let error = fixture.call(&process, TIMEOUT).await.expect_err("no token");
        assert_eq!(error.to_string(), format!("no access token: {reason}"));
    }
    assert_eq!(
        fixture.call(&process, TIMEOUT).await.expect("a response"),
        200
    );
    assert_eq!(fixture.bearers(), ["Bearer late"]);
    let used = |request: &Request| {
        let form = url::form_urlencoded::parse(&request.body);
        form.into_owned()
            .find(|(name, _)| name == "refresh_token")
            .expect("a refresh token")
            .1
    };
    assert_eq!(
        fixture
            .issuer
            .requests()
            .iter()
            .map(used)
            .collect::<Vec<_>>(),
        ["first", "second", "third", "third"]
    );
}
