//! The row names the one message that it awaits: copies, duplicates and older chains are dropped.

use domain::{
    delivery::{Delivery, DeliveryTask, Status},
    id::DeliveryId,
    webhook::health::DisabledReason,
};
use jiff::{SignedDuration, Timestamp};
use platform::{queue::ascii_json, random};
use serde_json::json;
use tests::{
    fake::{
        Fake, FaultPlan,
        sqs::{self, Name},
        system::System,
    },
    receiver::Reply,
};

/// Dispatches a delivery that fails and has two retries of 600 s.
async fn failing(system: &mut System) -> DeliveryId {
    let webhook = system
        .webhook(
            "fails",
            json!({"retry": {"type": "custom", "delays_seconds": [600, 600]}}),
        )
        .await;
    system.receiver.script(|_| Reply::status(500));
    let event = system.publish("message", json!({})).await;
    system.step().await.expect("the event");
    DeliveryId {
        event: event.id,
        webhook: webhook.id,
    }
}

async fn row(system: &System, id: DeliveryId) -> Delivery {
    system.history(id).await.expect("a delivery").0
}

/// The delayed messages about deliveries, by number and token.
fn waiting(system: &System) -> Vec<(u32, String)> {
    let messages = system.fake.state().queues.on(Name::Retries);
    let message = |message: &sqs::Message| serde_json::from_str(&message.body).expect("a message");
    messages
        .iter()
        .map(message)
        .map(|message: DeliveryTask| (message.attempt.id.number, message.attempt.id.token))
        .collect()
}

fn requests(system: &System) -> usize {
    system.receiver.requests().len()
}

/// Sets the row's awaited token to the token of the queued message, like another invocation that
/// reissued it and now writes the row.
fn write_reissued(fake: &Fake, token: &str) {
    let mut state = fake.state();
    let (_, row) = state
        .table
        .items()
        .iter()
        .find(|((pk, _), _)| pk.starts_with("deliveries#"))
        .expect("a row");
    let mut row = row.clone();
    row.get_mut("awaited").expect("awaited")["M"]["token"] = json!({"S": token});
    state.table.seed(row.into());
}

/// Replaces the queued retry by one with the token `reissued`, whose row is not written yet.
fn reissue(system: &System) {
    let mut state = system.fake.state();
    let queued = state.queues.on(Name::Retries).remove(0);
    let mut task: DeliveryTask = serde_json::from_str(&queued.body).expect("a task");
    task.attempt.replaces = Some(task.attempt.id.token.clone());
    "reissued".clone_into(&mut task.attempt.id.token);
    let mut copy = queued.clone();
    copy.body = ascii_json(&task).expect("JSON");
    state.queues.delete(&[queued.id.as_str()].into());
    state.queues.copy(&copy);
}

#[tokio::test]
async fn attempt_whose_row_is_reissued_is_recorded_once() {
    let mut system = super::system().await;
    let id = failing(&mut system).await;
    system.step().await.expect("the first attempt");
    reissue(&system);
    let fake = system.fake.clone();
    system.receiver.script(move |_| {
        write_reissued(&fake, "reissued");
        Reply::status(200)
    });
    system.step().await.expect("the second attempt");
    let (row, attempts) = system.history(id).await.expect("a delivery");
    assert_eq!(
        (row.status, attempts.len(), requests(&system)),
        (Status::Succeeded, 2, 2)
    );
    system.run().await;
    assert_eq!(requests(&system), 2);
}

#[tokio::test]
async fn cancellation_whose_row_is_reissued_is_repeated() {
    let mut system = super::system().await;
    let id = failing(&mut system).await;
    system.step().await.expect("the first attempt");
    reissue(&system);
    system
        .change(id.webhook, |webhook, now| {
            webhook.disabled(DisabledReason::Gone, now)
        })
        .await;
    let (fake, mut is_first) = (system.fake.clone(), true);
    system.fake.plan(move |call| {
        if call.operation == "PutItem" && std::mem::take(&mut is_first) {
            write_reissued(&fake, "reissued");
        }
        FaultPlan::NoFault
    });
    system.run().await;
    let (row, _) = system.history(id).await.expect("a delivery");
    assert_eq!((row.status, requests(&system)), (Status::Cancelled, 1));
}

/// A copy with the same token comes from SQS or from a crash, and is dropped within a batch. A copy
/// of a first message with another token comes from a repeated dispatch.
#[tokio::test]
async fn repeated_dispatch_costs_one_extra_call() {
    for other_token in [false, true] {
        for number in 1..=3 {
            let mut system = super::system().await;
            let id = failing(&mut system).await;
            for _ in 1..number {
                system.step().await.expect("an attempt");
            }
            let mut duplicate = {
                let state = system.fake.state();
                state
                    .queues
                    .next()
                    .map(|(_, queue)| state.queues.on(queue).remove(0))
                    .expect("a message")
            };
            let is_repeated = other_token && number == 1;
            if is_repeated {
                let mut message: DeliveryTask =
                    serde_json::from_str(&duplicate.body).expect("a message");
                message.attempt.id.token = random::token();
                duplicate.body = ascii_json(&message).expect("JSON");
            }
            system.fake.state().queues.copy(&duplicate);
            system.step().await.expect("both");
            assert_eq!(
                requests(&system),
                number + usize::from(is_repeated),
                "the duplicate of attempt {number}"
            );
            system.run().await;
            assert_eq!(
                requests(&system),
                3 + usize::from(is_repeated),
                "the duplicate of attempt {number} is not dropped"
            );
            let (row, attempts) = system.history(id).await.expect("a delivery");
            assert_eq!((row.status, attempts.len()), (Status::Failed, 3));
        }
    }
}

