//! A break at every point where something can break: at each call to AWS and to the receiver,
//! before and after it took effect; and a copy of each message.

mod cases;

use std::collections::{BTreeMap, BTreeSet};

use self::cases::{Case, cases};
use domain::{
    event::{Event, derived_id},
    id::{DeliveryId, WebhookId},
    pattern::EventType,
};
use platform::{egress::Egress, table::Key};
use serde_json::{Value, json};
use tests::{
    fake::{FaultPlan, sqs::Name, system::System},
    receiver::{Reply, Request},
};

/// What breaks, and when: at the n-th call to AWS or to the receiver, or a copy of the n-th
/// message.
#[derive(Debug, Clone)]
enum Break {
    Aws(usize, FaultPlan),
    Receiver(usize, Reply),
    Copy(usize),
}

/// How much of each there was.
struct Points {
    /// The operation of each call.
    aws: Vec<String>,
    requests: usize,
    sent: usize,
}

/// Lets the case run to its end through these breaks, and checks that end.
async fn run(case: &Case, egress: &Egress, breaks: &[Break]) -> Points {
    let mut system = System::new(egress).await;
    let mut ids = BTreeMap::new();
    for (name, fields, _) in &case.webhooks {
        ids.insert(*name, system.webhook(name, fields.clone()).await.id);
    }
    let (started, answers) = (system.time(), case.answers);
    let receiver: BTreeMap<usize, Reply> = breaks
        .iter()
        .filter_map(|point| {
            if let Break::Receiver(n, reply) = point {
                Some((*n, reply.clone()))
            } else {
                None
            }
        })
        .collect();
    let mut count = 0;
    system.receiver.script(move |request: &Request| {
        count += 1;
        let status = answers(request.name(), request.at.duration_since(started).as_secs());
        receiver
            .get(&(count - 1))
            .cloned()
            .unwrap_or(Reply::status(status))
    });
    let event = system.publish("message", json!({"n": 1})).await;
    system.begin_count();
    let aws: BTreeMap<usize, FaultPlan> = breaks
        .iter()
        .filter_map(|point| {
            if let Break::Aws(n, fault) = point {
                Some((*n, *fault))
            } else {
                None
            }
        })
        .collect();
    system
        .fake
        .plan(move |call| aws.get(&call.index).copied().unwrap_or(FaultPlan::Answered));
    let mut copies: BTreeSet<usize> = breaks
        .iter()
        .filter_map(|point| {
            if let Break::Copy(n) = point {
                Some(*n)
            } else {
                None
            }
        })
        .collect();
    loop {
        copy_sent(&system, &mut copies);
        if system.step().await.is_none() {
            break;
        }
    }
    system.fake.plan(|_| FaultPlan::Answered);
    let requests = system.receiver.requests().len();
    let points = {
        let state = system.fake.state();
        Points {
            aws: state
                .calls
                .iter()
                .map(|call| call.operation.clone())
                .collect(),
            requests,
            sent: state.queues.sent().len(),
        }
    };
    check(case, &mut system, &event, &ids, breaks.len()).await;
    points
}

/// Copies those of these messages that were sent by now.
fn copy_sent(system: &System, copies: &mut BTreeSet<usize>) {
    let mut state = system.fake.state();
    while let Some(n) = copies
        .first()
        .copied()
        .filter(|n| *n < state.queues.sent().len())
    {
        copies.remove(&n);
        let message = state.queues.sent()[n].clone();
        state.queues.copy(&message);
    }
}

