//! The sweeper finds deliveries whose message was lost.

use std::{collections::BTreeSet, time::Duration};

use domain::{delivery::Status, id::DeliveryId};
use jiff::{SignedDuration, Timestamp, ToSpan};
use platform::{
    deadline::Deadline,
    table::{Key, overdue::SweeperPosition},
};
use serde_json::{Value, json};
use sweeper::{Request, Swept};
use tests::{
    fake::{
        FaultPlan,
        sqs::Name,
        system::{System, deadline},
    },
    receiver::Reply,
    rights::unused_patterns,
};

/// A delivery whose first attempt failed and whose next one is due in ten minutes.
async fn waiting(system: &mut System) -> DeliveryId {
    let retry = json!({"retry": {"type": "custom", "delays_seconds": [600, 86_400]}});
    let webhook = system.webhook("hook", retry).await;
    system.receiver.script(|_| Reply::status(500));
    let event = system.publish("message", json!({})).await;
    system.step().await.expect("the event");
    system.step().await.expect("the first attempt");
    DeliveryId {
        event: event.id,
        webhook: webhook.id,
    }
}

async fn sweep(system: &mut System, later: SignedDuration) -> Swept {
    system.set_time(system.time() + later);
    let request = Request {
        now: system.time().to_string(),
    };
    let sweeper = system.sweeper();
    system
        .at(sweeper::handle(&sweeper, &request, deadline()))
        .await
        .expect("swept")
}

fn lose(system: &System) {
    let lost = system.fake.state().queues.on(Name::Retries);
    assert!(!lost.is_empty());
    system
        .fake
        .state()
        .queues
        .delete(&lost.iter().map(|message| message.id.as_str()).collect());
}

/// A new message would get a place at the end of the line, in every run again.
#[tokio::test]
async fn rate_limited_delivery_keeps_its_slot_until_the_queue_ends() {
    let mut system = super::system().await;
    let fields = json!({"retry": {"type": "custom", "delays_seconds": [600, 86_400]}, "rate_limit_per_second": 1});
    let webhook = system.webhook("hook", fields).await;
    system.receiver.script(|_| Reply::status(500));
    system.publish("message", json!({})).await;
    system.step().await.expect("the event");
    system.step().await.expect("the first attempt");
    let (key, end) = (Key::rate_limit(webhook.id), system.time() + 5.hours());
    let micros = |at: Timestamp| json!({"N": at.as_microsecond().to_string()});
    let line = json!({
        "pk": {"S": key.pk}, "sk": {"S": key.sk}, "since": {"N": "0"},
        "next": micros(system.time() + 1.hours()), "line": micros(end),
    });
    system.fake.state().table.seed(line);
    system.step().await.expect("the retry gets a place");
    assert_eq!(system.receiver.requests().len(), 1, "not called yet");
    let hours = SignedDuration::from_hours;
    assert_eq!(sweep(&mut system, hours(2)).await, Swept::default());
    lose(&system);
    assert_eq!(sweep(&mut system, hours(3)).await, Swept::default());
    assert_eq!(
        sweep(&mut system, hours(2)).await.sent,
        1,
        "lost, because the line has ended"
    );
}

#[tokio::test]
async fn lost_message_is_requeued_once_overdue_by_an_hour() {
    let mut system = super::system().await;
    let id = waiting(&mut system).await;
    lose(&system);
    system.begin_count();
    let (minutes, none) = (SignedDuration::from_mins, Swept::default());
    assert_eq!(
        sweep(&mut system, minutes(69)).await,
        none,
        "not before its hour is over"
    );
    assert_eq!(
        sweep(&mut system, minutes(1)).await,
        Swept {
            overdue: 1,
            sent: 1,
            redriven: 0
        }
    );
    // It stores its position only if it did not reach the end.
    let unused = BTreeSet::from(["write sweeper".to_owned()]);
    assert_eq!(
        unused_patterns("SweeperFunction", &system.fake.state().calls),
        unused
    );
    assert_eq!(
        sweep(&mut system, minutes(59)).await,
        none,
        "its time until overdue starts again"
    );
    lose(&system);
    assert_eq!(
        sweep(&mut system, minutes(2)).await,
        Swept {
            overdue: 1,
            sent: 1,
            redriven: 0
        },
        "in case it is lost again"
    );
    system.run().await;
    let (row, attempts) = system.history(id).await.expect("a delivery");
    assert_eq!(
        (row.status, attempts.len(), system.receiver.requests().len()),
        (Status::Failed, 3, 3)
    );
    assert_eq!(
        sweep(&mut system, minutes(600)).await,
        none,
        "ended deliveries await nothing"
    );
}

