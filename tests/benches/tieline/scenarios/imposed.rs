//! Costs that users and third parties impose: the most expensive conditions, responses whose secrets
//! are the most work to mask, and endpoints that hang.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::fake::sqs::Name;

use super::{Hub, send};
use crate::{
    binaries::Binaries,
    function::Function,
    report::{Report, millis},
    servers,
};

/// Events of a measurement: two full batches.
const EVENTS: usize = 20;

pub(crate) async fn measure(binaries: &Binaries, report: &mut Report) {
    report.section("Imposed: CPU for one event, without what the simplest one takes");
    conditions(binaries, report).await;
    masking(binaries, report).await;
    report.section("Imposed: time for ten deliveries");
    for hung in [0, 1, 10] {
        hung_endpoints(hung, binaries, report).await;
    }
}

/// The most expensive conditions, on 64 KiB of text or a list of 100 KB.
async fn conditions(binaries: &Binaries, report: &mut Report) {
    // Pseudo-random, so that no search can skip ahead.
    let letter = |i: u32| "ab".as_bytes()[((i.wrapping_mul(2_654_435_761) >> 13) & 1) as usize];
    let text: String = (0..65_536).map(|i| char::from(letter(i))).collect();
    let data = json!({"ab": text, "list": vec![0; 50_000]});
    let none = dispatch(&Value::Null, &data, binaries).await;
    report.add("dispatch without conditions", millis(none), "");
    for (count, field, op, value) in [
        // The largest expression that the API accepts.
        (1, "ab", "matches", json!("[ab]*a[ab]{700}[cd]")),
        (50, "ab", "matches", json!("[ab]*a[ab]{9}[cd]")),
        (50, "ab", "matches", json!("urgent")),
        (50, "list", "contains", json!([1])),
    ] {
        let comparison = json!({"field": field, "op": op, "value": value});
        let conditions = json!({"any": vec![comparison; count]});
        let cpu = dispatch(&conditions, &data, binaries).await;
        let name = format!("conditions, {count} × {op} {value}");
        report.add(name, millis(cpu.saturating_sub(none)), "");
    }
}

/// Returns the CPU time of dispatch for an event and a webhook with these conditions.
async fn dispatch(conditions: &Value, data: &Value, binaries: &Binaries) -> Duration {
    let hub = Hub::new(binaries).await;
    let url = servers::receiver();
    hub.webhook("costly", &url, json!({"conditions": conditions}))
        .await;
    let mut config_api = hub.start("config-api").await;
    let mut dispatch = hub.start("dispatch").await;
    publish(&hub, &mut config_api, data).await;
    let before = dispatch.cpu();
    assert_eq!(hub.work(Name::Events, &mut dispatch).await, EVENTS);
    each(dispatch.cpu_since(before))
}

/// Secrets at their maximum number, and responses that decode to something else in every encoding.
async fn masking(binaries: &Binaries, report: &mut Report) {
    let value = |n: usize| {
        let words: Vec<_> = (0..400).map(|word| format!("{word:05}{n:03}")).collect();
        words.join(" ")
    };
    let headers: serde_json::Map<_, _> = (0..20)
        .map(|n| (format!("x-secret-{n}"), json!(value(n))))
        .collect();
    let without = deliver("empty", &headers, binaries).await;
    report.add("delivery, an empty response", millis(without), "");
    for (name, path) in [
        ("masking a short response", ""),
        ("masking 64 secrets in 16 KiB of three encodings", "encoded"),
    ] {
        let cpu = deliver(path, &headers, binaries).await;
        report.add(name, millis(cpu.saturating_sub(without)), "");
    }
}

/// Returns the CPU time of a delivery to this path of the receiver.
async fn deliver(
    path: &str,
    headers: &serde_json::Map<String, Value>,
    binaries: &Binaries,
) -> Duration {
    let hub = Hub::new(binaries).await;
    let url = format!("{}{path}", servers::receiver());
    hub.webhook("masked", &url, json!({"headers": headers}))
        .await;
    let mut delivery = delivery_of(&hub).await;
    let before = delivery.cpu();
    assert_eq!(hub.work(Name::Deliveries, &mut delivery).await, EVENTS);
    each(delivery.cpu_since(before))
}

fn each(cpu: Duration) -> Duration {
    cpu / u32::try_from(EVENTS).expect("few")
}

/// Two batches whose first endpoints do not respond within their timeout of one second. The second
/// one sends their deliveries to the queue `retries`.
async fn hung_endpoints(hung: usize, binaries: &Binaries, report: &mut Report) {
    let hub = Hub::new(binaries).await;
    let url = servers::receiver();
    for number in 0..10 {
        let path = if number < hung { "hung" } else { "" };
        let more = json!({"timeout_seconds": 1});
        hub.webhook(&format!("webhook {number}"), &format!("{url}{path}"), more)
            .await;
    }
    let mut config_api = hub.start("config-api").await;
    let mut dispatch = hub.start("dispatch").await;
    let mut delivery = hub.start("delivery").await;
    let event = json!({"type": "message", "data": {}});
    for batch in ["first", "second"] {
        let request = hub.request("POST", "/v1/events", &event);
        send(&mut config_api, request, 202).await;
        assert_eq!(hub.work(Name::Events, &mut dispatch).await, 1);
        let started = Instant::now();
        assert_eq!(hub.work(Name::Deliveries, &mut delivery).await, 10);
        let taken = millis(started.elapsed());
        report.add(format!("{hung} hung for 1 s, {batch} batch"), taken, "");
    }
}

/// Publishes events with this data.
async fn publish(hub: &Hub<'_>, config_api: &mut Function, data: &Value) {
    for _ in 0..EVENTS {
        let event = json!({"type": "message", "data": data});
        send(config_api, hub.request("POST", "/v1/events", &event), 202).await;
    }
}

/// Dispatches events for the webhooks. Returns the delivery function, which has worked before.
async fn delivery_of(hub: &Hub<'_>) -> Function {
    let mut config_api = hub.start("config-api").await;
    let mut dispatch = hub.start("dispatch").await;
    let mut delivery = hub.start("delivery").await;
    publish(hub, &mut config_api, &json!({})).await;
    hub.work(Name::Events, &mut dispatch).await;
    hub.work(Name::Deliveries, &mut delivery).await;
    publish(hub, &mut config_api, &json!({})).await;
    hub.work(Name::Events, &mut dispatch).await;
    delivery
}
