//! Memory that a list of large events takes.

use serde_json::{Value, json};
use tests::memory::{measures, peak_mib, reset_peak};

use crate::api::{Api, ids};

/// Asserts that reading the list takes less than this many MiB, including the memory of the fake
/// DynamoDB.
async fn assert_takes_below(most: u64, api: &Api, list: &str, least_bytes: usize) {
    let before = peak_mib();
    reset_peak();
    let started = peak_mib();
    let page = api.get_text(list).await;
    let grown = peak_mib().saturating_sub(started);
    assert!(page.len() > least_bytes, "{} bytes", page.len());
    assert!(
        grown < most,
        "{grown} MiB on top of {started} MiB (before: {before} MiB)"
    );
}

/// 19 events of 220 KB, each of which takes 7 MB as parsed values.
#[tokio::test]
async fn list_of_large_events_takes_little_memory() {
    if !measures("memory::list_of_large_events_takes_little_memory") {
        return;
    }
    let api = Api::new().await;
    for id in ids(19, 1) {
        api.event(id, json!({"zeros": Value::from(vec![0; 110_000])}), &[])
            .await;
    }
    assert_takes_below(90, &api, "events?limit=100", 19 * 220_000).await;
}

/// 100 examples of 16 KB, each of which takes 0.5 MB as parsed values.
#[tokio::test]
async fn list_of_event_types_takes_little_memory() {
    if !measures("memory::list_of_event_types_takes_little_memory") {
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
