//! Outages of the services: what was accepted is delivered once they are well again, and nobody has
//! to help.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use domain::{delivery::Status, id::DeliveryId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tests::fake::{
    Call, Fate,
    receiver::Reply,
    sqs::{Name, Queues},
    world::{World, deadline},
};

/// Lets these operations fail until `end`.
fn fail_until(
    world: &World,
    end: Timestamp,
    fails: impl Fn(&str) -> bool + Send + 'static,
) -> Arc<Mutex<Timestamp>> {
    let now = Arc::new(Mutex::new(world.time()));
    let clock = Arc::clone(&now);
    world.fake.plan(move |call| {
        let out = *clock.lock().expect("nobody has panicked") < end && fails(&call.operation);
        if out {
            Fate::Fails("InternalServerError")
        } else {
            Fate::Answered
        }
    });
    now
}

/// When the next message is seen.
fn next(world: &World) -> Option<Timestamp> {
    world.fake.state().queues.next().map(|(next, _)| next)
}

/// How many messages there are of deliveries without an attempt.
fn first_attempts(world: &World) -> usize {
    let state = world.fake.state();
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
async fn after_an_hour_without_the_table_every_event_is_delivered() {
    let mut world = super::world().await;
    let (plain, failing) = (
        world.webhook("plain", json!({})).await,
        json!({"retry": {"type": "standard"}}),
    );
    let retried = world.webhook("retried", failing).await;
    let started = world.time();
    world.receiver.script(move |hit| match hit.path.as_str() {
        "retried" if hit.at < started + SignedDuration::from_mins(90) => Reply::Status(500),
        _ => Reply::Status(200),
    });
    // Some wait for their retry, some for their first attempt, and the others to be dispatched.
    let mut events = Vec::new();
    for n in 0..3 {
        events.push(world.publish("message", json!({"n": n})).await);
    }
    while !world.fake.state().queues.on(Name::Events).is_empty() || events.len() == 3 {
        world
            .step_on(&[Name::Events, Name::Deliveries])
            .await
            .expect("work");
        if events.len() == 3 && world.receiver.hits().len() == 6 {
            events.push(world.publish("message", json!({"n": 3})).await);
        }
    }
    events.push(world.publish("message", json!({"n": 4})).await);

    let end = started + SignedDuration::from_hours(1);
    let now = fail_until(&world, end, |operation| DYNAMODB.contains(&operation));
    let before = world.receiver.hits().len();
    while let Some(next) = next(&world).filter(|next| *next < end) {
        *now.lock().expect("nobody has panicked") = next.max(world.time());
        world.step().await.expect("a batch");
    }
    assert_eq!(
        world.receiver.hits().len(),
        before,
        "nobody is called whose delivery can't be read"
    );
    let receives = world.fake.state().queues.on(Name::Events)[0].received;
    assert!(
        (15..30).contains(&receives),
        "{receives} receives in an hour"
    );
    *now.lock().expect("nobody has panicked") = end;
    while first_attempts(&world) > 0 {
        world.step().await.expect("a batch");
    }
    assert!(
        world.time() <= end + SignedDuration::from_secs(310),
        "all is at work again: {}",
        world.time()
    );
    world.run().await;
    for event in events {
        for webhook in [&plain, &retried] {
            let (row, _) = world
                .history(DeliveryId {
                    event: event.id,
                    webhook: webhook.id,
                })
                .await
                .expect("a delivery");
            assert_eq!(row.status, Status::Succeeded);
        }
    }
    assert!(world.fake.state().queues.on(Name::Dead).is_empty());
}

#[tokio::test]
async fn a_message_that_failed_comes_back_in_seconds_and_then_slower() {
    let mut world = super::world().await;
    world.webhook("hook", json!({})).await;
    world.publish("message", json!({})).await;
    world.step().await.expect("the event");
    world.fake.plan(|call| {
        if call.operation == "BatchGetItem" {
            Fate::Fails("InternalServerError")
        } else {
            Fate::Answered
        }
    });
    let mut waits = Vec::new();
    for _ in 0..10 {
        world.step().await.expect("the attempt");
        let next = next(&world).expect("the message");
        waits.push(next.duration_since(world.time()).as_secs());
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);

    // Should that fail as well, the visibility timeout brings it back.
    world.fake.plan(|call| match call.operation.as_str() {
        "BatchGetItem" | "ChangeMessageVisibilityBatch" => Fate::Fails("InternalServerError"),
        _ => Fate::Answered,
    });
    world.step().await.expect("the attempt");
    let next = next(&world).expect("the message");
    assert_eq!(next.duration_since(world.time()).as_secs(), 360);
}

/// Sweeps, and says how many dead letters went back.
async fn redriven(world: &World) -> usize {
    let request = sweeper::Request {
        now: world.time().to_string(),
    };
    let sweeper = world.sweeper();
    world
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
async fn what_sqs_moved_to_the_dead_letters_goes_back_and_what_a_function_sent_there_stays() {
    let mut world = super::world().await;
    let webhook = world
        .webhook(
            "hook",
            json!({"retry": {"type": "custom", "delays_seconds": [600]}}),
        )
        .await;
    let mut count = 0;
    world.receiver.script(move |_| {
        count += 1;
        Reply::Status(if count == 1 { 500 } else { 200 })
    });
    let mut events = vec![world.publish("message", json!({})).await];
    world.step().await.expect("the event");
    world.step().await.expect("the first attempt");
    events.push(world.publish("message", json!({})).await);
    world.step_on(&[Name::Events]).await.expect("the event");
    events.push(world.publish("message", json!({})).await);
    world.put(Name::Deliveries, "nonsense".to_owned()).await;
    let first = world.fake.state().queues.on(Name::Deliveries)[1].clone();
    world
        .work(Name::Deliveries, &[first])
        .await
        .expect("an answer");
    let expected = BTreeMap::from([
        (Name::Events, 1),
        (Name::Deliveries, 1),
        (Name::Retries, 1),
        (Name::Dead, 1),
    ]);
    assert_eq!(by_queue(&world.fake.state().queues), expected);
    for queue in [Name::Events, Name::Deliveries, Name::Retries] {
        let id = world.fake.state().queues.on(queue)[0].id.clone();
        world.fake.state().queues.give_up(&id, world.time());
    }
    assert_eq!(redriven(&world).await, 3);
    assert_eq!(by_queue(&world.fake.state().queues), expected);
    let left = world.fake.state().queues.on(Name::Dead);
    assert_eq!(
        (left[0].body.as_str(), left[0].visible_at),
        ("nonsense", world.time()),
        "it is not hidden from the alarm"
    );
    world.run().await;
    for event in events {
        let (row, _) = world
            .history(DeliveryId {
                event: event.id,
                webhook: webhook.id,
            })
            .await
            .expect("a delivery");
        assert_eq!(row.status, Status::Succeeded);
    }

    // What comes back again and again stays: it is the message that is wrong.
    world.publish("message", json!({})).await;
    for round in 0..5 {
        let ids: BTreeSet<String> = world
            .fake
            .state()
            .queues
            .on(Name::Events)
            .into_iter()
            .map(|message| message.id)
            .collect();
        for id in ids {
            world.fake.state().queues.give_up(&id, world.time());
        }
        assert_eq!(
            redriven(&world).await,
            usize::from(round < 3),
            "round {round}"
        );
    }
    assert_eq!(world.fake.state().queues.on(Name::Dead).len(), 2);
}

#[tokio::test]
async fn overdue_delivery_that_fails_holds_up_no_dead_letter() {
    let mut world = super::world().await;
    world
        .webhook(
            "hook",
            json!({"retry": {"type": "custom", "delays_seconds": [600]}}),
        )
        .await;
    world.receiver.script(|_| Reply::Status(500));
    world.publish("message", json!({})).await;
    world.step().await.expect("the event");
    world.step().await.expect("the first attempt");
    world.publish("message", json!({})).await;
    let id = world.fake.state().queues.on(Name::Events)[0].id.clone();
    world.fake.state().queues.give_up(&id, world.time());
    world.set_time(world.time() + SignedDuration::from_hours(2));
    let put = |call: &Call| {
        call.operation == "PutItem" && call.request.to_string().contains("deliveries#")
    };
    world.fake.plan(move |call| {
        if put(call) {
            Fate::Fails("ResourceNotFoundException")
        } else {
            Fate::Answered
        }
    });
    let (sweeper, request) = (
        world.sweeper(),
        sweeper::Request {
            now: world.time().to_string(),
        },
    );
    world
        .at(sweeper::handle(&sweeper, &request, deadline()))
        .await
        .expect_err("its row is not written");
    let queues = &world.fake.state().queues;
    assert_eq!(
        (queues.on(Name::Dead).len(), queues.on(Name::Events).len()),
        (0, 1)
    );
}

#[tokio::test]
async fn while_the_table_fails_dead_letters_stay() {
    let world = super::world().await;
    world.publish("message", json!({})).await;
    let id = world.fake.state().queues.on(Name::Events)[0].id.clone();
    world.fake.state().queues.give_up(&id, world.time());
    world.fake.plan(|call| {
        if call.operation == "Query" {
            Fate::Fails("InternalServerError")
        } else {
            Fate::Answered
        }
    });
    let (sweeper, request) = (
        world.sweeper(),
        sweeper::Request {
            now: world.time().to_string(),
        },
    );
    world
        .at(sweeper::handle(&sweeper, &request, deadline()))
        .await
        .expect_err("the table fails");
    assert_eq!(world.fake.state().queues.on(Name::Dead).len(), 1);
    world.fake.plan(|_| Fate::Answered);
    assert_eq!(redriven(&world).await, 1);
}
