//! A crash or fault at every point: at each call to AWS and to the receiver, before and after it
//! takes effect, and a duplicate of each message.

mod cases;
mod outcome;

use std::collections::{BTreeMap, BTreeSet};

use self::{
    cases::{Case, cases},
    outcome::check,
};
use platform::egress::Egress;
use serde_json::json;
use tests::{
    fake::{FaultPlan, system::System},
    receiver::{Reply, Request},
};

/// A break: at the n-th call to AWS or to the receiver, or a copy of the n-th message.
#[derive(Debug, Clone)]
enum Break {
    Aws(usize, FaultPlan),
    Receiver(usize, Reply),
    Copy(usize),
}

/// The number of possible breaks of each kind.
struct Points {
    /// The operation of each call.
    aws: Vec<String>,
    requests: usize,
    sent: usize,
}

/// Runs the case to its end with these breaks, and checks the end.
async fn run(case: &Case, egress: &Egress, breaks: &[Break]) -> Points {
    let mut system = System::new(egress).await;
    let mut ids = BTreeMap::new();
    for (name, fields, _) in &case.webhooks {
        ids.insert(*name, system.webhook(name, fields.clone()).await.id);
    }
    let (started, responses) = (system.time(), case.responses);
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
        let status = responses(request.name(), request.at.duration_since(started).as_secs());
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
        .plan(move |call| aws.get(&call.index).copied().unwrap_or(FaultPlan::NoFault));
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
    system.fake.plan(|_| FaultPlan::NoFault);
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

/// Copies the messages with these indexes that have been sent by now.
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

/// Prints the case and the breaks if an assertion fails.
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

/// Whether losing the response of the operation differs from the operation failing.
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

/// The repair of one break may break too, and its messages may already have been sent.
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
    one_break_anywhere("gone immediately").await;
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
    two_breaks_anywhere("gone immediately").await;
}