/// A message that is redelivered long after its attempt replaces the message that followed it.
#[tokio::test]
async fn duplicate_follow_up_is_obsolete() {
    let mut system = super::system().await;
    let id = failing(&mut system).await;
    let first = system.fake.state().queues.on(Name::Deliveries).remove(0);
    system.step().await.expect("the first attempt");
    for _ in 0..3 {
        system.fake.state().queues.copy(&first);
        system.step().await.expect("a copy");
        assert_eq!(requests(&system), 1);
        let awaited = row(&system, id).await.progress.awaited.expect("awaited").id;
        assert!(
            waiting(&system).contains(&(awaited.number, awaited.token)),
            "every awaited attempt is queued"
        );
    }
    system.run().await;
    assert_eq!(requests(&system), 3);
}

/// A repeated follow-up sends before it writes, so its message is awaited whether or not the write
/// succeeds.
#[tokio::test]
async fn reissued_message_may_arrive_before_its_row_is_written() {
    let mut system = super::system().await;
    failing(&mut system).await;
    let first = system.fake.state().queues.on(Name::Deliveries).remove(0);
    system.step().await.expect("the first attempt");
    let lost = system.fake.state().queues.on(Name::Retries).remove(0);
    system.fake.plan(|call| {
        if call.operation == "PutItem" {
            FaultPlan::CrashBefore
        } else {
            FaultPlan::NoFault
        }
    });
    assert!(
        system.work(Name::Deliveries, &[first]).await.is_none(),
        "it crashes"
    );
    system.fake.plan(|_| FaultPlan::NoFault);
    system
        .fake
        .state()
        .queues
        .delete(&[lost.id.as_str()].into());
    assert_eq!(waiting(&system).len(), 1);
    system.run().await;
    assert_eq!(requests(&system), 3);
}

#[tokio::test]
async fn manual_retry_supersedes_the_older_chain() {
    let mut system = super::system().await;
    let id = failing(&mut system).await;
    let started = system.time();
    system.step().await.expect("the first attempt");
    let older = waiting(&system);
    system.set_time(started + SignedDuration::from_secs(10));
    system.retry(id, 0).await.expect("requested");
    system.step().await.expect("the retry");
    assert!(
        waiting(&system).len() == 2 && waiting(&system).contains(&older[0]),
        "the older one is still queued"
    );
    system.run().await;

    let times: Vec<i64> = seconds(
        started,
        system.receiver.requests().iter().map(|request| request.at),
    );
    assert_eq!(times, [0, 11, 611, 1211], "a fresh schedule");
    let (ended, attempts) = system.history(id).await.expect("a delivery");
    assert_eq!(
        attempts
            .iter()
            .map(|attempt| attempt.number)
            .collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert_eq!(ended.status, Status::Failed);
    let ids: std::collections::BTreeSet<_> = system
        .receiver
        .requests()
        .into_iter()
        .map(|request| request.webhook_id().to_owned())
        .collect();
    assert_eq!(ids, [id.event.to_string()].into());

    // A retry of an ended delivery: its second end emits another event.
    system.receiver.script(|_| Reply::status(410));
    system.retry(id, 0).await.expect("requested");
    system.run().await;
    let (gone, attempts) = system.history(id).await.expect("a delivery");
    assert_eq!(
        (gone.status, gone.stops, attempts.len()),
        (Status::Failed, Some(DisabledReason::Gone), 5)
    );
    let sent = system.fake.state().queues.sent().to_vec();
    let emitted = sent
        .iter()
        .map(sqs::Message::json)
        .filter(|event| event["type"] == "webhook.delivery_failed");
    assert_eq!(
        emitted
            .map(|event| event["data"]["attempts"].clone())
            .collect::<Vec<_>>(),
        [json!(4), json!(5)]
    );
}

/// A manual retry that crashes at any point: a delivery that awaited a retry still ends, and one
/// that had ended does so once the retry is requested again.
#[tokio::test]
async fn interrupted_manual_retry_loses_nothing() {
    for ended in [false, true] {
        for n in 1..3 {
            for fault in [
                FaultPlan::CrashBefore,
                FaultPlan::CrashAfter,
                FaultPlan::ResponseLost,
                FaultPlan::Fails("ResourceNotFoundException"),
            ] {
                let context = format!("{fault:?} at call {n}, after the end: {ended}");
                let mut system = super::system().await;
                let id = failing(&mut system).await;
                system.step().await.expect("the first attempt");
                if ended {
                    system.run().await;
                }
                system.begin_count();
                system.fake.plan(move |call| {
                    if call.index == n {
                        fault
                    } else {
                        FaultPlan::NoFault
                    }
                });
                let asked = system.retry(id, 0).await;
                system.fake.plan(|_| FaultPlan::NoFault);
                if ended && asked.is_none() {
                    system.retry(id, 0).await.expect("requested again");
                }
                system.run().await;
                let row = row(&system, id).await;
                assert_eq!(
                    (row.status, row.progress.awaited),
                    (Status::Failed, None),
                    "{context}"
                );
                assert!(requests(&system) >= 3, "{context}");
            }
        }
    }
}

/// Times are in seconds since `started`.
fn seconds(started: Timestamp, times: impl Iterator<Item = Timestamp>) -> Vec<i64> {
    times
        .map(|at| at.duration_since(started).as_secs())
        .collect()
}
