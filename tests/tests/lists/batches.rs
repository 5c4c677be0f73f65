//! Batches of events, each with its own idempotency key.

use serde_json::{Value, json};
use tests::fake::{FaultPlan, sqs::Name};

use crate::api::{Api, texts};

#[tokio::test]
async fn duplicate_key_in_a_batch_is_one_event_and_one_message() {
    let api = Api::new().await;
    let event =
        |n: u32, key: &str| json!({"type": "message", "data": {"n": n}, "idempotency_key": key});
    let same = json!({"events": [event(1, "a"), event(2, "b"), event(1, "a"), event(3, "a"), event(1, "a")]});
    for _ in 0..2 {
        let response = api.post("events/batch", same.clone()).await.expect(202);
        let results = response["results"].as_array().expect("results");
        assert_eq!(
            results[3]["error"]["status"], 422,
            "another body: {response}"
        );
        let ids: Vec<&Value> = [0, 2, 4]
            .iter()
            .map(|n: &usize| &results[*n]["id"])
            .collect();
        assert!(
            ids[0].is_string() && ids.iter().all(|id| *id == ids[0]),
            "{response}"
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
async fn entries_rejected_by_the_queue_fail_alone() {
    let api = Api::new().await;
    let mut sends = 0;
    api.fake.plan(move |call| {
        sends += usize::from(call.operation == "SendMessageBatch");
        if call.operation == "SendMessageBatch" && sends == 2 {
            FaultPlan::Fails("AccessDenied")
        } else {
            FaultPlan::NoFault
        }
    });
    let events: Vec<Value> = (0..25)
        .map(|n| json!({"type": "message", "data": {"n": n}, "idempotency_key": format!("k{n}")}))
        .collect();
    let batch = json!({"events": events});
    let response = api.post("events/batch", batch.clone()).await.expect(202);
    let failed = |response: &Value| {
        let results = response["results"].as_array().expect("results").iter();
        results
            .filter(|result| result["error"]["status"] == 500)
            .count()
    };
    let queued = || api.fake.state().queues.on(Name::Events).len();
    assert_eq!((failed(&response), queued()), (10, 15), "{response}");
    // A repeated request sends only what was not sent before.
    let response = api.post("events/batch", batch).await.expect(202);
    assert_eq!((failed(&response), queued()), (0, 25), "{response}");
}

#[tokio::test]
async fn failing_table_fails_only_entries_that_need_it_and_only_once() {
    let api = Api::new().await;
    api.fake.plan(|call| {
        if call.operation == "PutItem" && call.request.to_string().contains("claim#") {
            FaultPlan::Fails("ResourceNotFoundException")
        } else {
            FaultPlan::NoFault
        }
    });
    let event = |key: Option<&str>| json!({"type": "message", "data": {}, "idempotency_key": key});
    let batch =
        json!({"events": [event(Some("a")), event(Some("b")), event(None), event(Some("c"))]});
    let response = api.post("events/batch", batch).await.expect(202);
    let statuses: Vec<&Value> = response["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|result| &result["error"]["status"])
        .collect();
    let error = &json!(500);
    assert_eq!(statuses, [error, error, &Value::Null, error], "{response}");
    let claims = api.fake.state();
    let claims = claims
        .calls
        .iter()
        .filter(|call| call.request.to_string().contains("claim#"));
    assert_eq!(claims.count(), 1, "no further slow access");
}