async fn check(
    case: &Case,
    system: &mut System,
    event: &Event,
    ids: &BTreeMap<&str, WebhookId>,
    breaks: usize,
) {
    for queue in [Name::Events, Name::Deliveries, Name::Retries, Name::Dead] {
        assert!(
            system.fake.state().queues.on(queue).is_empty(),
            "{queue:?} is not empty"
        );
    }
    let wanted: BTreeSet<WebhookId> = case
        .webhooks
        .iter()
        .filter(|(.., ended)| ended.is_some())
        .map(|(name, ..)| ids[name])
        .collect();
    let matches = system.event(event).await.expect("the event").matches;
    assert_eq!(
        (matches.len(), matches.into_iter().collect()),
        (wanted.len(), wanted),
        "the event's matches"
    );
    assert_eq!(
        writes(system, &Key::event(event.id)).len(),
        1,
        "the event is written once"
    );

    let requests = system.receiver.requests();
    let mut emitted = BTreeSet::new();
    for (name, _, ended) in &case.webhooks {
        let id = DeliveryId {
            event: event.id,
            webhook: ids[name],
        };
        let Some(ended) = ended else {
            assert_eq!(
                item(system, &Key::delivery(id)),
                Value::Null,
                "{name} has a delivery"
            );
            continue;
        };
        let (row, attempts) = system.history(id).await.expect("a delivery");
        assert_eq!(
            (row.status, row.progress.awaited.is_none()),
            (ended.status, true),
            "{name}"
        );
        let numbers: Vec<u32> = attempts.iter().map(|attempt| attempt.number).collect();
        assert_eq!(
            numbers,
            (1..=ended.attempts).collect::<Vec<_>>(),
            "{name}'s attempts"
        );
        recorded_once(system, id, ended.attempts);

        let calls: Vec<&Request> = requests
            .iter()
            .filter(|request| request.name() == *name)
            .collect();
        let most = ended.calls + if ended.calls == 0 { 0 } else { breaks };
        assert!(
            (ended.calls..=most).contains(&calls.len()),
            "{name} was called {} times",
            calls.len()
        );
        assert!(
            calls
                .iter()
                .all(|request| request.webhook_id() == event.id.to_string()),
            "{name}'s webhook-id"
        );

        let stored = item(system, &Key::webhook(ids[name]));
        let gone = case.tells.contains(&"webhook.disabled");
        assert_eq!(
            stored["disabled_reason"]["S"],
            if gone { json!("gone") } else { Value::Null },
            "{name}"
        );
        let failed = format!("{id}|{}", ended.attempts);
        for kind in case.tells {
            let (of, at) = match *kind {
                "webhook.disabled" => {
                    let at = stored["stopped_at"]["S"].as_str().expect("a time");
                    (format!("{}|{at}", ids[name]), at.parse().expect("a time"))
                }
                _ => (failed.clone(), row.updated_at),
            };
            let kind = EventType::parse(kind).expect("a type");
            emitted.insert((derived_id(&kind, &of, at).to_string(), kind.to_string()));
        }
    }

    // However often an event that reports a failure is sent, it has one id, and leads to one
    // delivery.
    let sent: Vec<(Name, Value)> = system
        .fake
        .state()
        .queues
        .sent()
        .iter()
        .map(|message| (message.queue, message.json()))
        .collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let telling = sent
        .iter()
        .filter(|(queue, body)| *queue == Name::Events && body["type"] != "message");
    assert_eq!(
        telling
            .map(|(_, body)| (text(&body["id"]), text(&body["type"])))
            .collect::<BTreeSet<_>>(),
        emitted
    );
    if let Some(watch) = case.webhooks.iter().find(|(name, ..)| *name == "watch") {
        let calls: Vec<&Request> = requests
            .iter()
            .filter(|request| request.name() == "watch")
            .collect();
        let heard: BTreeSet<String> = calls
            .iter()
            .map(|request| request.webhook_id().to_owned())
            .collect();
        assert_eq!(
            heard,
            emitted.iter().map(|(id, _)| id.clone()).collect(),
            "{}",
            watch.1
        );
    }
}

/// The item under a key, null when there is none.
fn item(system: &System, key: &Key) -> Value {
    json!(
        system
            .fake
            .state()
            .table
            .items()
            .get(&(key.pk.clone(), key.sk.clone()))
    )
}

/// The items that were written under a key, in order.
fn writes(system: &System, key: &Key) -> Vec<Value> {
    let key = (key.pk.clone(), key.sk.clone());
    let state = system.fake.state();
    state
        .table
        .writes()
        .iter()
        .filter(|made| made.key == key)
        .map(|made| json!(made.item))
        .collect()
}

