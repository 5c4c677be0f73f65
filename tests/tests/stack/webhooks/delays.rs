//! Rules with time: "minutes from the last reply", here in seconds.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{receiver::Receiver, stack::Stack, webhook::Webhook};

const DELAY: u64 = 5;

async fn rule(stack: &Stack, receiver: &Receiver) -> Webhook {
    let unless =
        json!({"events": ["ticket.reply_added", "ticket.status_changed"], "key": "ticket.id"});
    let webhook = stack
        .webhook()
        .url(receiver.url())
        .events(["ticket.reply_added"])
        .set("delay_seconds", DELAY)
        .set("unless", unless);
    webhook.create().await
}

fn ticket(id: u64, text: &str) -> Value {
    json!({"ticket": {"id": id}, "text": text})
}

#[tokio::test]
async fn three_replies_are_one_call_after_the_last() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = rule(&stack, &receiver).await;
    let mut replies = Vec::new();
    for text in ["one", "two", "three"] {
        let reply = stack.publish("ticket.reply_added", ticket(7, text)).await;
        let delivery = stack.delivery_until(&reply, &webhook, "pending").await;
        assert!(delivery["next_attempt_at"].is_string(), "{delivery}");
        replies.push(reply);
    }
    let published = std::time::Instant::now();
    // Of another ticket.
    let other = stack
        .publish("ticket.reply_added", ticket(8, "other"))
        .await;
    for (reply, by) in replies.iter().zip(&replies[1..]) {
        let delivery = stack.delivery_until(reply, &webhook, "cancelled").await;
        assert_eq!(delivery["reason"], format!("superseded by {by}"));
        assert_eq!(delivery["attempts"], json!([]));
    }
    for sent in [&replies[2], &other] {
        let delivery = stack.delivery_until(sent, &webhook, "succeeded").await;
        assert_eq!(delivery["reason"], Value::Null);
    }
    let requests = receiver.requests();
    let mut texts: Vec<_> = requests
        .iter()
        .map(|request| request.data()["text"].clone())
        .collect();
    texts.sort_by_key(Value::to_string);
    assert_eq!(texts, ["other", "three"]);
    let waited = requests.iter().map(|request| request.instant - published);
    // The third reply was accepted shortly before.
    assert!(waited.min() > Some(Duration::from_secs(DELAY - 2)));
}

#[tokio::test]
async fn status_change_in_between_leaves_no_call() {
    let stack = Stack::get();
    let receiver = Receiver::start();
    let webhook = rule(&stack, &receiver).await;
    let reply = stack.publish("ticket.reply_added", ticket(9, "one")).await;
    stack.delivery_until(&reply, &webhook, "pending").await;
    let change = stack.publish("ticket.status_changed", ticket(9, "")).await;
    let delivery = stack.delivery_until(&reply, &webhook, "cancelled").await;
    assert_eq!(delivery["reason"], format!("superseded by {change}"));
    assert_eq!(receiver.requests().len(), 0);
}
