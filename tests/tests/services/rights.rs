//! IAM rights of the functions that communicate with third parties: the template grants exactly
//! what the code needs.

use std::collections::BTreeSet;

use domain::inbound::Key;
use lambda_http::{Body, http};
use serde_json::json;
use tests::{
    fake::{Call, FaultPlan, functions::PUBLIC_URL, sqs::Name, system::System},
    receiver::{Receiver, Reply},
    rights::{Rights, allowed, taken, unused_patterns},
};

use crate::{
    inbound::{InboundFixture, user},
    oauth::token,
};

#[tokio::test]
async fn inbound_uses_exactly_the_rights_of_its_role() {
    let mut fixture = InboundFixture::new().await;
    fixture.system.user(user('B')).await;
    fixture.system.hand_over(&fixture.stored, user('B')).await;
    let provider = fixture.system.provider("SMS").await;
    fixture.system.begin_count();
    let request = fixture.request("d-1");
    assert_eq!(
        fixture.accepted(&request).await,
        fixture.accepted(&request).await
    );
    // A provider's report uses other keys.
    let key = provider.key.as_ref().expect("a key").expose();
    let report = http::Request::post(format!("{PUBLIC_URL}/in/{key}"))
        .header("content-type", "application/json");
    let report = report
        .body(Body::from(r#"{"id": "theirs", "status": "delivered"}"#))
        .expect("a request");
    assert_eq!(
        fixture.call(&report).await,
        Some((202, json!({"reports": 1})))
    );
    let calls = fixture.system.fake.state().calls.clone();
    assert_eq!(taken(&calls), allowed("InboundFunction"));
    assert_eq!(unused_patterns("InboundFunction", &calls), BTreeSet::new());
}

/// A webhook that sends to a connected service with a token: it fails, loses a response, and
/// finally responds with 410. Another one has a delay.
#[tokio::test]
async fn delivery_uses_exactly_the_rights_of_its_role() {
    let issuer = Receiver::replying([token("first")]);
    let egress = platform::egress::Egress::new(tests::fake::system::allow());
    let mut system = System::new(&egress).await;
    let key = Key::new("AbCdEfGhIjKlMnOpQrSt-_", user('A'));
    system.user(user('A')).await;
    let account = json!({
        "type": "oauth2", "grant_type": "client_credentials", "token_url": issuer.url_of("/token"), "client_id": "client",
        "client_secret": "the client's secret",
    });
    let service = system
        .service(
            &system.receiver.url_of("crm"),
            Some(key),
            account,
            json!({"type": "none"}),
        )
        .await;
    let to_service = json!({
        "url": null, "service_id": service.service.id, "path": "/contacts",
        "retry": {"type": "custom", "delays_seconds": [60, 60]},
    });
    system.webhook("CRM", to_service).await;
    let delayed = json!({"delay_seconds": 5, "unless": {"events": ["message"], "key": "from"}});
    system.webhook("delayed", delayed).await;
    let mut count = 0;
    system.receiver.script(move |request| {
        if request.name() == "delayed" {
            return Reply::status(200);
        }
        count += 1;
        Reply::status(if count == 3 { 410 } else { 500 })
    });
    system.publish("message", json!({"from": PUBLIC_URL})).await;
    system
        .put(Name::Retries, "no message at all".to_owned())
        .await;
    system.restart();

    // The process crashes before the follow-up of the second attempt, so that its message is
    // redelivered.
    let mut retries = 0;
    system.fake.plan(move |call| {
        retries += usize::from(
            call.operation == "SendMessage" && call.request["QueueUrl"] == Name::Retries.url(),
        );
        if retries == 2 {
            FaultPlan::CrashBefore
        } else {
            FaultPlan::NoFault
        }
    });
    let (mut calls, mut of_dispatch): (Vec<Call>, Vec<Call>) = (Vec::new(), Vec::new());
    loop {
        system.begin_count();
        let Some((queue, _)) = system.step().await else {
            break;
        };
        let of_function = if queue == Name::Events {
            &mut of_dispatch
        } else {
            &mut calls
        };
        of_function.append(&mut system.fake.state().calls);
        if system.crashes == 1 {
            system.fake.plan(|_| FaultPlan::NoFault);
        }
    }
    assert_eq!((system.crashes, system.receiver.requests().len()), (1, 4));
    // Lambda uses the first three on the function's behalf. No message is returned to the queue
    // here.
    let consumed = [
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ChangeMessageVisibility",
    ];
    let made: Rights = allowed("DeliveryFunction")
        .into_iter()
        .filter(|(action, _)| !consumed.contains(&&**action))
        .collect();
    assert_eq!(taken(&calls), made);
    // Other tests send messages.
    let of_messages = [
        "read calls#*",
        "read messages#*",
        "read provider#*",
        "read provider-message#*",
        "write calls#*",
        "write messages#*",
        "write provider-message#*",
    ];
    let unused: BTreeSet<String> = of_messages.map(str::to_owned).into();
    assert_eq!(unused_patterns("DeliveryFunction", &calls), unused);
    // Dispatch reads an event only if its message is redelivered.
    let unused = BTreeSet::from(["read events#*".to_owned()]);
    assert_eq!(unused_patterns("DispatchFunction", &of_dispatch), unused);
}
