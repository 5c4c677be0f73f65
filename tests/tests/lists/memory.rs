//! The memory that a list of large events takes.

use std::{env, fs, process::Command};

use serde_json::{Value, json};

use crate::api::{Api, ids};

/// Set in the process that measures itself.
const MEASURED: &str = "TIELINE_TEST_MEASURED";

/// The most memory that this process had at a time, in MiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

/// 19 events of 220 KB, which as trees of values would take 7 MB each. The fake DynamoDB's part is in the peak, too.
#[tokio::test]
async fn a_list_of_large_events_takes_little_memory() {
    if env::var_os(MEASURED).is_none() {
        let own = env::current_exe().expect("this test");
        let arguments = ["--exact", "memory::a_list_of_large_events_takes_little_memory"];
        let measured = Command::new(own).args(arguments).env(MEASURED, "1").output().expect("a process");
        assert!(measured.status.success(), "{}", String::from_utf8_lossy(&measured.stdout));
        return;
    }
    let api = Api::new().await;
    for id in ids(19, 1) {
        api.event(id, json!({"zeros": Value::from(vec![0; 110_000])}), &[]).await;
    }
    let before = peak();
    // The peak begins anew.
    fs::write("/proc/self/clear_refs", "5").expect("reset");
    let started = peak();
    let page = api.get_text("events?limit=100").await;
    let grown = peak().saturating_sub(started);
    assert!(page.len() > 19 * 220_000, "{} bytes", page.len());
    assert!(grown < 90, "{grown} MiB beside {started} MiB (before: {before} MiB)");
}
