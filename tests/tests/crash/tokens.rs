//! The row names the one message that it waits for: copies, twins and older chains die.

use domain::{
    delivery::{Delivery, Message, Status},
    id::DeliveryId,
    webhook::DisabledReason,
};
use jiff::{SignedDuration, Timestamp};
use platform::{queue::ascii_json, random};
use serde_json::json;
use tests::fake::{
    Fate,
    receiver::Reply,
    sqs::{self, Name},
    world::World,
};

/// A delivery that fails, with two retries of 600 s, dispatched.
async fn failing(world: &mut World) -> DeliveryId {
    let webhook = world
        .webhook(
            "fails",
            json!({"retry": {"type": "custom", "delays_seconds": [600, 600]}}),
        )
        .await;
    world.receiver.script(|_| Reply::Status(500));
    let event = world.publish("message", json!({})).await;
    world.step().await.expect("the event");
    DeliveryId {
        event: event.id,
        webhook: webhook.id,
    }
}

async fn row(world: &World, id: DeliveryId) -> Delivery {
    world.history(id).await.expect("a delivery").0
}

/// The messages about deliveries that wait for their time, by number and token.
fn waiting(world: &World) -> Vec<(u32, String)> {
    let messages = world.fake.state().queues.on(Name::Retries);
    let message = |message: &sqs::Message| serde_json::from_str(&message.body).expect("a message");
    messages
        .iter()
        .map(message)
        .map(|message: Message| (message.ticket.number, message.ticket.token))
        .collect()
}

fn hits(world: &World) -> usize {
    world.receiver.hits().len()
}

#[tokio::test]
async fn what_is_not_awaited_is_dropped_without_a_call() {
    let mut world = super::world().await;
    let id = failing(&mut world).await;
    world.step().await.expect("the first attempt");
    let first = row(&world, id).await.last.expect("an attempt");
    world.step().await.expect("the second attempt");
    let (row, _) = world.history(id).await.expect("a delivery");
    let awaited = row.awaited_message().expect("a third attempt");
    let writes = world.fake.state().table.writes().len();
    let before = waiting(&world);
    assert_eq!(hits(&world), 2);
    for (number, token, what) in [
        (3, "another", "the awaited number under another token"),
        (
            2,
            awaited.ticket.token.as_str(),
            "a recorded number under the awaited token",
        ),
        (
            4,
            awaited.ticket.token.as_str(),
            "a later number under the awaited token",
        ),
        (2, "another", "the last number under another token"),
        (1, first.token.as_str(), "an older attempt"),
        (1, "another", "the first number under another token"),
    ] {
        let mut stale = awaited.clone();
        (stale.ticket.number, stale.ticket.token, stale.due_at) = (number, token.to_owned(), None);
        world
            .put(Name::Retries, ascii_json(&stale).expect("JSON"))
            .await;
        world.begin_count();
        world.step().await.expect("the stale one");
        assert_eq!(
            world.fake.counts(),
            [("BatchGetItem".to_owned(), 1)].into(),
            "{what}"
        );
        assert_eq!(
            (hits(&world), waiting(&world)),
            (2, before.clone()),
            "{what}"
        );
    }
    assert_eq!(world.fake.state().table.writes().len(), writes);
    world.run().await;
    assert_eq!(hits(&world), 3);
}

/// A copy under the same token comes from SQS or from a crash; one under another token from a
/// repeated dispatch.
#[tokio::test]
async fn a_twin_costs_one_repeated_call_and_dies() {
    for other_token in [false, true] {
        for number in 1..=3 {
            let mut world = super::world().await;
            let id = failing(&mut world).await;
            for _ in 1..number {
                world.step().await.expect("an attempt");
            }
            let mut twin = {
                let state = world.fake.state();
                state
                    .queues
                    .next()
                    .map(|(_, queue)| state.queues.on(queue).remove(0))
                    .expect("a message")
            };
            if other_token && number == 1 {
                let mut message: Message = serde_json::from_str(&twin.body).expect("a message");
                message.ticket.token = random::token();
                twin.body = ascii_json(&message).expect("JSON");
            }
            world.fake.state().queues.copy(&twin);
            world.step().await.expect("both");
            assert_eq!(
                hits(&world),
                number + 1,
                "the twin of attempt {number} is called"
            );
            world.run().await;
            assert_eq!(hits(&world), 3 + 1, "the twin of attempt {number} lives on");
            let (row, attempts) = world.history(id).await.expect("a delivery");
            assert_eq!((row.status, attempts.len()), (Status::Failed, 3));
        }
    }
}

