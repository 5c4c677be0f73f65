//! The delivery guarantee as users of the API see it: replays, a webhook's health, a webhook's rate
//! limit.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    load::{counted, publish_many},
    receiver::{Receiver, Reply},
    stack::Stack,
    webhook::Webhook,
};

async fn replay(stack: &Stack, webhook: &Webhook, status: &str) -> Value {
    stack
        .post(&webhook.path("/replay"), json!({"status": status}))
        .await
        .expect(202)
}

fn ids(receiver: &Receiver) -> Vec<String> {
    receiver
        .requests()
        .iter()
        .map(|request| request.header("webhook-id").to_owned())
        .collect()
}

#[tokio::test]
async fn replay_delivers_events_missed_while_disabled() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = stack.webhook().url(receiver.url()).create().await;
    let before = stack.publish("message", json!({})).await;
    stack.delivery_until(&before, &webhook, "succeeded").await;
    webhook.patch(json!({"enabled": false})).await;
    let mut missed = Vec::new();
    for number in 0..3 {
        missed.push(stack.publish("message", json!({"number": number})).await);
    }
    stack.publish("chat", json!({})).await;
    for event in &missed {
        assert_eq!(stack.event_read(event).await["deliveries"], json!([]));
    }
    stack
        .post(&webhook.path("/replay"), json!({"status": "missed"}))
        .await
        .problem(409);

    webhook.patch(json!({"enabled": true})).await;
    assert_eq!(
        replay(&stack, &webhook, "missed").await,
        json!({"count": 3, "next_cursor": null})
    );
    for event in &missed {
        stack.delivery_until(event, &webhook, "succeeded").await;
    }
    let mut got = ids(&receiver).split_off(1);
    got.sort_unstable();
    missed.sort_unstable();
    assert_eq!(got, missed);
    assert_eq!(
        replay(&stack, &webhook, "missed").await["count"],
        0,
        "it is stored with them now"
    );
}

#[tokio::test]
async fn replay_delivers_failed_deliveries() {
    let stack = Stack::get();
    let receiver = Receiver::replying([Reply::status(500)]);
    let webhook = stack.webhook().url(receiver.url()).create().await;
    let mut events = Vec::new();
    for number in 0..3 {
        events.push(stack.publish("message", json!({"number": number})).await);
    }
    for event in &events {
        stack.delivery_until(event, &webhook, "failed").await;
    }
    receiver.set_reply(Reply::status(200));

    assert_eq!(replay(&stack, &webhook, "succeeded").await["count"], 0);
    assert_eq!(
        replay(&stack, &webhook, "failed").await,
        json!({"count": 3, "next_cursor": null})
    );
    for event in &events {
        let delivery = stack.delivery_until(event, &webhook, "succeeded").await;
        assert_eq!(
            delivery["attempts"].as_array().map(Vec::len),
            Some(2),
            "{delivery}"
        );
        assert_eq!(ids(&receiver).iter().filter(|id| *id == event).count(), 2);
    }
    assert_eq!(replay(&stack, &webhook, "failed").await["count"], 0);
}

#[tokio::test]
async fn webhook_shows_failing_since_until_it_succeeds() {
    let stack = Stack::get();
    let receiver = Receiver::replying([Reply::status(500), Reply::status(503), Reply::status(200)]);
    let webhook = stack.webhook().url(receiver.url()).create().await;
    assert_eq!(webhook.read().await["failing_since"], Value::Null);
    let since = async |what: &str, condition: &dyn Fn(&Value) -> bool| {
        stack
            .until(&format!("failing_since is {what}"), async || {
                let since = webhook.read().await["failing_since"].take();
                if condition(&since) {
                    Ok(since)
                } else {
                    Err(since)
                }
            })
            .await
    };
    let attempted = async |status: &str| {
        let event = stack.publish("message", json!({})).await;
        stack.delivery_until(&event, &webhook, status).await["attempts"][0]["at"].take()
    };

    let first = attempted("failed").await;
    assert_eq!(since("a time", &Value::is_string).await, first);
    attempted("failed").await;
    assert_eq!(
        webhook.read().await["failing_since"],
        first,
        "of the first failure"
    );
    assert_eq!(webhook.read().await["status"], "active");
    attempted("succeeded").await;
    since("gone", &Value::is_null).await;
}

#[tokio::test]
async fn rate_limit_holds_and_fails_no_delivery() {
    const LIMIT: usize = 5;
    const EVENTS: usize = 60;
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .set("rate_limit_per_second", LIMIT)
        .create()
        .await;

    let published = publish_many(&stack, EVENTS as u64, EVENTS).await;

    let got = receiver
        .wait_until("every event arrived", |got| {
            counted(&published, got).len() == EVENTS
        })
        .await;
    assert_eq!(got.len(), EVENTS, "each once");
    for (index, first) in got.iter().enumerate() {
        let within = got[index..]
            .iter()
            .take_while(|one| one.instant - first.instant < Duration::from_secs(10))
            .count();
        assert!(
            within <= 10 * LIMIT + 1,
            "{within} calls within ten seconds"
        );
    }
    let path = format!("/v1/deliveries?webhook_id={}", webhook.id);
    let all = async || {
        let listed = stack.listed(&path, "status").await;
        let done = listed.len() == EVENTS && listed.iter().all(|status| status == "succeeded");
        if done { Ok(()) } else { Err(json!(listed)) }
    };
    stack.until("all succeeded", all).await;
    assert_eq!(webhook.read().await["failing_since"], Value::Null);
}