#[tokio::test]
async fn crashed_run_loses_and_duplicates_nothing() {
    for n in 0..6 {
        for fault in [
            FaultPlan::CrashBefore,
            FaultPlan::CrashAfter,
            FaultPlan::ResponseLost,
            FaultPlan::Fails("ResourceNotFoundException"),
        ] {
            let mut system = super::system().await;
            let id = waiting(&mut system).await;
            lose(&system);
            system.set_time(system.time() + SignedDuration::from_hours(2));
            system.begin_count();
            system.fake.plan(move |call| {
                if call.index == n {
                    fault
                } else {
                    FaultPlan::NoFault
                }
            });
            let (sweeper, request) = (
                system.sweeper(),
                Request {
                    now: system.time().to_string(),
                },
            );
            let crash = system.fake.crash();
            tokio::select! {
                biased;
                () = crash.notified() => {}
                _ = system.at(sweeper::handle(&sweeper, &request, deadline())) => {}
            }
            system.fake.plan(|_| FaultPlan::NoFault);
            sweep(&mut system, SignedDuration::from_hours(2)).await;
            system.run().await;
            let (row, attempts) = system.history(id).await.expect("a delivery");
            assert_eq!(
                (row.status, attempts.len()),
                (Status::Failed, 3),
                "{fault:?} at call {n}"
            );
            assert_eq!(system.receiver.requests().len(), 3, "{fault:?} at call {n}");
        }
    }
}

/// Creates this many deliveries that await a retry. Their IDs are in the order of their events,
/// oldest first.
async fn many(system: &mut System, count: usize) -> Vec<DeliveryId> {
    let webhook = system
        .webhook(
            "hook",
            json!({"retry": {"type": "custom", "delays_seconds": [600]}}),
        )
        .await;
    system.receiver.script(|_| Reply::status(500));
    let mut ids = Vec::new();
    for _ in 0..count {
        let event = system.publish("message", json!({})).await;
        ids.push(DeliveryId {
            event: event.id,
            webhook: webhook.id,
        });
        system.set_time(system.time() + SignedDuration::from_secs(1));
    }
    while system
        .step_on(&[Name::Events, Name::Deliveries])
        .await
        .is_some()
    {}
    ids
}

#[tokio::test]
async fn run_without_time_succeeds_and_the_next_one_continues() {
    let mut system = super::system().await;
    many(&mut system, 20).await;
    lose(&system);
    system.set_time(system.time() + SignedDuration::from_hours(2));
    let request = Request {
        now: system.time().to_string(),
    };
    let sweeper = system.sweeper();
    // No step has time, not even the first.
    let none = Deadline::after(Duration::from_secs(5));
    let swept = system
        .at(sweeper::handle(&sweeper, &request, none))
        .await
        .expect("swept");
    assert_eq!(swept, Swept::default());
    let swept = system
        .at(sweeper::handle(&sweeper, &request, deadline()))
        .await
        .expect("swept");
    assert_eq!((swept.overdue, swept.sent), (20, 20));
}

/// Moves every third delivery to the index that earlier releases used.
fn move_to_the_former_index(system: &System) {
    let mut state = system.fake.state();
    let rows: Vec<Value> = state
        .table
        .items()
        .iter()
        .filter(|(key, _)| key.0.starts_with("deliveries#"))
        .map(|(_, item)| json!(item))
        .collect();
    for (n, mut row) in rows.into_iter().enumerate().filter(|(n, _)| n % 3 == 0) {
        let row = row.as_object_mut().expect("an item");
        row.remove("status_pk").expect("in the index");
        let sort_key = row.remove("status_sk").expect("in the index");
        row.insert(
            "list_pk".to_owned(),
            json!({"S": format!("delivery#retrying#{}", n % 4)}),
        );
        row.insert("list_sk".to_owned(), sort_key);
        state.table.seed(row.clone().into());
    }
}

#[tokio::test]
async fn walk_in_steps_visits_each_delivery_once() {
    let mut system = super::system().await;
    let ids: BTreeSet<DeliveryId> = many(&mut system, 30).await.into_iter().collect();
    move_to_the_former_index(&system);
    let (table, before) = (
        system.delivery.table.clone(),
        system.time() + SignedDuration::from_hours(1),
    );
    let (mut met, mut position) = (Vec::new(), Some(SweeperPosition::default()));
    while let Some(from) = position {
        // Stored and read back, as between two runs.
        system
            .at(table.set_sweeper_position(&from))
            .await
            .expect("stored");
        let from = system.at(table.sweeper_position()).await.expect("read");
        let step = system.at(table.overdue(from, before)).await.expect("read");
        met.extend(step.rows.into_iter().map(|row| row.id));
        position = step.next;
    }
    assert_eq!((met.len(), met.into_iter().collect()), (30, ids));
    let early = system
        .at(table.overdue(SweeperPosition::default(), system.time()))
        .await
        .expect("read");
    assert!(early.rows.is_empty(), "none is due yet");
}
