//! Publishing and reading events.

mod types;

use futures::future::join_all;
use serde_json::{Value, json};
use tests::{
    client::Response,
    receiver::Receiver,
    stack::{Stack, text, unique},
};

async fn publish_with_key(stack: &Stack, key: &str, event: &Value) -> Response {
    stack
        .send(
            stack
                .request(reqwest::Method::POST, "/v1/events")
                .header("idempotency-key", key)
                .json(event),
        )
        .await
}

#[tokio::test]
async fn event_is_returned_with_its_deliveries() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = stack.webhook().url(receiver.url()).create().await;
    let mut event = stack.event(
        "message",
        json!({"text": "hi", "big": 12_345_678_901_234_567_890_u64}),
    );
    event["timestamp"] = json!("2026-01-31T13:00:00+01:00");
    let accepted = stack.post("/v1/events", event.clone()).await.expect(202);
    assert_eq!(accepted["type"], "message");
    assert_eq!(accepted["timestamp"], "2026-01-31T12:00:00Z");

    let id = text(&accepted, "id");
    assert!(id.starts_with("evt_"), "{id}");
    stack.delivery_until(&id, &webhook, "succeeded").await;
    let read = stack.event_read(&id).await;
    assert_eq!(read["data"], event["data"]);
    assert_eq!(read["timestamp"], accepted["timestamp"]);
    let [delivery] = read["deliveries"]
        .as_array()
        .expect("deliveries")
        .as_slice()
    else {
        panic!("{read}")
    };
    assert_eq!(delivery["webhook_id"], webhook.id.as_str());
    assert_eq!(delivery["status"], "succeeded");
    assert_eq!(delivery["attempt_count"], 1);
    assert_eq!(
        receiver.only().await.json()["timestamp"],
        "2026-01-31T12:00:00Z"
    );
}

#[tokio::test]
async fn invalid_events_are_rejected() {
    let stack = Stack::get();
    for (event, pointers) in [
        (json!({}), vec!["/data", "/type"]),
        (json!({"type": "no.such.type", "data": {}}), vec!["/type"]),
        (
            json!({"type": "no.such.type", "data": [], "id": "evt_1"}),
            vec!["/data", "/id", "/type"],
        ),
        (json!({"type": "No Type", "data": {}}), vec!["/type"]),
        (json!({"type": "message", "data": []}), vec!["/data"]),
        (
            json!({"type": "message", "data": {}, "id": "evt_1", "timestamp": "now"}),
            vec!["/id", "/timestamp"],
        ),
    ] {
        assert_eq!(
            stack.post("/v1/events", event.clone()).await.pointers(),
            pointers,
            "{event}"
        );
    }
}

#[tokio::test]
async fn repeated_request_with_the_same_key_is_one_event() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    stack.webhook().url(receiver.url()).create().await;
    let key = unique("key");
    let event = stack.event("message", json!({"number": 1}));
    let first = publish_with_key(&stack, &key, &event).await.expect(202);
    let second = publish_with_key(&stack, &key, &event).await.expect(202);
    assert_eq!(first, second);

    let other = stack.event("message", json!({"number": 2}));
    let problem = publish_with_key(&stack, &key, &other).await.problem(422);
    assert_eq!(problem["errors"][0]["header"], "Idempotency-Key");
    publish_with_key(&stack, &"k".repeat(256), &event)
        .await
        .problem(422);

    // Each route has its own space of keys.
    let batch =
        json!({"events": [{"type": "message", "data": event["data"], "idempotency_key": key}]});
    let results = stack.post("/v1/events/batch", batch).await.expect(202);
    assert_ne!(results["results"][0]["id"], first["id"]);

    let got = receiver.wait_for(2).await;
    assert_eq!(got.len(), 2, "one delivery for each event: {got:#?}");
}

