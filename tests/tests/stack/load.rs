//! Many events at once.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::sink::{Reply, Request, Sink};
use tests::stack::{Stack, text};

async fn publish_many(stack: &Stack, count: u64) -> BTreeMap<String, u64> {
    let mut published = BTreeMap::new();
    let numbers: Vec<u64> = (0..count).collect();
    for chunk in numbers.chunks(100) {
        let events: Vec<Value> = chunk.iter().map(|number| stack.event("message", json!({"number": number}))).collect();
        let answer = stack.post("/v1/events/batch", json!({"events": events})).await.expect(202);
        let results = answer["results"].as_array().expect("results").iter();
        published.extend(results.zip(chunk).map(|(result, number)| (text(result, "id"), *number)));
    }
    published
}

/// How often each event came; each must have come with its own data.
fn counted(published: &BTreeMap<String, u64>, got: &[Request]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in got {
        let id = request.header("webhook-id");
        assert_eq!(published.get(id).copied(), request.data()["number"].as_u64(), "{id}");
        *counts.entry(id.to_owned()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn no_event_is_lost_or_mixed_up() {
    let stack = Stack::get();
    let (healthy, failing) = (Sink::start(), Sink::answering([Reply::status(500)]));
    stack.webhook().url(healthy.url()).create().await;
    stack.webhook().url(failing.url()).retry([1]).create().await;

    let published = publish_many(&stack, 200).await;

    let each = |least: usize| {
        let published = &published;
        move |got: &[Request]| {
            let counts = counted(published, got);
            counts.len() == published.len() && counts.values().all(|count| *count >= least)
        }
    };
    healthy.wait_until("every event came", each(1)).await;
    failing.wait_until("every event came and was retried", each(2)).await;
}

#[tokio::test]
async fn an_endpoint_that_hangs_does_not_hold_up_others() {
    let stack = Stack::get();
    let (healthy, hung) = (Sink::start(), Sink::answering([Reply::hang()]));
    stack.webhook().url(healthy.url()).create().await;
    let waiting = stack.webhook().url(hung.url()).set("timeout_seconds", 10).create().await;

    let published = publish_many(&stack, 10).await;

    healthy.wait_until("every event came", |got| counted(&published, got).len() == published.len()).await;
    let list = format!("/v1/deliveries?status=failed&webhook_id={}", waiting.id);
    let failed = stack.get_path(&list).await.expect(200);
    assert_eq!(failed["data"], json!([]), "the healthy one waited for a timeout");
}
