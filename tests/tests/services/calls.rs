//! Requests of third parties: one delivery becomes one event wherever a request crashes, and
//! requests have a fixed cost.

use std::collections::BTreeSet;

use domain::{delivery::Status, id::DeliveryId};
use jiff::SignedDuration;
use lambda_http::{
    Body,
    http::{HeaderValue, Method, Request, StatusCode},
};
use serde_json::json;
use tests::fake::{
    FaultPlan,
    functions::{PUBLIC_URL, inbound},
};

use crate::inbound::{InboundFixture, user};

/// A failure that the SDK does not retry.
const FAILS: FaultPlan = FaultPlan::Fails("ResourceNotFoundException");

impl InboundFixture {
    fn later(&mut self, time: SignedDuration) {
        self.system.set_time(self.system.time() + time);
    }
}

#[tokio::test]
async fn repeated_call_after_any_crash_is_the_same_event() {
    let mut whole = InboundFixture::new().await;
    whole.system.begin_count();
    whole.accepted(&whole.request("d-1")).await;
    let operations = whole.operations();
    assert_eq!(
        operations,
        [
            "GetSecretValue",
            "BatchGetItem",
            "PutItem",
            "PutItem",
            "SendMessage",
            "PutItem",
            "PutItem"
        ]
    );
    for (n, operation) in operations.iter().enumerate() {
        for fault in [
            FaultPlan::CrashBefore,
            FaultPlan::CrashAfter,
            FaultPlan::ResponseLost,
            FAILS,
        ] {
            broken_at(n, fault, &format!("{fault:?} at call {n}, {operation}")).await;
        }
    }
}

#[tokio::test]
async fn report_with_a_non_utf8_form_is_accepted() {
    let mut fixture = InboundFixture::new().await;
    let provider = fixture.system.provider("SMS").await;
    let key = provider.key.as_ref().expect("a key").expose();
    let report = Request::post(format!("{PUBLIC_URL}/in/{key}"));
    let report = report.header("content-type", "application/x-www-form-urlencoded");
    let report = report
        .body(Body::from("id=theirs&status=delivered&text=Jos%E9"))
        .expect("a request");
    assert_eq!(
        fixture.call(&report).await,
        Some((202, json!({"reports": 1})))
    );
}

async fn broken_at(n: usize, fault: FaultPlan, context: &str) {
    let mut fixture = InboundFixture::new().await;
    let receiver = fixture
        .system
        .webhook("receiver", json!({"events": ["service.received"]}))
        .await;
    let request = fixture.request("d-1");
    fixture.system.begin_count();
    fixture.system.fake.plan(move |call| {
        if call.index == n {
            fault
        } else {
            FaultPlan::NoFault
        }
    });
    let first = fixture.call(&request).await;
    fixture.system.fake.plan(|_| FaultPlan::NoFault);
    let begun = fixture.sent().len();

    fixture.later(SignedDuration::from_secs(1));
    let id = fixture.accepted(&request).await;
    match first {
        Some((202, body)) => assert_eq!(body["id"], id, "{context}"),
        Some((500, body)) => assert_eq!(body["type"], "/problems/internal", "{context}"),
        Some((status, body)) => panic!("{context}: {status} {body}"),
        None => {}
    }
    let sent = fixture.sent();
    assert!(
        sent.iter().all(|sent| *sent == id),
        "{context}: {sent:?}, but the response is {id}"
    );
    // The second request sends it unless the first one completed its claim.
    assert!(
        (1..=2).contains(&sent.len()) && sent.len() <= begun + 1,
        "{context}: {sent:?}"
    );

    fixture.later(SignedDuration::from_secs(1));
    assert_eq!(fixture.accepted(&request).await, id, "{context}");
    assert_eq!(fixture.sent(), sent, "{context}: a third call adds nothing");

    fixture.system.run().await;
    let requests = fixture.system.receiver.requests();
    // A duplicate message may cost a duplicate request, under the same ID.
    assert!(
        (1..=sent.len()).contains(&requests.len()),
        "{context}: {requests:?}"
    );
    assert!(
        requests.iter().all(|request| request.webhook_id() == id),
        "{context}: {requests:?}"
    );
    let delivery = DeliveryId {
        event: id.parse().expect("an id"),
        webhook: receiver.id,
    };
    let (row, attempts) = fixture.system.history(delivery).await.expect("a delivery");
    assert_eq!(
        (row.status, attempts.len()),
        (Status::Succeeded, 1),
        "{context}: dispatched once"
    );
}

#[tokio::test]
async fn call_is_deduplicated_for_a_day() {
    let mut fixture = InboundFixture::new().await;
    let request = fixture.request("d-1");
    let first = fixture.accepted(&request).await;
    fixture.later(SignedDuration::from_secs(24 * 3600 - 1));
    assert_eq!(fixture.accepted(&request).await, first);
    fixture.later(SignedDuration::from_secs(1));
    let second = fixture.accepted(&request).await;
    assert_ne!(second, first);
    assert_eq!(fixture.accepted(&request).await, second);
    assert_eq!(fixture.sent(), [first, second]);
}