#[tokio::test]
async fn batch_returns_a_result_for_each_event() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    stack.webhook().url(receiver.url()).create().await;
    let key = unique("key");
    let good = |number: u32| stack.event("message", json!({"number": number}));
    let keyed = |number: u32| {
        let mut event = good(number);
        event["idempotency_key"] = json!(key);
        event
    };
    let batch = json!({"events": [
        good(0),
        {"type": "no.such.type", "data": {}},
        {"type": "message", "data": 1, "colour": "red"},
        keyed(3),
        keyed(3),
        keyed(4),
        "text",
    ]});
    let mut response = stack.post("/v1/events/batch", batch).await.expect(202);
    let results = response["results"].as_array_mut().expect("results");
    let ids: Vec<String> = [0, 3, 4]
        .iter()
        .map(|index| text(&results[*index], "id"))
        .collect();
    assert_eq!(ids[1], ids[2], "the same key and body");
    assert_ne!(ids[0], ids[1]);
    let errors: Vec<Value> = results
        .iter_mut()
        .map(|result| result["error"].take())
        .filter(|e| !e.is_null())
        .collect();
    insta::assert_json_snapshot!(errors, @r#"
    [
      {
        "detail": "The request has 1 invalid field.",
        "errors": [
          {
            "detail": "is not a known event type. Create a custom type with `POST /v1/event-types`, or list all with `GET /v1/event-types`.",
            "pointer": "/type"
          }
        ],
        "status": 422
      },
      {
        "detail": "The request has 2 invalid fields.",
        "errors": [
          {
            "detail": "must be an object",
            "pointer": "/data"
          },
          {
            "detail": "is not a known field. Known fields: idempotency_key, type, data, timestamp",
            "pointer": "/colour"
          }
        ],
        "status": 422
      },
      {
        "detail": "The request has 1 invalid field.",
        "errors": [
          {
            "detail": "was used with another body within the last 24 hours. Use a new key for each request.",
            "pointer": "/idempotency_key"
          }
        ],
        "status": 422
      },
      {
        "detail": "The request has 1 invalid field.",
        "errors": [
          {
            "detail": "must be an object",
            "pointer": ""
          }
        ],
        "status": 422
      }
    ]
    "#);

    let got = receiver.wait_for(2).await;
    let mut numbers: Vec<u64> = got
        .iter()
        .filter_map(|request| request.data()["number"].as_u64())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 3]);

    for wrong in [json!([]), json!(vec![json!({}); 101])] {
        assert_eq!(
            stack
                .post("/v1/events/batch", json!({"events": wrong}))
                .await
                .pointers(),
            ["/events"]
        );
    }
}

#[tokio::test]
async fn concurrent_repeats_are_one_event() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    stack.webhook().url(receiver.url()).create().await;
    let key = unique("key");
    let event = stack.event("message", json!({"number": 1}));
    let responses = join_all((0..6).map(|_| publish_with_key(&stack, &key, &event))).await;
    let first = responses[0].body.clone();
    for response in responses {
        assert_eq!(response.expect(202), first);
    }
    let other = stack.publish("message", json!({"number": 2})).await;
    let got = receiver
        .wait_until("the other event arrived", |got| {
            got.iter().any(|r| r.header("webhook-id") == other)
        })
        .await;
    assert!(
        got.iter()
            .all(|r| r.header("webhook-id") == other || r.header("webhook-id") == first["id"]),
        "{got:#?}"
    );
}

#[tokio::test]
async fn large_event_is_delivered_complete() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = stack.webhook().url(receiver.url()).create().await;
    // On a queue, each of these characters takes three times the bytes.
    let long = "😀".repeat(60_000);
    let event = stack.publish("message", json!({"text": long})).await;
    assert_eq!(receiver.only().await.data(), json!({"text": long}));
    stack.delivery_until(&event, &webhook, "succeeded").await;
    assert_eq!(stack.event_read(&event).await["data"]["text"], long);
}

#[tokio::test]
async fn unreadable_message_is_dead_lettered() {
    let stack = Stack::get();
    let queues = stack.queues();
    for queue in [&queues.events, &queues.deliveries, &queues.retries] {
        let nonsense = unique("nonsense");
        stack.put_on_queue(queue, &nonsense).await;
        stack.on_queue(&queues.dead, &nonsense).await;
    }
}
