//! Lists: CPU time and memory.

use serde_json::{Value, json};
use tests::fake::sqs::Name;

use super::{Hub, send};
use crate::{
    binaries::Binaries,
    report::{Report, millis},
    servers,
};

const REQUESTS: u32 = 50;

pub(crate) async fn measure(binaries: &Binaries, report: &mut Report) {
    report.section("Lists: CPU for one request; peak memory");
    let hub = Hub::new(binaries).await;
    hub.webhooks(1, &servers::receiver()).await;
    let mut config_api = hub.start("config-api").await;
    let (mut dispatch, mut delivery) = (hub.start("dispatch").await, hub.start("delivery").await);
    for number in 0..200 {
        publish(&hub, json!({"number": number, "text": "x".repeat(200)})).await;
    }
    hub.work(Name::Events, &mut dispatch).await;
    hub.work(Name::Deliveries, &mut delivery).await;
    for path in [
        "/v1/webhooks",
        "/v1/events?limit=100",
        "/v1/deliveries?limit=100",
        "/v1/me",
    ] {
        list(&hub, &mut config_api, path, report).await;
    }

    let hub = Hub::new(binaries).await;
    let mut config_api = hub.start("config-api").await;
    let mut dispatch = hub.start("dispatch").await;
    for _ in 0..19 {
        publish(&hub, json!({"text": "x".repeat(220_000)})).await;
    }
    hub.work(Name::Events, &mut dispatch).await;
    list(&hub, &mut config_api, "/v1/events?limit=19", report).await;
}

async fn publish(hub: &Hub<'_>, data: Value) {
    hub.api
        .call(
            "POST",
            "/v1/events",
            json!({"type": "message", "data": data}),
        )
        .await
        .expect(202);
}

async fn list(
    hub: &Hub<'_>,
    config_api: &mut crate::function::Function,
    path: &str,
    report: &mut Report,
) {
    let request = hub.request("GET", path, &Value::Null);
    let response = send(config_api, request.clone(), 200).await;
    let before = config_api.cpu();
    for _ in 0..REQUESTS {
        send(config_api, request.clone(), 200).await;
    }
    let count = response["data"].as_array().map_or(1, Vec::len);
    let peak = config_api.memory().1 / 1024;
    report.add(
        format!("{path} ({count} items)"),
        millis(config_api.cpu_since(before) / REQUESTS),
        format!("{peak} MiB"),
    );
}
