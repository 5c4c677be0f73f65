//! Batches of events, each with its own idempotency key.

use serde_json::{Value, json};
use tests::fake::{Fate, sqs::Name};

use crate::api::{Api, texts};

#[tokio::test]
async fn the_same_key_twice_in_one_batch_is_one_event_and_one_message() {
    let api = Api::new().await;
    let event =
        |n: u32, key: &str| json!({"type": "message", "data": {"n": n}, "idempotency_key": key});
    let same = json!({"events": [event(1, "a"), event(2, "b"), event(1, "a"), event(3, "a"), event(1, "a")]});
    for _ in 0..2 {
        let answer = api.post("events/batch", same.clone()).await.expect(202);
        let results = answer["results"].as_array().expect("results");
        assert_eq!(results[3]["error"]["status"], 422, "another body: {answer}");
        let ids: Vec<&Value> = [0, 2, 4]
            .iter()
            .map(|n: &usize| &results[*n]["id"])
            .collect();
        assert!(
            ids[0].is_string() && ids.iter().all(|id| *id == ids[0]),
            "{answer}"
        );
        assert_ne!(results[1]["id"], results[0]["id"]);
        let state = api.fake.state();
        let queued: Vec<Value> = state
            .queues
            .on(Name::Events)
            .iter()
            .map(tests::fake::sqs::Message::json)
            .collect();
        assert_eq!(queued.len(), 2, "{queued:?}");
        assert_eq!(texts(&queued, "type"), ["message", "message"]);
    }
}

#[tokio::test]
async fn entry_whose_claim_fails_fails_alone() {
    let api = Api::new().await;
    let event = |key: Option<&str>| json!({"type": "message", "data": {}, "idempotency_key": key});
    let mut claims = 0;
    api.fake.plan(move |call| {
        let is_claim = call.operation == "PutItem" && call.request.to_string().contains("claim#");
        claims += usize::from(is_claim);
        if is_claim && claims == 2 {
            Fate::Fails("ResourceNotFoundException")
        } else {
            Fate::Answered
        }
    });
    let batch =
        json!({"events": [event(Some("a")), event(Some("b")), event(None), event(Some("c"))]});
    let answer = api.post("events/batch", batch).await.expect(202);
    let results = answer["results"].as_array().expect("results");
    let statuses: Vec<&Value> = results
        .iter()
        .map(|result| &result["error"]["status"])
        .collect();
    assert_eq!(
        statuses,
        [&Value::Null, &json!(500), &Value::Null, &Value::Null],
        "{answer}"
    );
    assert_eq!(api.fake.state().queues.on(Name::Events).len(), 3);
}
