//! The memory that a list of large events takes.

use std::{env, fs, process::Command};

use serde_json::{Value, json};

use crate::api::{Api, ids};

/// Set in the process that measures itself.
const MEASURED: &str = "TIELINE_TEST_MEASURED";

/// The most memory that this process had at a time, in MiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    line.trim()
        .trim_end_matches(" kB")
        .parse::<u64>()
        .expect("a number")
        / 1024
}

/// Runs the test of this name in a process of its own; whether that is this one.
fn measures(test: &str) -> bool {
    if env::var_os(MEASURED).is_some() {
        return true;
    }
    let own = env::current_exe().expect("this test");
    let measured = Command::new(own)
        .args(["--exact", test])
        .env(MEASURED, "1")
        .output()
        .expect("a process");
    assert!(
        measured.status.success(),
        "{}",
        String::from_utf8_lossy(&measured.stdout)
    );
    false
}

/// Asserts that reading the list takes less than this many MiB. The fake DynamoDB's part is in the
/// peak, too.
async fn assert_takes_below(most: u64, api: &Api, list: &str, least_bytes: usize) {
    let before = peak();
    // The peak begins anew.
    fs::write("/proc/self/clear_refs", "5").expect("reset");
    let started = peak();
    let page = api.get_text(list).await;
    let grown = peak().saturating_sub(started);
    assert!(page.len() > least_bytes, "{} bytes", page.len());
    assert!(
        grown < most,
        "{grown} MiB beside {started} MiB (before: {before} MiB)"
    );
}

/// 19 events of 220 KB, which as trees of values would take 7 MB each.
#[tokio::test]
async fn a_list_of_large_events_takes_little_memory() {
    if !measures("memory::a_list_of_large_events_takes_little_memory") {
        return;
    }
    let api = Api::new().await;
    for id in ids(19, 1) {
        api.event(id, json!({"zeros": Value::from(vec![0; 110_000])}), &[])
            .await;
    }
    assert_takes_below(90, &api, "events?limit=100", 19 * 220_000).await;
}

/// 100 examples of 16 KB, which as trees of values would take 0.5 MB each.
#[tokio::test]
async fn a_list_of_event_types_takes_little_memory() {
    if !measures("memory::a_list_of_event_types_takes_little_memory") {
        return;
    }
    let api = Api::new().await;
    for n in 0..100 {
        let new =
            json!({"name": format!("a.n{n}"), "example": {"zeros": Value::from(vec![0; 8_000])}});
        api.post("event-types", new).await.expect(201);
    }
    assert_takes_below(40, &api, "event-types?limit=100", 100 * 16_000).await;
}
