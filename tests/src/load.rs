//! Concurrent publishing of many events.

#![expect(clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::{
    receiver::Request,
    stack::{Stack, text, unique},
};

/// Number of concurrent requests.
const CONCURRENT: usize = 20;
/// Maximum number of tries for a request that fails with a server error.
const TRIES: usize = 10;

/// Publishes events in batches, each event with its number and an idempotency key. Repeats a batch
/// that fails completely or in part, as clients do. Returns the number of each event ID.
pub async fn publish_many(stack: &Stack, count: u64, batch: usize) -> BTreeMap<String, u64> {
    let numbers: Vec<u64> = (0..count).collect();
    let batches = numbers
        .chunks(batch)
        .map(|numbers| publish_batch(stack, numbers));
    let published = stream::iter(batches.collect::<Vec<_>>()).buffer_unordered(CONCURRENT);
    let published: BTreeMap<String, u64> = published
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(published.len(), numbers.len(), "each has its own id");
    published
}

async fn publish_batch(stack: &Stack, numbers: &[u64]) -> Vec<(String, u64)> {
    let key = unique("batch");
    let event = |number: &u64| {
        let mut event = stack.event("message", json!({"number": number}));
        event["idempotency_key"] = json!(format!("{key} {number}"));
        event
    };
    let batch = json!({"events": numbers.iter().map(event).collect::<Vec<Value>>()});
    for _ in 0..TRIES {
        let response = stack.post("/v1/events/batch", batch.clone()).await;
        if response.status >= 500 {
            continue;
        }
        let response = response.expect(202);
        let results = response["results"].as_array().expect("results");
        if results
            .iter()
            .all(|result| result["error"]["status"] != 500)
        {
            return results
                .iter()
                .zip(numbers)
                .map(|(result, number)| (text(result, "id"), *number))
                .collect();
        }
    }
    panic!("a batch was refused {TRIES} times");
}

/// Counts the requests for each event. Each request must contain the data of its event.
pub fn counted(published: &BTreeMap<String, u64>, got: &[Request]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in got {
        let id = request.header("webhook-id");
        assert_eq!(
            published.get(id).copied(),
            request.data()["number"].as_u64(),
            "{id}"
        );
        *counts.entry(id.to_owned()).or_default() += 1;
    }
    counts
}
