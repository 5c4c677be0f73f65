//! Many events at once.

#![expect(clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::{
    receiver::Request,
    stack::{Stack, text, unique},
};

/// How many requests are under way at once.
const CONCURRENT: usize = 20;
/// How often a request is repeated that the API answers with an error of its own.
const TRIES: usize = 10;

/// Publishes this many events in batches of this size, each with its number and an idempotency key,
/// and returns the number of each id. A batch that the API fails on, as a whole or in part, is
/// repeated, as clients do.
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
    assert_eq!(published.len(), numbers.len(), "each has an id of its own");
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
        let answer = stack.post("/v1/events/batch", batch.clone()).await;
        if answer.status >= 500 {
            continue;
        }
        let answer = answer.expect(202);
        let results = answer["results"].as_array().expect("results");
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

/// How often each event came; each must have come with its own data.
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
