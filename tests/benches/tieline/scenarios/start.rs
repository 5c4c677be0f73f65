//! Start-up, idle memory and size.

use std::time::Duration;

use serde_json::json;

use super::{Hub, send};
use crate::{
    binaries::Binaries,
    report::{Report, millis, times},
};

const STARTS: usize = 15;

pub(crate) async fn measure(binaries: &Binaries, report: &mut Report) {
    let hub = Hub::new(binaries).await;
    // The first starts read the executable from disk and warm the servers up.
    start(&hub, "baseline").await;
    let baseline = start(&hub, "baseline").await;
    report.section("Start: CPU from exec to the first poll, × the function that does nothing; idle memory; executable");
    for name in ["baseline"].into_iter().chain(local::FUNCTIONS) {
        let (cpu, memory) = match name {
            "baseline" => baseline,
            name => start(&hub, name).await,
        };
        report.add(
            format!("{name}: start"),
            millis(cpu),
            format!(
                "{}; {:.1} MiB resident; {:.2} MB on disk",
                times(cpu, baseline.0),
                memory / 1024.0,
                megabytes(binaries.bytes(name)),
            ),
        );
    }
    let mut function = hub.start("config-api").await;
    let started = function.cpu();
    let body = json!({"type": "message", "data": {}});
    send(&mut function, hub.request("POST", "/v1/events", &body), 202).await;
    report.add(
        "config-api: first publish, with its first AWS calls",
        millis(function.cpu_since(started)),
        "",
    );
}

/// Returns the least CPU time of several starts, and the resident memory in KiB of the last.
async fn start(hub: &Hub<'_>, name: &str) -> (Duration, f64) {
    let (mut least, mut memory) = (Duration::MAX, 0);
    for _ in 0..STARTS {
        let function = hub.start(name).await;
        least = least.min(function.cpu());
        memory = function.memory().0;
    }
    (least, f64::from(u32::try_from(memory).expect("small")))
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes).expect("small")) / 1e6
}
