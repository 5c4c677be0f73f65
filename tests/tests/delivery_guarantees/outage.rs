//! Outages of AWS services: accepted events are delivered once the services recover, without manual
//! action.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use domain::{delivery::Status, id::DeliveryId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tests::{
    fake::{
        Call, FaultPlan,
        sqs::{Name, Queues},
        system::{System, deadline},
    },
    receiver::Reply,
};

/// Lets these operations fail until `end`.
fn fail_until(
    system: &System,
    end: Timestamp,
    fails: impl Fn(&str) -> bool + Send + 'static,
) -> Arc<Mutex<Timestamp>> {
    let now = Arc::new(Mutex::new(system.time()));
    let clock = Arc::clone(&now);
    system.fake.plan(move |call| {
        let out = *clock.lock().expect("the lock is not poisoned") < end && fails(&call.operation);
        if out {
            FaultPlan::Fails("InternalServerError")
        } else {
            FaultPlan::NoFault
        }
    });
    now
}

/// When the next message becomes visible.
fn next(system: &System) -> Option<Timestamp> {
    system.fake.state().queues.next().map(|(next, _)| next)
}

/// The number of messages of deliveries without an attempt.
fn first_attempts(system: &System) -> usize {
    let state = system.fake.state();
    state.queues.on(Name::Events).len() + state.queues.on(Name::Deliveries).len()
}

const DYNAMODB: [&str; 7] = [
    "BatchGetItem",
    "DeleteItem",
    "GetItem",
    "PutItem",
    "Query",
    "TransactWriteItems",
    "UpdateItem",
];

#[tokio::test]
async fn hour_long_table_outage_loses_no_event() {
    let mut system = super::system().await;
    let (plain, failing) = (
        system.webhook("plain", json!({})).await,
        json!({"retry": {"type": "standard"}}),
    );
    let retried = system.webhook("retried", failing).await;
    let started = system.time();
    system.receiver.script(move |request| match request.name() {
        "retried" if request.at < started + SignedDuration::from_mins(90) => Reply::status(500),
        _ => Reply::status(200),
    });
    // Some await their retry, some their first attempt, and the others their dispatch.
    let mut events = Vec::new();
    for n in 0..3 {
        events.push(system.publish("message", json!({"n": n})).await);
    }
    while !system.fake.state().queues.on(Name::Events).is_empty() || events.len() == 3 {
        system
            .step_on(&[Name::Events, Name::Deliveries])
            .await
            .expect("work");
        if events.len() == 3 && system.receiver.requests().len() == 6 {
            events.push(system.publish("message", json!({"n": 3})).await);
        }
    }
    events.push(system.publish("message", json!({"n": 4})).await);

    let end = started + SignedDuration::from_hours(1);
    let now = fail_until(&system, end, |operation| DYNAMODB.contains(&operation));
    let before = system.receiver.requests().len();
    while let Some(next) = next(&system).filter(|next| *next < end) {
        *now.lock().expect("the lock is not poisoned") = next.max(system.time());
        system.step().await.expect("a batch");
    }
    assert_eq!(
        system.receiver.requests().len(),
        before,
        "no request is sent for an unreadable delivery"
    );
    let receives = system.fake.state().queues.on(Name::Events)[0].received;
    assert!(
        (15..30).contains(&receives),
        "{receives} receives in an hour"
    );
    *now.lock().expect("the lock is not poisoned") = end;
    while first_attempts(&system) > 0 {
        system.step().await.expect("a batch");
    }
    assert!(
        system.time() <= end + SignedDuration::from_secs(310),
        "everything is processed again: {}",
        system.time()
    );
    system.run().await;
    for event in events {
        for webhook in [&plain, &retried] {
            let (row, _) = system
                .history(DeliveryId {
                    event: event.id,
                    webhook: webhook.id,
                })
                .await
                .expect("a delivery");
            assert_eq!(row.status, Status::Succeeded);
        }
    }
    assert!(system.fake.state().queues.on(Name::Dead).is_empty());
}

#[tokio::test]
async fn failed_message_returns_with_growing_delay() {
    let mut system = super::system().await;
    system.webhook("hook", json!({})).await;
    system.publish("message", json!({})).await;
    system.step().await.expect("the event");
    system.fake.plan(|call| {
        if call.operation == "BatchGetItem" {
            FaultPlan::Fails("InternalServerError")
        } else {
            FaultPlan::NoFault
        }
    });
    let mut waits = Vec::new();
    for _ in 0..10 {
        system.step().await.expect("the attempt");
        let next = next(&system).expect("the message");
        waits.push(next.duration_since(system.time()).as_secs());
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);

    // If that fails as well, the visibility timeout applies.
    system.fake.plan(|call| match call.operation.as_str() {
        "BatchGetItem" | "ChangeMessageVisibilityBatch" => FaultPlan::Fails("InternalServerError"),
        _ => FaultPlan::NoFault,
    });
    system.step().await.expect("the attempt");
    let next = next(&system).expect("the message");
    assert_eq!(next.duration_since(system.time()).as_secs(), 360);
}

/// Runs the sweeper, and returns the number of redriven dead letters.
async fn redriven(system: &System) -> usize {
    let request = sweeper::Request {
        now: system.time().to_string(),
    };
    let sweeper = system.sweeper();
    system
        .at(sweeper::handle(&sweeper, &request, deadline()))
        .await
        .expect("swept")
        .redriven
}

