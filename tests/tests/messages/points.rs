//! A crash or fault at every point between the request and the last event: at each call to AWS and
//! to the provider, before and after it takes effect, and a duplicate of each message. The client
//! repeats its request with the same key until it gets a response.

use std::collections::{BTreeMap, BTreeSet};

use domain::message::{Message, Status};
use platform::egress::Egress;
use serde_json::{Value, json};
use tests::{
    fake::{Call, FaultPlan, sqs::Name},
    receiver::{Reply, Request},
};

use crate::api::{Api, egress, sms};

/// The provider's responses, and the expected end.
#[derive(Debug, Clone, Copy)]
struct Case {
    /// Status by the provider's name and the seconds since the request.
    responses: fn(&str, i64) -> u16,
    /// Whether the provider has a fallback.
    falls_back: bool,
    /// Whether the provider reports that it delivered the message.
    reports: bool,
    attempts: usize,
    history: &'static [Status],
}

const CASES: [Case; 6] = [
    Case {
        responses: |_, _| 200,
        falls_back: false,
        reports: false,
        attempts: 1,
        history: &[Status::Queued, Status::Sent],
    },
    Case {
        responses: |_, _| 200,
        falls_back: false,
        reports: true,
        attempts: 1,
        history: &[Status::Queued, Status::Sent, Status::Delivered],
    },
    Case {
        responses: |_, seconds| if seconds < 1_500 { 500 } else { 200 },
        falls_back: false,
        reports: false,
        attempts: 4,
        history: &[Status::Queued, Status::Sent],
    },
    Case {
        responses: |_, _| 500,
        falls_back: false,
        reports: false,
        attempts: 4,
        history: &[Status::Queued, Status::Failed],
    },
    Case {
        responses: |provider, _| if provider == "provider" { 500 } else { 200 },
        falls_back: true,
        reports: true,
        attempts: 5,
        history: &[Status::Queued, Status::Sent, Status::Delivered],
    },
    Case {
        responses: |_, _| 500,
        falls_back: true,
        reports: false,
        attempts: 8,
        history: &[Status::Queued, Status::Failed],
    },
];

/// The providers, in the order of the chain.
const PROVIDERS: [&str; 2] = ["provider", "fallback"];

/// A break: at the n-th call to AWS or to the provider, or a copy of the n-th message.
#[derive(Debug, Clone)]
enum Break {
    Aws(usize, FaultPlan),
    Provider(usize, Reply),
    Copy(usize),
}

/// The number of possible breaks of each kind.
struct Points {
    aws: Vec<String>,
    requests: usize,
    sent: usize,
}

/// Runs the case to its end with this break, and checks the end.
async fn run(case: Case, egress: &Egress, point: Option<&Break>) -> Points {
    let mut api = Api::new(egress).await;
    let fallback = api.provider("fallback", json!({})).await;
    let mut provider = json!({});
    if case.falls_back {
        provider["fallback_provider_id"] = fallback["id"].clone();
    }
    let provider = api.provider("provider", provider).await;
    let last = if case.falls_back { fallback } else { provider };
    api.system
        .webhook("watch", json!({"events": ["sms.*"]}))
        .await;
    let began = api.system.time();
    let mut count = 0;
    let broken = match point {
        Some(Break::Provider(n, reply)) => Some((*n, reply.clone())),
        _ => None,
    };
    api.system.receiver.script(move |request: &Request| {
        if !PROVIDERS.contains(&request.name()) {
            return Reply::status(200);
        }
        count += 1;
        match &broken {
            Some((n, reply)) if *n == count - 1 => reply.clone(),
            _ => {
                let seconds = request.at.duration_since(began).as_secs();
                Reply::status((case.responses)(request.name(), seconds))
            }
        }
    });
    api.system.begin_count();
    let first = api.system.fake.state().queues.sent().len();
    let broken = match point {
        Some(Break::Aws(n, fault)) => Some((*n, *fault)),
        _ => None,
    };
    let plan = move |call: &Call| match broken {
        Some((n, fault)) if n == call.index => fault,
        _ => FaultPlan::NoFault,
    };
    api.system.fake.plan(plan);
    let mut id = None;
    for _ in 0..3 {
        let reply = api
            .try_call("POST", "/v1/messages", "the same key", &sms("provider"))
            .await;
        if let Some(reply) = reply.filter(|reply| reply.status < 500) {
            id = Some(reply.expect(202)["id"].as_str().expect("an id").to_owned());
            break;
        }
    }
    let id = id.expect("a response");
    let (mut reported, mut copied) = (!case.reports, false);
    loop {
        if let Some(Break::Copy(n)) = point
            && !copied
        {
            let mut state = api.system.fake.state();
            if let Some(message) = state.queues.sent().get(first + *n).cloned() {
                state.queues.copy(&message);
                copied = true;
            }
        }
        if api.system.step().await.is_none() {
            break;
        }
        // The test's own calls are not broken.
        api.system.fake.plan(|_| FaultPlan::NoFault);
        if !reported && api.message(id.parse().expect("an id")).await.status == Status::Sent {
            reported = true;
            let report = json!({
                "callback": {
                    "id": {"ours": id}, "report": {"status": {"status": "delivered", "provider_status": "done"}},
                },
                "provider": last["id"],
                "received_at": api.system.time(),
            });
            // Twice, because providers repeat reports.
            api.system.put(Name::Deliveries, report.to_string()).await;
            api.system.put(Name::Deliveries, report.to_string()).await;
        }
        api.system.fake.plan(plan);
    }
    api.system.fake.plan(|_| FaultPlan::NoFault);
    check(case, &api, &id, usize::from(point.is_some())).await;
    let state = api.system.fake.state();
    Points {
        aws: state
            .calls
            .iter()
            .map(|call| call.operation.clone())
            .collect(),
        requests: api
            .system
            .receiver
            .requests()
            .iter()
            .filter(|request| PROVIDERS.contains(&request.name()))
            .count(),
        sent: state.queues.sent().len() - first,
    }
}

