//! Deliveries with a delay, and events that end it.

mod changes;

use domain::{
    delivery::{Cancellation, Status},
    event::Event,
    id::{DeliveryId, EventId},
    webhook::Webhook,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::fake::{FaultPlan, sqs::Name, system::System};

/// "Half an hour after the last reply, unless the status changes."
fn reminder() -> Value {
    json!({
        "events": ["ticket.reply_added"], "delay_seconds": 1_800, "body": "{text}",
        "unless": {"events": ["ticket.reply_added", "ticket.status_changed"], "key": "id"},
    })
}

async fn system() -> (System, Webhook) {
    let system = super::system().await;
    let webhook = system.webhook("hook", reminder()).await;
    (system, webhook)
}

fn reply(text: &str) -> Value {
    json!({"id": 7, "text": text})
}

/// Publishes and dispatches an event of this type this many minutes later.
async fn later(system: &mut System, minutes: i64, kind: &str, data: Value) -> Event {
    let at = system.time() + SignedDuration::from_mins(minutes);
    while system
        .step_on(&[Name::Deliveries, Name::Retries])
        .await
        .is_some()
    {}
    system.set_time(at);
    let event = system.publish(kind, data).await;
    while system.step_on(&[Name::Events]).await.is_some() {}
    event
}

fn accepted(event: &Event) -> Timestamp {
    event.id.made_at()
}

/// Status, and what superseded the delivery.
async fn ended(system: &System, event: &Event, webhook: &Webhook) -> (Status, Option<EventId>) {
    let id = DeliveryId {
        event: event.id,
        webhook: webhook.id,
    };
    let (row, _) = system.history(id).await.expect("a delivery");
    let by = row.cancelled.map(|reason| match reason {
        Cancellation::Superseded(by) => by,
        other => panic!("{other}"),
    });
    (row.status, by)
}

/// The bodies of the requests, with the seconds since `from`.
fn requests(system: &System, from: &Event) -> Vec<(String, i64)> {
    let requests = system.receiver.requests();
    let request = requests.iter().map(|request| {
        let since = request.at.duration_since(accepted(from));
        let text = request.json().as_str().map(str::to_owned);
        (text.expect("text"), since.as_secs())
    });
    request.collect()
}

#[tokio::test]
async fn only_the_last_of_several_replies_is_sent_after_its_delay() {
    let (mut system, webhook) = system().await;
    let first = later(&mut system, 0, "ticket.reply_added", reply("one")).await;
    let second = later(&mut system, 10, "ticket.reply_added", reply("two")).await;
    let other = json!({"id": 8, "text": "of another ticket"});
    later(&mut system, 5, "ticket.reply_added", other).await;
    let third = later(&mut system, 10, "ticket.reply_added", reply("three")).await;
    system.run().await;
    let texts = [("of another ticket", 15), ("three", 25)];
    let expected = texts.map(|(text, minutes)| (text.to_owned(), (minutes + 30) * 60));
    assert_eq!(requests(&system, &first), expected);
    let ends = [
        (&first, (Status::Cancelled, Some(second.id))),
        (&second, (Status::Cancelled, Some(third.id))),
        (&third, (Status::Succeeded, None)),
    ];
    for (event, end) in ends {
        assert_eq!(ended(&system, event, &webhook).await, end);
    }
}

#[tokio::test]
async fn event_of_another_type_ends_the_delay() {
    let (mut system, webhook) = system().await;
    let first = later(&mut system, 0, "ticket.reply_added", reply("one")).await;
    let solved = later(&mut system, 29, "ticket.status_changed", reply("")).await;
    system.run().await;
    assert_eq!(system.receiver.requests().len(), 0);
    let end = (Status::Cancelled, Some(solved.id));
    assert_eq!(ended(&system, &first, &webhook).await, end);
    // It has no delivery of its own.
    let stored = system.event(&solved).await.expect("stored");
    assert_eq!((stored.matches, stored.delays.len()), (Vec::new(), 0));
}

#[tokio::test]
async fn unrelated_or_late_event_does_not_supersede() {
    let (mut system, webhook) = system().await;
    let first = later(&mut system, 0, "ticket.reply_added", reply("one")).await;
    for data in [
        json!({"id": 8}),
        json!({"id": "7"}),
        json!({"id": null}),
        json!({}),
    ] {
        later(&mut system, 1, "ticket.status_changed", data).await;
    }
    later(&mut system, 1, "ticket.assigned", reply("")).await;
    // The delay has ended, but its message has not arrived yet.
    let at = accepted(&first) + SignedDuration::from_mins(30);
    system.set_time(at);
    later(&mut system, 0, "ticket.status_changed", reply("")).await;
    let keyless = later(
        &mut system,
        0,
        "ticket.reply_added",
        json!({"text": "no id"}),
    )
    .await;
    later(
        &mut system,
        1,
        "ticket.reply_added",
        json!({"text": "nor here"}),
    )
    .await;
    system.run().await;
    let succeeded = (Status::Succeeded, None);
    assert_eq!(ended(&system, &first, &webhook).await, succeeded);
    assert_eq!(ended(&system, &keyless, &webhook).await, succeeded);
    assert_eq!(requests(&system, &first)[0], ("one".to_owned(), 1_800));
}

/// The order of acceptance decides, not that of the dispatch.
#[tokio::test]
async fn events_that_are_dispatched_in_reverse_order_supersede_by_acceptance() {
    let (mut system, webhook) = system().await;
    let first = system.publish("ticket.reply_added", reply("one")).await;
    let batch = system
        .fake
        .state()
        .queues
        .receive(Name::Events, system.time());
    let second = later(&mut system, 1, "ticket.reply_added", reply("two")).await;
    system.work(Name::Events, &batch).await;
    system.run().await;
    let end = (Status::Cancelled, Some(second.id));
    assert_eq!(ended(&system, &first, &webhook).await, end);
    assert_eq!(ended(&system, &second, &webhook).await.0, Status::Succeeded);
}

/// After an outage of dispatch, the events of a backlog are dispatched one after the other.
#[tokio::test]
async fn backlog_of_dispatch_is_superseded_too() {
    let (mut system, webhook) = system().await;
    let first = system.publish("ticket.reply_added", reply("one")).await;
    let batch = |system: &System| {
        let now = system.time();
        system.fake.state().queues.receive(Name::Events, now)
    };
    let of_first = batch(&system);
    system.set_time(system.time() + SignedDuration::from_mins(1));
    let second = system.publish("ticket.reply_added", reply("two")).await;
    let of_second = batch(&system);
    system.set_time(system.time() + SignedDuration::from_mins(40));
    for batch in [of_first, of_second] {
        system.work(Name::Events, &batch).await;
        let due = [Name::Deliveries, Name::Retries];
        while system.step_on(&due).await.is_some() {}
        system.set_time(system.time() + SignedDuration::from_secs(30));
    }
    system.run().await;
    let end = (Status::Cancelled, Some(second.id));
    assert_eq!(ended(&system, &first, &webhook).await, end);
    assert_eq!(ended(&system, &second, &webhook).await.0, Status::Succeeded);
}

/// Every crash of dispatch and delivery, before and after each of their calls.
#[tokio::test]
async fn superseding_survives_every_crash() {
    for point in 1.. {
        for plan in [FaultPlan::CrashBefore, FaultPlan::CrashAfter] {
            let (mut system, webhook) = system().await;
            let mut calls = 0;
            system.fake.plan(move |call| {
                let is_client = call.request["QueueUrl"] == Name::Events.url();
                calls += usize::from(!is_client);
                if calls == point && !is_client {
                    plan
                } else {
                    FaultPlan::NoFault
                }
            });
            let mut events = Vec::new();
            for text in ["one", "two"] {
                system.set_time(system.time() + SignedDuration::from_secs(60));
                events.push(system.publish("ticket.reply_added", reply(text)).await);
                // A crashed batch is received again.
                while system.step_on(&[Name::Events]).await.is_some() {}
            }
            system.run().await;
            if system.crashes == 0 {
                assert!(point > 10, "{point} calls");
                return;
            }
            let superseded = (Status::Cancelled, Some(events[1].id));
            assert_eq!(
                ended(&system, &events[0], &webhook).await,
                superseded,
                "{point}"
            );
            let last = ended(&system, &events[1], &webhook).await;
            assert_eq!(last, (Status::Succeeded, None), "{point}");
            let texts: Vec<String> = requests(&system, &events[0])
                .into_iter()
                .map(|one| one.0)
                .collect();
            assert!(texts.iter().all(|text| text == "two"), "{point}: {texts:?}");
        }
    }
}

/// Earlier releases re-queue a task without the end of its delay.
#[tokio::test]
async fn task_of_an_earlier_release_is_superseded_too() {
    let (mut system, webhook) = system().await;
    let first = later(&mut system, 0, "ticket.reply_added", reply("one")).await;
    let solved = later(&mut system, 1, "ticket.status_changed", reply("")).await;
    let queued = system.fake.state().queues.on(Name::Retries).remove(0);
    let mut task = queued.json();
    let field = task
        .as_object_mut()
        .and_then(|task| task.remove("delay_ends_at"));
    assert!(field.is_some_and(|time| time.is_string()));
    system
        .fake
        .state()
        .queues
        .delete(&[queued.id.as_str()].into());
    system.put(Name::Retries, task.to_string()).await;
    system.run().await;
    let end = (Status::Cancelled, Some(solved.id));
    assert_eq!(ended(&system, &first, &webhook).await, end);
}

/// An event may be kept for less time than a delay and a schedule of retries last.
#[tokio::test]
async fn delayed_event_is_kept_until_after_its_delay() {
    let mut system = super::system().await;
    let week = json!({"delay_seconds": 604_800, "body": "{text}"});
    system.webhook("hook", week).await;
    let text = "x".repeat(40_000);
    let event = system.publish("message", json!({"text": text})).await;
    system.step().await.expect("dispatched");
    let expiries = || -> Vec<i64> {
        let state = system.fake.state();
        let events = state.table.items().iter();
        let events = events.filter(|(key, _)| key.0.starts_with("events#"));
        events
            .filter_map(|(_, item)| item["expires_at"]["N"].as_str()?.parse().ok())
            .collect()
    };
    let kept = (accepted(&event) + SignedDuration::from_hours(24 * 37)).as_second();
    assert_eq!(expiries(), [kept, kept]);
    system.run().await;
    assert_eq!(requests(&system, &event), [(text, 604_800)]);
}

/// A delay costs one queue message per quarter of an hour; a rule, one write for each event that
/// may end delays, and one query when a delivery is due.
#[tokio::test]
async fn delay_costs_messages_and_a_rule_one_write_and_one_query() {
    let (mut system, _) = system().await;
    later(&mut system, 0, "ticket.reply_added", reply("one")).await;
    system.set_time(system.time() + SignedDuration::from_mins(1));
    system.publish("ticket.status_changed", reply("")).await;
    system.begin_count();
    system.step_on(&[Name::Events]).await.expect("dispatched");
    let counts = system.fake.counts();
    // Three patterns match the type. The event's own row is the other write.
    assert_eq!((counts["Query"], counts["PutItem"]), (3, 2), "{counts:?}");
    assert_eq!(counts.get("SendMessageBatch"), None);
    system.begin_count();
    system.run().await;
    let counts = system.fake.counts();
    let expected = [
        ("SendMessage", 1),
        ("BatchGetItem", 1),
        ("Query", 1),
        ("PutItem", 1),
    ];
    for (operation, count) in expected {
        assert_eq!(
            counts.get(operation),
            Some(&count),
            "{operation}: {counts:?}"
        );
    }
}