/// Both find no claim, one of them creates it, and both return its event's ID.
#[tokio::test]
async fn concurrent_duplicate_calls_are_one_event() {
    let fixture = InboundFixture::new().await;
    let request = fixture.request("d-1");
    let apps = [(); 2].map(|()| inbound(&fixture.system.fake));
    let responses = fixture.system.at(async {
        tokio::join!(
            inbound::handle(&apps[0], &request),
            inbound::handle(&apps[1], &request)
        )
    });
    let (one, other) = responses.await;
    assert_eq!(
        one.expect("a response").body(),
        other.expect("a response").body()
    );
    let sent: BTreeSet<String> = fixture.sent().into_iter().collect();
    assert_eq!(sent.len(), 1);
}

#[tokio::test]
async fn captured_call_is_a_duplicate_whatever_its_unsigned_parts() {
    let mut fixture = InboundFixture::new().await;
    let request = fixture.request("d-1");
    let first = fixture.accepted(&request).await;
    let signature = request.headers()["x-hub-signature-256"]
        .to_str()
        .expect("text");
    for (name, value) in [
        ("x-github-delivery", "another".to_owned()),
        ("idempotency-key", "another".to_owned()),
        ("webhook-id", "another".to_owned()),
        (
            "x-hub-signature-256",
            signature.to_uppercase().replace("SHA256=", "sha256="),
        ),
    ] {
        let mut again = fixture.request("d-1");
        again
            .headers_mut()
            .insert(name, HeaderValue::try_from(value).expect("a value"));
        assert_eq!(fixture.accepted(&again).await, first, "{name}");
    }
    // Nor can one request take over the ID of another.
    let mut other = fixture.request("d-3");
    other
        .headers_mut()
        .insert("x-github-delivery", HeaderValue::from_static("another"));
    assert_ne!(fixture.accepted(&other).await, first);
    other
        .headers_mut()
        .insert("x-github-delivery", HeaderValue::from_static("d-1"));
    let third = fixture.accepted(&other).await;
    assert_eq!(
        third, first,
        "the unsigned ID identifies the delivery as well"
    );
    let other = fixture.request("d-2");
    assert_ne!(fixture.accepted(&other).await, first);
    assert_eq!(fixture.sent().len(), 3);
}

#[tokio::test]
async fn head_and_options_publish_nothing() {
    let mut fixture = InboundFixture::new().await;
    for method in [Method::HEAD, Method::OPTIONS] {
        let mut request = fixture.request("d-1");
        *request.method_mut() = method;
        let response = fixture
            .system
            .at(inbound::handle(&inbound(&fixture.system.fake), &request))
            .await
            .expect("a response");
        assert_eq!(
            (response.status(), response.body().len()),
            (StatusCode::OK, 0)
        );
        *request.uri_mut() = request
            .uri()
            .to_string()
            .replace("AbCd", "AbCe")
            .parse()
            .expect("a URI");
        assert_eq!(fixture.call(&request).await.expect("no crash").0, 404);
    }
    assert_eq!(fixture.sent().len(), 0);
}

#[tokio::test]
async fn call_costs_the_expected_operations() {
    let mut fixture = InboundFixture::new().await;
    let identified = fixture.request("d-1");
    fixture.accepted(&fixture.request("d-0")).await;
    assert_eq!(
        fixture.cost(&identified).await,
        (
            202,
            words("BatchGetItem PutItem PutItem SendMessage PutItem PutItem")
        )
    );
    let calls = fixture.system.fake.state().calls.clone();
    assert!(
        calls[1].request["ConditionExpression"].is_string(),
        "the claim is made if there is none"
    );
    assert_eq!(
        calls[0].request["RequestItems"]["table"]["ConsistentRead"],
        true
    );
    assert_eq!(
        fixture.cost(&identified).await,
        (202, words("BatchGetItem PutItem GetItem"))
    );

    // A rejected request costs only the reads that its rejection requires.
    let mut unsigned = fixture.request("d-2");
    unsigned
        .headers_mut()
        .insert("x-hub-signature-256", HeaderValue::from_static("sha256=00"));
    assert_eq!(fixture.cost(&unsigned).await, (401, words("BatchGetItem")));
    let mut unknown = fixture.request("d-2");
    *unknown.uri_mut() = unknown
        .uri()
        .to_string()
        .replace("AbCd", "AbCe")
        .parse()
        .expect("a URI");
    assert_eq!(fixture.cost(&unknown).await, (404, words("BatchGetItem")));
    *unknown.uri_mut() = "https://hooks.example.com/in/your-key"
        .parse()
        .expect("a URI");
    assert_eq!(fixture.cost(&unknown).await, (404, words("")));
    let mut large = fixture.request("d-2");
    *large.body_mut() = Body::from("x".repeat(256 * 1024 + 1));
    assert_eq!(fixture.cost(&large).await, (413, words("")));

    // The key names its first user. Another user takes one more read.
    fixture.system.user(user('B')).await;
    fixture.system.hand_over(&fixture.stored, user('B')).await;
    let handed = fixture.request("d-3");
    assert_eq!(
        fixture.cost(&handed).await,
        (
            202,
            words("BatchGetItem GetItem PutItem PutItem SendMessage PutItem PutItem")
        )
    );
    let data = fixture
        .system
        .fake
        .state()
        .queues
        .sent()
        .last()
        .expect("an event")
        .json()["data"]
        .clone();
    assert_eq!(data["user_id"], user('B').to_string());
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