/// No number is recorded under two tokens, none after a higher one, and no attempt is replaced by
/// another.
fn recorded_once(system: &System, id: DeliveryId, attempts: u32) {
    let rows = writes(system, &Key::delivery(id));
    let mut tickets: Vec<(u32, String)> = rows
        .iter()
        .map(|row| {
            let last = &row["last"]["M"];
            let number = last["number"]["N"]
                .as_str()
                .expect("a number")
                .parse()
                .expect("a number");
            (
                number,
                last["token"]["S"].as_str().expect("a token").to_owned(),
            )
        })
        .collect();
    tickets.dedup();
    let numbers: Vec<u32> = tickets.iter().map(|(number, _)| *number).collect();
    assert_eq!(
        numbers,
        (1..=attempts).collect::<Vec<_>>(),
        "what was recorded: {tickets:?}"
    );
    for number in 2..=attempts {
        assert_eq!(
            writes(system, &Key::attempt(id, number)).len(),
            1,
            "attempt {number}"
        );
    }
}

/// Says in which case and at which break an assertion failed.
struct Context<'a>(&'a Case, Vec<Break>);

impl Drop for Context<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the case “{}” with {:?}", self.0.name, self.1);
        }
    }
}

async fn with(case: &Case, egress: &Egress, breaks: Vec<Break>) -> Points {
    let context = Context(case, breaks);
    run(case, egress, &context.1).await
}

/// Whether it matters that the operation took effect before its answer was lost.
fn has_effect(operation: &str) -> bool {
    [
        "PutItem",
        "TransactWriteItems",
        "SendMessage",
        "SendMessageBatch",
    ]
    .contains(&operation)
}

async fn one_break_anywhere(name: &str) {
    let egress = super::egress();
    let case = cases()
        .into_iter()
        .find(|case| case.name == name)
        .expect("a case");
    let points = with(&case, &egress, vec![]).await;
    let mut breaks = Vec::new();
    for (n, operation) in points.aws.iter().enumerate() {
        breaks.push(Break::Aws(n, FaultPlan::CrashBefore));
        if has_effect(operation) {
            breaks.extend([
                Break::Aws(n, FaultPlan::CrashAfter),
                Break::Aws(n, FaultPlan::ResponseLost),
            ]);
        }
    }
    for n in 0..points.requests {
        breaks.extend([
            Break::Receiver(n, Reply::crash_before()),
            Break::Receiver(n, Reply::crash_after()),
        ]);
    }
    breaks.extend((0..points.sent).map(Break::Copy));
    for point in breaks {
        with(&case, &egress, vec![point]).await;
    }
}

/// What repairs one break may break too, and what was sent may be there twice.
async fn two_breaks_anywhere(name: &str) {
    let egress = super::egress();
    let case = cases()
        .into_iter()
        .find(|case| case.name == name)
        .expect("a case");
    let points = with(&case, &egress, vec![]).await;
    for (n, operation) in points
        .aws
        .iter()
        .enumerate()
        .filter(|(_, operation)| has_effect(operation))
    {
        let first = Break::Aws(n, FaultPlan::CrashAfter);
        for second in n + 1..n + 4 {
            with(
                &case,
                &egress,
                vec![first.clone(), Break::Aws(second, FaultPlan::CrashAfter)],
            )
            .await;
        }
        if operation.starts_with("SendMessage") {
            for copy in 0..points.sent {
                with(&case, &egress, vec![first.clone(), Break::Copy(copy)]).await;
            }
        }
    }
}

#[tokio::test]
async fn crash_during_fan_out() {
    one_break_anywhere("three of five match").await;
}

#[tokio::test]
async fn crash_during_successful_retries() {
    one_break_anywhere("the second and the third attempt succeed").await;
}

#[tokio::test]
async fn crash_during_failed_delivery() {
    one_break_anywhere("every attempt fails").await;
}

#[tokio::test]
async fn crash_during_failure_without_retries() {
    one_break_anywhere("there are no retries").await;
}

#[tokio::test]
async fn crash_during_gone_response() {
    one_break_anywhere("gone at once").await;
}

#[tokio::test]
async fn crash_during_gone_response_to_a_retry() {
    one_break_anywhere("gone later").await;
}

#[tokio::test]
async fn crash_during_blocked_request() {
    one_break_anywhere("blocked").await;
}

#[tokio::test]
async fn two_crashes_during_failed_delivery() {
    two_breaks_anywhere("every attempt fails").await;
}

#[tokio::test]
async fn two_crashes_during_gone_response() {
    two_breaks_anywhere("gone at once").await;
}
