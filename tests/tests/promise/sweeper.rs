//! Deliveries whose message is gone: the sweeper finds them.

use domain::{delivery::Status, id::DeliveryId};
use jiff::SignedDuration;
use serde_json::json;
use sweeper::{Request, Swept};
use tests::fake::{
    Fate,
    receiver::Reply,
    sqs::Name,
    world::{World, deadline},
};

/// A delivery whose first attempt failed, and whose next one is due in ten minutes.
async fn waiting(world: &mut World) -> DeliveryId {
    let retry = json!({"retry": {"type": "custom", "delays_seconds": [600, 86_400]}});
    let webhook = world.webhook("hook", retry).await;
    world.receiver.script(|_| Reply::Status(500));
    let event = world.publish("message", json!({})).await;
    world.step().await.expect("the event");
    world.step().await.expect("the first attempt");
    DeliveryId { event: event.id, webhook: webhook.id }
}

async fn sweep(world: &mut World, later: SignedDuration) -> Swept {
    world.set_time(world.time() + later);
    let request = Request { now: world.time().to_string() };
    let sweeper = world.sweeper();
    world.at(sweeper::handle(&sweeper, &request, deadline())).await.expect("swept")
}

fn lose(world: &World) {
    let lost = world.fake.state().queues.on(Name::Retries);
    assert!(!lost.is_empty());
    world.fake.state().queues.delete(&lost.iter().map(|message| message.id.as_str()).collect());
}

#[tokio::test]
async fn a_lost_message_is_sent_again_once_it_is_overdue_by_an_hour() {
    let mut world = super::world().await;
    let id = waiting(&mut world).await;
    lose(&world);
    let (minutes, none) = (SignedDuration::from_mins, Swept::default());
    assert_eq!(sweep(&mut world, minutes(69)).await, none, "not before its hour is over");
    assert_eq!(sweep(&mut world, minutes(1)).await, Swept { overdue: 1, sent: 1, redriven: 0 });
    assert_eq!(sweep(&mut world, minutes(59)).await, none, "it has its time anew");
    lose(&world);
    assert_eq!(
        sweep(&mut world, minutes(2)).await,
        Swept { overdue: 1, sent: 1, redriven: 0 },
        "should it get lost again"
    );
    world.run().await;
    let (row, attempts) = world.history(id).await.expect("a delivery");
    assert_eq!((row.status, attempts.len(), world.receiver.hits().len()), (Status::Failed, 3, 3));
    assert_eq!(sweep(&mut world, minutes(600)).await, none, "what has ended does not wait");
}

#[tokio::test]
async fn a_message_that_was_only_late_leads_to_no_second_chain() {
    let mut world = super::world().await;
    waiting(&mut world).await;
    assert_eq!(sweep(&mut world, SignedDuration::from_hours(2)).await.sent, 1);
    assert_eq!(world.fake.state().queues.on(Name::Retries).len(), 2, "the old one still lives");
    world.run().await;
    assert_eq!(world.receiver.hits().len(), 3, "every attempt was made once");
}

#[tokio::test]
async fn wherever_a_run_ends_nothing_is_lost_and_nothing_doubled() {
    for n in 0..6 {
        for fate in [Fate::CrashBefore, Fate::CrashAfter, Fate::AnswerLost, Fate::Fails("ResourceNotFoundException")] {
            let mut world = super::world().await;
            let id = waiting(&mut world).await;
            lose(&world);
            world.set_time(world.time() + SignedDuration::from_hours(2));
            world.begin_count();
            world.fake.plan(move |call| if call.index == n { fate } else { Fate::Answered });
            let (sweeper, request) = (world.sweeper(), Request { now: world.time().to_string() });
            let crash = world.fake.crash();
            tokio::select! {
                biased;
                () = crash.notified() => {}
                _ = world.at(sweeper::handle(&sweeper, &request, deadline())) => {}
            }
            world.fake.plan(|_| Fate::Answered);
            sweep(&mut world, SignedDuration::from_hours(2)).await;
            world.run().await;
            let (row, attempts) = world.history(id).await.expect("a delivery");
            assert_eq!((row.status, attempts.len()), (Status::Failed, 3), "{fate:?} at call {n}");
            assert_eq!(world.receiver.hits().len(), 3, "{fate:?} at call {n}");
        }
    }
}
