//! The rights of the functions that meet third parties: the template gives what their code takes,
//! and no more.

use std::collections::BTreeSet;

use domain::inbound::Key;
use lambda_http::{Body, http};
use serde_json::json;
use tests::{
    fake::{Call, Fate, receiver::Reply, services::PUBLIC_URL, sqs::Name, world::World},
    rights::{Rights, allowed, taken, unused_patterns},
    sink::Sink,
};

use crate::{
    desk::{Desk, user},
    process::token,
};

#[tokio::test]
async fn of_inbound() {
    let mut desk = Desk::new().await;
    desk.world.user(user('B')).await;
    desk.world.hand_over(&desk.stored, user('B')).await;
    let provider = desk.world.provider("SMS").await;
    desk.world.begin_count();
    let request = desk.request("d-1");
    assert_eq!(desk.accepted(&request).await, desk.accepted(&request).await);
    // A provider's report goes another way.
    let key = provider.key.as_ref().expect("a key").expose();
    let report = http::Request::post(format!("{PUBLIC_URL}/in/{key}"))
        .header("content-type", "application/json");
    let report = report
        .body(Body::from(r#"{"id": "theirs", "status": "delivered"}"#))
        .expect("a request");
    assert_eq!(desk.call(&report).await, Some((202, json!({"reports": 1}))));
    let calls = desk.world.fake.state().calls.clone();
    assert_eq!(taken(&calls), allowed("InboundFunction"));
    assert_eq!(unused_patterns("InboundFunction", &calls), BTreeSet::new());
}

/// A webhook that sends to a connected service, with a token; fails, loses an answer, and is gone
/// at last.
#[tokio::test]
async fn of_delivery() {
    let issuer = Sink::answering([token("first")]);
    let egress = platform::egress::Egress::new(tests::fake::world::allow());
    let mut world = World::new(&egress).await;
    let key = Key::new("AbCdEfGhIjKlMnOpQrSt-_", user('A'));
    world.user(user('A')).await;
    let account = json!({
        "type": "oauth2", "grant_type": "client_credentials", "token_url": issuer.at("/token"), "client_id": "client",
        "client_secret": "the client's secret",
    });
    let service = world
        .service(
            &world.receiver.url("crm"),
            Some(key),
            account,
            json!({"type": "none"}),
        )
        .await;
    let to_service = json!({
        "url": null, "service_id": service.service.id, "path": "/contacts",
        "retry": {"type": "custom", "delays_seconds": [60, 60]},
    });
    world.webhook("CRM", to_service).await;
    let mut count = 0;
    world.receiver.script(move |_| {
        count += 1;
        Reply::Status(if count == 3 { 410 } else { 500 })
    });
    world.publish("message", json!({"from": PUBLIC_URL})).await;
    world
        .put(Name::Retries, "no message at all".to_owned())
        .await;
    world.restart();

    // The process ends before what follows the second attempt, so that its message comes again.
    let mut retries = 0;
    world.fake.plan(move |call| {
        retries += usize::from(
            call.operation == "SendMessage" && call.request["QueueUrl"] == Name::Retries.url(),
        );
        if retries == 2 {
            Fate::CrashBefore
        } else {
            Fate::Answered
        }
    });
    let (mut calls, mut of_dispatch): (Vec<Call>, Vec<Call>) = (Vec::new(), Vec::new());
    loop {
        world.begin_count();
        let Some((queue, _)) = world.step().await else {
            break;
        };
        let of_function = if queue == Name::Events {
            &mut of_dispatch
        } else {
            &mut calls
        };
        of_function.append(&mut world.fake.state().calls);
        if world.crashes == 1 {
            world.fake.plan(|_| Fate::Answered);
        }
    }
    assert_eq!((world.crashes, world.receiver.hits().len()), (1, 3));
    // Lambda takes the first three on the function's behalf; no message is handed back here.
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
    // Sending messages is tested elsewhere.
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
    // It reads an event only when that comes again.
    let unused = BTreeSet::from(["read events#*".to_owned()]);
    assert_eq!(unused_patterns("DispatchFunction", &of_dispatch), unused);
}