/// A message that comes again long after its attempt takes the place of the one that it led to.
#[tokio::test]
async fn of_two_follow_ups_one_is_awaited() {
    let mut world = super::world().await;
    let id = failing(&mut world).await;
    let first = world.fake.state().queues.on(Name::Deliveries).remove(0);
    world.step().await.expect("the first attempt");
    for _ in 0..3 {
        world.fake.state().queues.copy(&first);
        world.step().await.expect("a copy");
        assert_eq!(hits(&world), 1);
        let awaited = row(&world, id).await.awaited.expect("awaited").ticket;
        assert!(
            waiting(&world).contains(&(awaited.number, awaited.token)),
            "what is awaited is queued"
        );
    }
    world.run().await;
    assert_eq!(hits(&world), 3);
}

/// A repeated follow-up sends before it writes, so its message is awaited whether or not that write
/// comes about.
#[tokio::test]
async fn a_renewed_message_may_come_before_the_row_names_it() {
    let mut world = super::world().await;
    failing(&mut world).await;
    let first = world.fake.state().queues.on(Name::Deliveries).remove(0);
    world.step().await.expect("the first attempt");
    let lost = world.fake.state().queues.on(Name::Retries).remove(0);
    world.fake.plan(|call| {
        if call.operation == "PutItem" {
            Fate::CrashBefore
        } else {
            Fate::Answered
        }
    });
    assert!(
        world.work(Name::Deliveries, &[first]).await.is_none(),
        "it crashes"
    );
    world.fake.plan(|_| Fate::Answered);
    world.fake.state().queues.delete(&[lost.id.as_str()].into());
    assert_eq!(waiting(&world).len(), 1);
    world.run().await;
    assert_eq!(hits(&world), 3);
}

#[tokio::test]
async fn a_manual_retry_ends_the_older_chain() {
    let mut world = super::world().await;
    let id = failing(&mut world).await;
    let started = world.time();
    world.step().await.expect("the first attempt");
    let older = waiting(&world);
    world.set_time(started + SignedDuration::from_secs(10));
    world.retry(id, 0).await.expect("asked for");
    world.step().await.expect("the retry");
    assert!(
        waiting(&world).len() == 2 && waiting(&world).contains(&older[0]),
        "the older one is still queued"
    );
    world.run().await;

    let times: Vec<i64> = seconds(started, world.receiver.hits().iter().map(|hit| hit.at));
    assert_eq!(times, [0, 11, 611, 1211], "a fresh schedule");
    let (ended, attempts) = world.history(id).await.expect("a delivery");
    assert_eq!(
        attempts
            .iter()
            .map(|attempt| attempt.number)
            .collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert_eq!(ended.status, Status::Failed);
    let ids: std::collections::BTreeSet<_> = world
        .receiver
        .hits()
        .into_iter()
        .map(|hit| hit.webhook_id)
        .collect();
    assert_eq!(ids, [id.event.to_string()].into());

    // Also what has ended goes on: the end is told a second time, by an event of its own.
    world.receiver.script(|_| Reply::Status(410));
    world.retry(id, 0).await.expect("asked for");
    world.run().await;
    let (gone, attempts) = world.history(id).await.expect("a delivery");
    assert_eq!(
        (gone.status, gone.stops, attempts.len()),
        (Status::Failed, Some(DisabledReason::Gone), 5)
    );
    let sent = world.fake.state().queues.sent().to_vec();
    let told = sent
        .iter()
        .map(sqs::Message::json)
        .filter(|event| event["type"] == "webhook.delivery_failed");
    assert_eq!(
        told.map(|event| event["data"]["attempts"].clone())
            .collect::<Vec<_>>(),
        [json!(4), json!(5)]
    );
}

/// Whatever breaks while it is asked for: a delivery that waited for a retry still gets to its end,
/// and one that had ended does so once somebody asks again.
#[tokio::test]
async fn a_manual_retry_that_is_interrupted_loses_nothing() {
    for ended in [false, true] {
        for n in 1..3 {
            for fate in [
                Fate::CrashBefore,
                Fate::CrashAfter,
                Fate::AnswerLost,
                Fate::Fails("ResourceNotFoundException"),
            ] {
                let context = format!("{fate:?} at call {n}, after the end: {ended}");
                let mut world = super::world().await;
                let id = failing(&mut world).await;
                world.step().await.expect("the first attempt");
                if ended {
                    world.run().await;
                }
                world.begin_count();
                world.fake.plan(move |call| {
                    if call.index == n {
                        fate
                    } else {
                        Fate::Answered
                    }
                });
                let asked = world.retry(id, 0).await;
                world.fake.plan(|_| Fate::Answered);
                if ended && asked.is_none() {
                    world.retry(id, 0).await.expect("asked for again");
                }
                world.run().await;
                let row = row(&world, id).await;
                assert_eq!(
                    (row.status, row.awaited),
                    (Status::Failed, None),
                    "{context}"
                );
                assert!(hits(&world) >= 3, "{context}");
            }
        }
    }
}

/// Each time in seconds after `started`.
fn seconds(started: Timestamp, times: impl Iterator<Item = Timestamp>) -> Vec<i64> {
    times
        .map(|at| at.duration_since(started).as_secs())
        .collect()
}
