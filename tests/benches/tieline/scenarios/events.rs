//! From publishing to the receiver: CPU time and calls to AWS for each event.

use std::time::Duration;

use serde_json::{Value, json};
use tests::fake::sqs::Name;

use super::{Hub, send};
use crate::{
    binaries::Binaries,
    function::Function,
    report::{Report, per, per_10_000, times},
    servers,
};

/// One measurement.
struct Case {
    events: usize,
    fan_out: usize,
    /// Size of an event's data.
    bytes: usize,
    /// Events in one request.
    batch: usize,
}

const CASES: [Case; 7] = [
    Case {
        events: 2000,
        fan_out: 1,
        bytes: 200,
        batch: 1,
    },
    Case {
        events: 4000,
        fan_out: 1,
        bytes: 200,
        batch: 100,
    },
    Case {
        events: 400,
        fan_out: 10,
        bytes: 200,
        batch: 100,
    },
    Case {
        events: 40,
        fan_out: 100,
        bytes: 200,
        batch: 1,
    },
    Case {
        events: 2000,
        fan_out: 1,
        bytes: 1000,
        batch: 1,
    },
    Case {
        events: 400,
        fan_out: 1,
        bytes: 30_000,
        batch: 1,
    },
    Case {
        events: 100,
        fan_out: 1,
        bytes: 200_000,
        batch: 1,
    },
];

/// Deliveries before the measurement.
const WARM_UP: usize = 100;

pub(crate) async fn measure(binaries: &Binaries, report: &mut Report) {
    report.section(
        "Events: CPU for 10,000 deliveries, × the bare HTTP client; calls to AWS for an event",
    );
    for case in &CASES {
        one(case, binaries, report).await;
    }
}

async fn one(case: &Case, binaries: &Binaries, report: &mut Report) {
    let hub = Hub::new(binaries).await;
    let url = servers::receiver();
    hub.webhooks(case.fan_out, &url).await;
    let mut functions = [
        hub.start("config-api").await,
        hub.start("dispatch").await,
        hub.start("delivery").await,
    ];
    let warm = Case {
        events: WARM_UP.div_ceil(case.fan_out),
        ..*case
    };
    run(&hub, &warm, &mut functions).await;
    let measured = run(&hub, case, &mut functions).await;

    let deliveries = case.events * case.fan_out;
    let client = baseline(&hub, Some(&url), deliveries, case.bytes).await;
    let sdk = baseline(&hub, None, deliveries, case.bytes).await;
    let two = two_calls(&hub, case.events, case.bytes).await;
    let name = format!(
        "{} B, fan-out {}, {} a request",
        case.bytes, case.fan_out, case.batch
    );
    let [publish, dispatch, delivery] = measured.each_ref().map(|part| part.cpu);
    for (what, cpu) in [
        ("bare AWS client", sdk),
        ("bare function with two AWS calls per event", two),
        ("publish", publish),
        ("dispatch", dispatch),
        ("delivery", delivery),
        ("all", publish + dispatch + delivery),
    ] {
        report.add(
            format!("{name}: {what}"),
            per_10_000(cpu, deliveries),
            times(cpu, client),
        );
    }
    let calls = measured.each_ref().map(|part| per(part.calls, case.events));
    report.add(format!("{name}: calls"), calls.join(" + "), "");
    let memory = functions
        .each_ref()
        .map(|function| format!("{} MiB", function.memory().1 / 1024));
    report.add(format!("{name}: peak memory"), memory.join(", "), "");
}

struct Part {
    cpu: Duration,
    calls: usize,
}

/// Publishes, dispatches and delivers, one after the other.
async fn run(hub: &Hub<'_>, case: &Case, functions: &mut [Function; 3]) -> [Part; 3] {
    let [config_api, dispatch, delivery] = functions;
    let requests = requests(hub, case);
    hub.take_calls();

    let cpu = config_api.cpu();
    for request in requests {
        send(config_api, request, 202).await;
    }
    let publish = Part {
        cpu: config_api.cpu_since(cpu),
        calls: hub.take_calls(),
    };

    let cpu = dispatch.cpu();
    assert_eq!(hub.work(Name::Events, dispatch).await, case.events);
    let dispatched = Part {
        cpu: dispatch.cpu_since(cpu),
        calls: hub.take_calls(),
    };

    let cpu = delivery.cpu();
    let deliveries = hub.work(Name::Deliveries, delivery).await;
    assert_eq!(deliveries, case.events * case.fan_out);
    let delivered = Part {
        cpu: delivery.cpu_since(cpu),
        calls: hub.take_calls(),
    };
    [publish, dispatched, delivered]
}

fn requests(hub: &Hub<'_>, case: &Case) -> Vec<String> {
    let event = |number: usize| json!({"type": "message", "data": {"number": number, "text": "x".repeat(case.bytes - 30)}});
    if case.batch == 1 {
        let request = |number| hub.request("POST", "/v1/events", &event(number));
        return (0..case.events).map(request).collect();
    }
    let numbers: Vec<usize> = (0..case.events).collect();
    let request = |numbers: &[usize]| {
        let events: Vec<Value> = numbers.iter().map(|number| event(*number)).collect();
        hub.request("POST", "/v1/events/batch", &json!({"events": events}))
    };
    numbers.chunks(case.batch).map(request).collect()
}

/// Returns the CPU time of a bare client that sends `count` bodies of `bytes` bytes, ten at a time:
/// to `url`, or to the table.
async fn baseline(hub: &Hub<'_>, url: Option<&str>, count: usize, bytes: usize) -> Duration {
    let mut function = hub.start("baseline").await;
    let calls = |count: usize| {
        json!({"url": url, "count": count, "concurrent": 10, "body": "x".repeat(bytes)}).to_string()
    };
    function.invoke(calls(10)).await;
    let before = function.cpu();
    function.invoke(calls(count)).await;
    function.cpu_since(before)
}

/// Returns the CPU time of a function that sends two items to the table per invocation, one after
/// the other, as publishing an event sends two requests.
async fn two_calls(hub: &Hub<'_>, count: usize, bytes: usize) -> Duration {
    let mut function = hub.start("baseline").await;
    let calls = json!({"count": 2, "concurrent": 1, "body": "x".repeat(bytes)}).to_string();
    function.invoke(calls.clone()).await;
    let before = function.cpu();
    for _ in 0..count {
        function.invoke(calls.clone()).await;
    }
    function.cpu_since(before)
}
