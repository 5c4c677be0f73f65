//! Leases on fetching a token: if the holder's process crashes, others wait until the lease ends,
//! and no longer.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use platform::service_client::ConnectError;
use tests::{
    fake::FaultPlan,
    receiver::{Receiver, Reply},
};

use crate::oauth::{OAuthFixture, token};

/// Longer than fetching a token may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The timeout of requests that are expected to time out: enough to begin fetching a token.
const SHORT: Duration = Duration::from_millis(800);
/// The calls of the caller that fetches a token.
const CALLS: [&str; 3] = ["GetItem", "TransactWriteItems", "TransactWriteItems"];

/// The end of a lease acquired at the system's time: 10 s for fetching the token and 25 s for the
/// rest.
fn end(fixture: &OAuthFixture) -> Timestamp {
    fixture.system.time() + SignedDuration::from_secs(10 + 25)
}

/// Until the lease ends, others wait. After that, one of them fetches a token.
async fn is_waited_for(fixture: &mut OAuthFixture, end: Timestamp, context: &str) {
    let asked = fixture.asked();
    fixture.issuer.set_reply(token("second"));
    for time in [
        fixture.system.time(),
        end - SignedDuration::from_millis(500),
    ] {
        fixture.system.set_time(time);
        let process = fixture.process().await;
        let result = fixture.call(&process, SHORT).await;
        assert!(
            matches!(&result, Err(ConnectError::NoToken(why)) if why.contains("timeout")),
            "{context}: {result:?}"
        );
        assert_eq!(fixture.asked(), asked, "{context}: before the lease's end");
    }
    fixture.system.set_time(end);
    let process = fixture.process().await;
    assert_eq!(
        fixture.call(&process, TIMEOUT).await.expect("a response"),
        200,
        "{context}"
    );
    assert_eq!(
        (fixture.asked(), fixture.bearers()),
        (asked + 1, vec!["Bearer second".to_owned()]),
        "{context}"
    );
}

#[tokio::test]
async fn dead_lease_holder_blocks_until_the_lease_ends() {
    for (n, operation) in CALLS.iter().enumerate() {
        for fault in [FaultPlan::CrashBefore, FaultPlan::CrashAfter] {
            let context = format!("{fault:?} at call {n}, {operation}");
            let mut fixture = OAuthFixture::new(Receiver::replying([token("first")])).await;
            assert!(
                fixture.call_broken(n, fault, TIMEOUT).await.is_none(),
                "{context}: the process crashes"
            );
            match (n, fault) {
                (1, FaultPlan::CrashAfter) | (2, FaultPlan::CrashBefore) => {
                    let end = end(&fixture);
                    is_waited_for(&mut fixture, end, &context).await;
                }
                // Before it acquired the lease or after it returned it: no other request waits.
                _ => {
                    let process = fixture.process().await;
                    assert_eq!(
                        fixture.call(&process, TIMEOUT).await.expect("a response"),
                        200,
                        "{context}"
                    );
                    assert_eq!(
                        (fixture.asked(), fixture.bearers()),
                        (1, vec!["Bearer first".to_owned()]),
                        "{context}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn lease_holder_that_dies_during_its_request_blocks_until_the_lease_ends() {
    let mut fixture = OAuthFixture::new(Receiver::replying([Reply::hang()])).await;
    let process = fixture.process().await;
    tokio::select! {
        result = fixture.call(&process, TIMEOUT) => panic!("{result:?}"),
        _ = fixture.issuer.wait_for(1) => {}
    }
    let end = end(&fixture);
    is_waited_for(&mut fixture, end, "crash while fetching").await;
}

/// The SDK retries a call whose response was lost, and the write of the token is retried once after
/// any error.
#[tokio::test]
async fn retried_calls_do_not_wait_for_their_own_lease() {
    let lost = CALLS
        .iter()
        .enumerate()
        .map(|(n, operation)| (n, *operation, FaultPlan::ResponseLost));
    let failed = (
        2,
        "TransactWriteItems",
        FaultPlan::Fails("ResourceNotFoundException"),
    );
    for (n, operation, fault) in lost.chain([failed]) {
        let context = format!("{fault:?} at call {n}, {operation}");
        let fixture = OAuthFixture::new(Receiver::replying([token("first")])).await;
        let status = fixture
            .call_broken(n, fault, TIMEOUT)
            .await
            .expect("no crash");
        assert_eq!(
            status.unwrap_or_else(|error| panic!("{context}: {error}")),
            200,
            "{context}"
        );
        let process = fixture.process().await;
        assert_eq!(
            fixture.call(&process, TIMEOUT).await.expect("a response"),
            200,
            "{context}"
        );
        assert_eq!(
            (fixture.asked(), fixture.bearers()),
            (1, vec!["Bearer first".to_owned(); 2]),
            "{context}"
        );
    }
}

/// A holder that finishes after its lease uses its own token and keeps the one that others have
/// stored since.
#[tokio::test]
async fn late_lease_holder_changes_nothing() {
    let fixture =
        OAuthFixture::new(Receiver::replying([token("first").held(), token("second")])).await;
    let [late, other, third] = [
        fixture.process().await,
        fixture.process().await,
        fixture.process().await,
    ];
    let end = end(&fixture);
    let concurrent = async {
        fixture.issuer.wait_for(1).await;
        let status = fixture
            .call_with(&other, &fixture.account, end, TIMEOUT)
            .await
            .expect("a response");
        fixture.issuer.release();
        status
    };
    let (of_late, of_other) = tokio::join!(fixture.call(&late, TIMEOUT), concurrent);
    assert_eq!((of_late.expect("a response"), of_other), (200, 200));
    assert_eq!(
        fixture
            .call_with(&third, &fixture.account, end, TIMEOUT)
            .await
            .expect("a response"),
        200
    );
    assert_eq!(
        (fixture.asked(), fixture.bearers()),
        (
            2,
            ["Bearer second", "Bearer first", "Bearer second"]
                .map(str::to_owned)
                .to_vec()
        )
    );
}
