//! Failures and retries.

use jiff::Timestamp;
use serde_json::{Value, json};
use tests::{
    receiver::{Receiver, Reply},
    stack::{Stack, text},
};

fn attempts(delivery: &Value) -> Vec<(u64, Option<u64>)> {
    let attempts = delivery["attempts"].as_array().expect("attempts").iter();
    attempts
        .map(|attempt| {
            (
                attempt["number"].as_u64().expect("number"),
                attempt["status_code"].as_u64(),
            )
        })
        .collect()
}

fn time(value: &Value) -> Timestamp {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("no time: {value}"))
}

#[tokio::test]
async fn redirects_are_success_and_are_not_followed() {
    let stack = Stack::get();
    let elsewhere = Receiver::start();
    let reply = Reply::status(302).header("location", elsewhere.url());
    let receiver = Receiver::replying([reply]);
    let lenient = stack.webhook().url(receiver.url()).create().await;
    let strict = stack
        .webhook()
        .url(receiver.url())
        .set("success", "2xx")
        .create()
        .await;

    let event = stack.publish("message", json!({})).await;

    let delivery = stack.delivery_until(&event, &lenient, "succeeded").await;
    assert_eq!(attempts(&delivery), [(1, Some(302))]);
    let delivery = stack.delivery_until(&event, &strict, "failed").await;
    assert_eq!(attempts(&delivery), [(1, Some(302))]);
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn failure_is_retried_until_success() {
    let stack = Stack::get();
    let receiver = Receiver::replying([
        Reply::status(500).body("oops"),
        Reply::status(404),
        Reply::status(204),
    ]);
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .retry([1, 1, 600])
        .create()
        .await;

    let event = stack.publish("message", json!({})).await;

    let got = receiver.wait_for(3).await;
    let delivery = stack.delivery_until(&event, &webhook, "succeeded").await;
    assert_eq!(
        attempts(&delivery),
        [(1, Some(500)), (2, Some(404)), (3, Some(204))]
    );
    assert_eq!(delivery["attempts"][0]["response_body"], "oops");
    assert_eq!(
        delivery["attempts"][0]["error"],
        "the receiver responded with 500"
    );
    assert!(delivery["next_attempt_at"].is_null());
    assert!(
        got.iter()
            .all(|request| request.header("webhook-id") == event),
        "{got:#?}"
    );
    assert!(got.windows(2).all(|two| two[0].body == two[1].body));
}

#[tokio::test]
async fn final_failure_emits_an_event() {
    let stack = Stack::get();
    // A port on which nothing listens any more.
    let unreachable = Receiver::start().url();
    let failing = stack.webhook().url(unreachable).retry([1]).create().await;
    let receiver = Receiver::replying([Reply::status(503)]);
    let watcher = stack
        .webhook()
        .url(receiver.url())
        .events(["webhook.delivery_failed"])
        .about(&failing)
        .create()
        .await;
    let third = Receiver::start();
    stack
        .webhook()
        .url(third.url())
        .events(["webhook.*"])
        .about(&watcher)
        .create()
        .await;

    let event = stack.publish("message", json!({})).await;

    let delivery = stack.delivery_until(&event, &failing, "failed").await;
    assert_eq!(attempts(&delivery), [(1, None), (2, None)]);
    assert_eq!(
        delivery["attempts"][1]["error"],
        "unreachable: the connection was refused"
    );
    let request = receiver.only().await;
    assert_eq!(request.json()["type"], "webhook.delivery_failed");
    let data = &request.json()["data"];
    assert_eq!(data["event_id"], event.as_str());
    assert_eq!(data["delivery_id"], delivery["id"]);
    assert_eq!(data["attempts"], 2);

    // The delivery of that event failed too, and no event reports it. A later event has been
    // processed by then.
    stack
        .delivery_until(request.header("webhook-id"), &watcher, "failed")
        .await;
    let passed = Receiver::start();
    stack.webhook().url(passed.url()).create().await;
    stack.publish("message", json!({})).await;
    passed.wait_for(1).await;
    assert_eq!(third.requests().len(), 0);
}

#[tokio::test]
async fn late_responses_are_failures() {
    let stack = Stack::get();
    let hung = Receiver::replying([Reply::hang()]);
    let dripping = Receiver::replying([Reply::drip()]);
    let webhook = |receiver: &Receiver| {
        stack
            .webhook()
            .url(receiver.url())
            .set("timeout_seconds", 1)
            .create()
    };
    let (first, second) = (webhook(&hung).await, webhook(&dripping).await);

    let event = stack.publish("message", json!({})).await;

    let cut =
        "the receiver responded with 200, but the response was not complete within the timeout";
    for (webhook, status_code, error) in [
        (first, json!(null), "no response within the timeout"),
        (second, json!(200), cut),
    ] {
        let delivery = stack.delivery_until(&event, &webhook, "failed").await;
        let attempt = &delivery["attempts"][0];
        assert_eq!(
            (&attempt["status_code"], &attempt["error"]),
            (&status_code, &json!(error))
        );
        let took = attempt["duration_ms"].as_u64().expect("duration");
        assert!((1000..3000).contains(&took), "{took} ms");
    }
}

#[tokio::test]
async fn gone_disables_the_webhook() {
    let stack = Stack::get();
    let receiver = Receiver::replying([Reply::status(410)]);
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .retry([1, 1])
        .create()
        .await;
    let watcher = Receiver::start();
    stack
        .webhook()
        .url(watcher.url())
        .events(["webhook.disabled"])
        .about(&webhook)
        .create()
        .await;

    let event = stack.publish("message", json!({})).await;

    let delivery = stack.delivery_until(&event, &webhook, "failed").await;
    assert_eq!(attempts(&delivery), [(1, Some(410))]);
    let request = watcher.only().await;
    assert_eq!(request.json()["type"], "webhook.disabled");
    assert_eq!(request.json()["data"]["reason"], "gone");
    let read = webhook.read().await;
    assert_eq!(
        (&read["status"], &read["enabled"]),
        (&json!("disabled"), &json!(false))
    );
    assert_eq!(read["disabled_reason"], "gone");

    let later = stack.publish("message", json!({})).await;
    assert_eq!(stack.event_read(&later).await["deliveries"], json!([]));

    receiver.set_reply(Reply::status(200));
    let read = webhook.patch(json!({"enabled": true})).await;
    assert_eq!(
        (&read["status"], &read["disabled_reason"]),
        (&json!("active"), &Value::Null)
    );
    let last = stack.publish("message", json!({})).await;
    stack.delivery_until(&last, &webhook, "succeeded").await;
}

#[tokio::test]
async fn retry_after_delays_the_retry() {
    let stack = Stack::get();
    let receiver = Receiver::replying([
        Reply::status(429).header("retry-after", "4"),
        Reply::status(200),
    ]);
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .retry([1, 600])
        .create()
        .await;

    let event = stack.publish("message", json!({})).await;

    let delivery = stack.delivery_until(&event, &webhook, "succeeded").await;
    let [first, second] = delivery["attempts"]
        .as_array()
        .expect("attempts")
        .as_slice()
    else {
        panic!("{delivery}")
    };
    let waited = time(&second["at"]).duration_since(time(&first["at"]));
    assert!(waited.as_secs() >= 4, "{waited}");
}

#[tokio::test]
async fn delivery_can_be_retried_manually() {
    let stack = Stack::get();
    let receiver = Receiver::replying([Reply::status(500), Reply::status(500), Reply::status(200)]);
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .retry([600])
        .create()
        .await;
    let event = stack.publish("message", json!({"text": "again"})).await;
    let delivery = stack.delivery_until(&event, &webhook, "retrying").await;
    let due =
        time(&delivery["next_attempt_at"]).duration_since(time(&delivery["attempts"][0]["at"]));
    assert!((600..610).contains(&due.as_secs()), "{due}");

    let path = format!("/v1/deliveries/{}/retry", text(&delivery, "id"));
    let accepted = stack.post(&path, Value::Null).await.expect(202);
    assert_eq!(accepted["status"], "retrying");
    receiver.wait_for(2).await;
    let retried = |delivery: &Value| attempts(delivery).len() == 2;
    let delivery = stack
        .delivery_when(&event, &webhook, "attempted twice", retried)
        .await;
    assert_eq!(delivery["status"], "retrying", "under a fresh schedule");

    stack.post(&path, Value::Null).await.expect(202);
    let delivery = stack.delivery_until(&event, &webhook, "succeeded").await;
    assert_eq!(
        attempts(&delivery),
        [(1, Some(500)), (2, Some(500)), (3, Some(200))]
    );

    // Deliveries that succeeded can be retried, too.
    stack.post(&path, Value::Null).await.expect(202);
    let got = receiver.wait_for(4).await;
    assert!(
        got.iter()
            .all(|request| request.header("webhook-id") == event)
    );
    let four =
        |delivery: &Value| attempts(delivery).len() == 4 && delivery["status"] == "succeeded";
    stack
        .delivery_when(&event, &webhook, "tried four times", four)
        .await;
}

#[tokio::test]
async fn retries_end_with_their_schedule() {
    let stack = Stack::get();
    let receiver = Receiver::replying([Reply::status(503).header("retry-after", "600")]);
    let policies = [
        (json!({"type": "none"}), 1),
        (
            json!({"type": "fixed", "interval_seconds": 1, "duration_seconds": 2}),
            3,
        ),
        // `Retry-After` does not move the end of the schedule.
        (json!({"type": "custom", "delays_seconds": [1, 1]}), 3),
    ];
    let mut webhooks = Vec::new();
    for (policy, count) in policies {
        webhooks.push((
            stack
                .webhook()
                .url(receiver.url())
                .set("retry", policy)
                .create()
                .await,
            count,
        ));
    }
    let event = stack.publish("message", json!({})).await;
    for (webhook, count) in webhooks {
        let delivery = stack.delivery_until(&event, &webhook, "failed").await;
        assert!(attempts(&delivery).len() <= count, "{delivery}");
        assert!(attempts(&delivery).len() >= count.min(2), "{delivery}");
    }
}

#[tokio::test]
async fn failures_are_described_in_words() {
    let stack = Stack::get();
    let plain = Receiver::start();
    let tls = plain.url().replace("http://", "https://");
    let webhook = stack.webhook().url(tls).create().await;
    let event = stack.publish("message", json!({})).await;
    let delivery = stack.delivery_until(&event, &webhook, "failed").await;
    let error = text(&delivery["attempts"][0], "error");
    assert!(error.starts_with("unreachable: TLS failed"), "{error}");
    assert_eq!(plain.requests().len(), 0);
}

#[tokio::test]
async fn long_response_is_truncated() {
    let stack = Stack::get();
    let receiver = Receiver::replying([Reply::status(200).body("é".repeat(20_000))]);
    let webhook = stack.webhook().url(receiver.url()).create().await;
    let event = stack.publish("message", json!({})).await;
    let delivery = stack.delivery_until(&event, &webhook, "succeeded").await;
    assert_eq!(
        text(&delivery["attempts"][0], "response_body"),
        "é".repeat(8192)
    );
}