async fn check(case: Case, api: &Api, id: &str, breaks: usize) {
    for queue in [Name::Events, Name::Deliveries, Name::Retries, Name::Dead] {
        assert!(
            api.system.fake.state().queues.on(queue).is_empty(),
            "{queue:?} is not empty"
        );
    }
    let message: Message = api.message(id.parse().expect("an id")).await;
    let rows = {
        let state = api.system.fake.state();
        state
            .table
            .items()
            .keys()
            .filter(|(pk, _)| pk.starts_with("messages#"))
            .count()
    };
    assert_eq!(rows, 1, "one message");
    let history: Vec<Status> = message.history.iter().map(|change| change.status).collect();
    assert_eq!(
        (history.as_slice(), message.progress.awaited.is_none()),
        (case.history, true)
    );
    let numbers: Vec<u32> = message
        .attempts
        .iter()
        .map(|attempt| attempt.number)
        .collect();
    // An attempt may be skipped if its time passes while a message is redelivered.
    let fewest = case.attempts.saturating_sub(breaks).max(1);
    assert!(
        (fewest..=case.attempts).contains(&numbers.len()),
        "{numbers:?}"
    );
    assert!(
        numbers
            .iter()
            .copied()
            .eq(1..=u32::try_from(numbers.len()).expect("few")),
        "{numbers:?}"
    );
    let mut calls = api.system.receiver.requests();
    calls.retain(|request| PROVIDERS.contains(&request.name()));
    assert!(
        (numbers.len()..=case.attempts + breaks).contains(&calls.len()),
        "{} calls",
        calls.len()
    );
    assert!(
        calls.iter().all(|request| request.webhook_id() == id),
        "one id for the provider"
    );
    // Each attempt names its provider, and none is made through an earlier one.
    let names = calls.iter().map(Request::name);
    assert!(
        names.is_sorted_by_key(|name| name == "fallback"),
        "in order"
    );
    let through = numbers.iter().map(|number| message.provider_of(*number).1);
    assert!(
        through.is_sorted_by_key(|name| name == "fallback"),
        "{numbers:?}"
    );
    let passed_on = case.falls_back.then_some("fallback");
    assert_eq!(message.provider, passed_on.unwrap_or("provider"));
    assert_eq!(message.earlier.len(), usize::from(case.falls_back));

    // However often an event is emitted, it has one ID and leads to one delivery.
    let events: BTreeMap<String, String> = message
        .events()
        .into_iter()
        .map(|event| (event.id.to_string(), event.kind.to_string()))
        .collect();
    assert_eq!(events.len(), case.history.len() - 1);
    let sent: Vec<Value> = {
        let state = api.system.fake.state();
        let on_events = state
            .queues
            .sent()
            .iter()
            .filter(|message| message.queue == Name::Events);
        on_events.map(tests::fake::sqs::Message::json).collect()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert_eq!(
        sent.iter()
            .map(|event| (text(&event["id"]), text(&event["type"])))
            .collect::<BTreeMap<_, _>>(),
        events
    );
    let heard: BTreeSet<String> = api
        .requests("watch")
        .iter()
        .map(|request| request.webhook_id().to_owned())
        .collect();
    assert_eq!(heard, events.into_keys().collect());
}

/// Prints the break if an assertion fails.
struct Context(Option<Break>);

impl Drop for Context {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("with {:?}", self.0);
        }
    }
}

async fn one_break_anywhere(case: Case) {
    let egress = egress();
    let points = Box::pin(run(case, &egress, None)).await;
    let mut breaks = Vec::new();
    for (n, operation) in points.aws.iter().enumerate() {
        breaks.push(Break::Aws(n, FaultPlan::CrashBefore));
        if [
            "PutItem",
            "TransactWriteItems",
            "SendMessage",
            "SendMessageBatch",
        ]
        .contains(&operation.as_str())
        {
            breaks.extend([
                Break::Aws(n, FaultPlan::CrashAfter),
                Break::Aws(n, FaultPlan::ResponseLost),
            ]);
        }
    }
    for n in 0..points.requests {
        breaks.extend([
            Break::Provider(n, Reply::crash_before()),
            Break::Provider(n, Reply::crash_after()),
        ]);
    }
    breaks.extend((0..points.sent).map(Break::Copy));
    for point in breaks {
        let context = Context(Some(point));
        Box::pin(run(case, &egress, context.0.as_ref())).await;
    }
}

#[tokio::test]
async fn crash_during_immediate_send() {
    one_break_anywhere(CASES[0]).await;
}

#[tokio::test]
async fn crash_during_delivery_report() {
    one_break_anywhere(CASES[1]).await;
}

#[tokio::test]
async fn crash_during_late_send() {
    one_break_anywhere(CASES[2]).await;
}

#[tokio::test]
async fn crash_during_failed_send() {
    one_break_anywhere(CASES[3]).await;
}

#[tokio::test]
async fn crash_during_send_through_a_fallback() {
    one_break_anywhere(CASES[4]).await;
}

#[tokio::test]
async fn crash_during_failed_send_through_a_fallback() {
    one_break_anywhere(CASES[5]).await;
}
