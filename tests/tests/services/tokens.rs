//! Access tokens: requested once for concurrent callers in all processes, and used until they
//! expire or are rejected.

use std::{collections::VecDeque, iter::repeat_n, time::Duration};

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

/// An authorization server with single-use refresh tokens: each request replaces the current one
/// and gets `reply`, in which `NEXT` is the new token. Requests with an old one are rejected.
fn rotating(replies: impl IntoIterator<Item = Reply>) -> Receiver {
    let issuer = Receiver::start();
    let mut replies: VecDeque<Reply> = replies.into_iter().collect();
    let mut used = 0;
    issuer.script(move |request| {
        if refresh_token(request) != format!("refresh-{used}") {
            return Reply::status(400).body(r#"{"error": "invalid_grant"}"#);
        }
        used += 1;
        let reply = replies.pop_front().expect("a reply");
        reply.map_body(|body| body.replace("NEXT", &format!("refresh-{used}")))
    });
    issuer
}

fn refresh_token(request: &Request) -> String {
    let form = url::form_urlencoded::parse(&request.body);
    let token = form
        .into_owned()
        .find(|(name, _)| name == "refresh_token")
        .expect("a refresh token");
    token.1
}

async fn refreshing(issuer: Receiver) -> OAuthFixture {
    let grant = json!({"grant_type": "refresh_token", "refresh_token": "refresh-0"});
    OAuthFixture::with(issuer, &grant).await
}

#[tokio::test]
async fn spent_refresh_token_is_never_used_again() {
    let reply = |status: u16, body: &str| Reply::status(status).body(body);
    let header = "the token endpoint's response contains an access_token with characters that are not allowed in headers";
    let closed = "the token endpoint is unreachable: the connection was closed before the response was complete";
    let large = format!(
        r#"{{"error": "invalid_scope", "refresh_token": "NEXT", "x": "{}"}}"#,
        "x".repeat(70_000)
    );
    let unusable = [
        (
            reply(
                200,
                r#"{"access_token": "not a token", "refresh_token": "NEXT"}"#,
            ),
            header,
        ),
        (
            reply(
                200,
                r#"{"error": "temporarily_unavailable", "refresh_token": "NEXT"}"#,
            ),
            "the token endpoint responded with 200: temporarily_unavailable",
        ),
        (
            reply(302, r#"{"refresh_token": "NEXT"}"#),
            "the token endpoint responded with 302",
        ),
        (
            reply(
                400,
                r#"{"error": "invalid_request", "refresh_token": "NEXT"}"#,
            ),
            "the token endpoint responded with 400: invalid_request",
        ),
        (
            reply(401, "error=interaction_required&refresh_token=NEXT"),
            "the token endpoint responded with 401: interaction_required",
        ),
        (
            reply(503, r#"{"access_token": "a", "refresh_token": "NEXT"}"#),
            "the token endpoint responded with 503",
        ),
        (
            reply(200, r#"{"refresh_token": "NEXT", "access_token": "a"#).cut(),
            closed,
        ),
        (
            reply(500, r#"{"refresh_token": "NEXT", "error": "serv"#).cut(),
            "the token endpoint responded with 500",
        ),
        (reply(400, &large), "the token endpoint responded with 400"),
        (
            reply(200, r#"{"refresh_token": "NEXT"}"#),
            "the token endpoint's response contains no access_token",
        ),
    ];
    let count = unusable.len();
    let last = reply(
        200,
        "access_token=late&token_type=bot&refresh_token=NEXT&expires_in=3600",
    );
    let replies = unusable.iter().map(|(reply, _)| reply.clone());
    let fixture = refreshing(rotating(replies.chain([last]))).await;
    for (reply, reason) in &unusable {
        // Each process reads the token from the table.
        let process = fixture.process().await;
        let error = fixture.call(&process, TIMEOUT).await.expect_err("no token");
        assert_eq!(
            error.to_string(),
            format!("no access token: {reason}"),
            "{reply:?}"
        );
    }
    let process = fixture.process().await;
    let status = fixture.call(&process, TIMEOUT).await.expect("a response");
    assert_eq!(
        (status, fixture.bearers()),
        (200, vec!["Bearer late".to_owned()])
    );
    let requests = fixture.issuer.requests();
    let used: Vec<String> = requests.iter().map(refresh_token).collect();
    let in_order: Vec<String> = (0..=count).map(|n| format!("refresh-{n}")).collect();
    assert_eq!(used, in_order);
}

/// A response that comes after the lease has expired replaces the refresh token that it spent.
#[tokio::test]
async fn refresh_token_of_a_late_response_is_stored() {
    let late = Reply::status(200)
        .body(r#"{"access_token": "late", "refresh_token": "NEXT"}"#)
        .held();
    let next = Reply::status(200).body(r#"{"access_token": "next", "refresh_token": "NEXT"}"#);
    let fixture = refreshing(rotating([late, next])).await;
    let [first, second] = [fixture.process().await, fixture.process().await];
    let after = fixture.system.time() + SignedDuration::from_secs(60);
    let concurrent = async {
        fixture.issuer.wait_for(1).await;
        // The lease has expired. This request spends the same token, and is rejected.
        let account = &fixture.account;
        let rejected = fixture.call_with(&second, account, after, TIMEOUT).await;
        fixture.issuer.release();
        rejected.expect_err("rejected").to_string()
    };
    let (late, rejected) = tokio::join!(fixture.call(&first, TIMEOUT), concurrent);
    assert_eq!(
        (late.expect("a response"), &*rejected),
        (
            200,
            "no access token: the token endpoint responded with 400: invalid_grant"
        )
    );
    let status = fixture.call(&second, TIMEOUT).await.expect("a response");
    assert_eq!(status, 200);
    assert_eq!(fixture.bearers(), ["Bearer late", "Bearer next"]);
    let requests = fixture.issuer.requests();
    let used: Vec<String> = requests.iter().map(refresh_token).collect();
    assert_eq!(used, ["refresh-0", "refresh-0", "refresh-1"]);
}