fn by_queue(queues: &Queues) -> BTreeMap<Name, usize> {
    let names = [Name::Events, Name::Deliveries, Name::Retries, Name::Dead];
    names
        .into_iter()
        .map(|name| (name, queues.on(name).len()))
        .filter(|(_, count)| *count > 0)
        .collect()
}

#[tokio::test]
async fn sweeper_redrives_only_messages_dead_lettered_by_sqs() {
    let mut system = super::system().await;
    let webhook = system
        .webhook(
            "hook",
            json!({"retry": {"type": "custom", "delays_seconds": [600]}}),
        )
        .await;
    let mut count = 0;
    system.receiver.script(move |_| {
        count += 1;
        Reply::status(if count == 1 { 500 } else { 200 })
    });
    let mut events = vec![system.publish("message", json!({})).await];
    system.step().await.expect("the event");
    system.step().await.expect("the first attempt");
    events.push(system.publish("message", json!({})).await);
    system.step_on(&[Name::Events]).await.expect("the event");
    events.push(system.publish("message", json!({})).await);
    system.put(Name::Deliveries, "nonsense".to_owned()).await;
    let first = system.fake.state().queues.on(Name::Deliveries)[1].clone();
    system
        .work(Name::Deliveries, &[first])
        .await
        .expect("a response");
    let expected = BTreeMap::from([
        (Name::Events, 1),
        (Name::Deliveries, 1),
        (Name::Retries, 1),
        (Name::Dead, 1),
    ]);
    assert_eq!(by_queue(&system.fake.state().queues), expected);
    for queue in [Name::Events, Name::Deliveries, Name::Retries] {
        let id = system.fake.state().queues.on(queue)[0].id.clone();
        system.fake.state().queues.give_up(&id, system.time());
    }
    assert_eq!(redriven(&system).await, 3);
    assert_eq!(by_queue(&system.fake.state().queues), expected);
    let left = system.fake.state().queues.on(Name::Dead);
    assert_eq!(
        (left[0].body.as_str(), left[0].visible_at),
        ("nonsense", system.time()),
        "it is not hidden from the alarm"
    );
    system.run().await;
    for event in events {
        let (row, _) = system
            .history(DeliveryId {
                event: event.id,
                webhook: webhook.id,
            })
            .await
            .expect("a delivery");
        assert_eq!(row.status, Status::Succeeded);
    }

    // A message that fails after each redrive stays: the message itself is the cause.
    system.publish("message", json!({})).await;
    for round in 0..5 {
        let ids: BTreeSet<String> = system
            .fake
            .state()
            .queues
            .on(Name::Events)
            .into_iter()
            .map(|message| message.id)
            .collect();
        for id in ids {
            system.fake.state().queues.give_up(&id, system.time());
        }
        assert_eq!(
            redriven(&system).await,
            usize::from(round < 3),
            "round {round}"
        );
    }
    assert_eq!(system.fake.state().queues.on(Name::Dead).len(), 2);
}

#[tokio::test]
async fn failed_overdue_delivery_does_not_block_the_redrive() {
    let mut system = super::system().await;
    system
        .webhook(
            "hook",
            json!({"retry": {"type": "custom", "delays_seconds": [600]}}),
        )
        .await;
    system.receiver.script(|_| Reply::status(500));
    system.publish("message", json!({})).await;
    system.step().await.expect("the event");
    system.step().await.expect("the first attempt");
    system.publish("message", json!({})).await;
    let id = system.fake.state().queues.on(Name::Events)[0].id.clone();
    system.fake.state().queues.give_up(&id, system.time());
    system.set_time(system.time() + SignedDuration::from_hours(2));
    let put = |call: &Call| {
        call.operation == "PutItem" && call.request.to_string().contains("deliveries#")
    };
    system.fake.plan(move |call| {
        if put(call) {
            FaultPlan::Fails("ResourceNotFoundException")
        } else {
            FaultPlan::NoFault
        }
    });
    let (sweeper, request) = (
        system.sweeper(),
        sweeper::Request {
            now: system.time().to_string(),
        },
    );
    system
        .at(sweeper::handle(&sweeper, &request, deadline()))
        .await
        .expect_err("its row is not written");
    let queues = &system.fake.state().queues;
    assert_eq!(
        (queues.on(Name::Dead).len(), queues.on(Name::Events).len()),
        (0, 1)
    );
}

#[tokio::test]
async fn table_outage_postpones_the_redrive() {
    let system = super::system().await;
    system.publish("message", json!({})).await;
    let id = system.fake.state().queues.on(Name::Events)[0].id.clone();
    system.fake.state().queues.give_up(&id, system.time());
    system.fake.plan(|call| {
        if call.operation == "Query" {
            FaultPlan::Fails("InternalServerError")
        } else {
            FaultPlan::NoFault
        }
    });
    let (sweeper, request) = (
        system.sweeper(),
        sweeper::Request {
            now: system.time().to_string(),
        },
    );
    system
        .at(sweeper::handle(&sweeper, &request, deadline()))
        .await
        .expect_err("the table fails");
    assert_eq!(system.fake.state().queues.on(Name::Dead).len(), 1);
    system.fake.plan(|_| FaultPlan::NoFault);
    assert_eq!(redriven(&system).await, 1);
}
