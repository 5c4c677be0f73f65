use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::aws;

fn message(body: impl Into<String>) -> OutgoingMessage {
    OutgoingMessage {
        body: body.into(),
        delay_seconds: 0,
        group: None,
    }
}

/// A queue, and the bodies of each request that it received. `failed` decides what happens to
/// the n-th.
fn queue(
    failed: impl Fn(usize, &str) -> Option<Value> + Send + Sync + 'static,
) -> (Queue, Arc<Mutex<Vec<Vec<Value>>>>) {
    let requests = Arc::new(Mutex::new(Vec::<Vec<Value>>::new()));
    let seen = Arc::clone(&requests);
    let aws = aws::fake(move |_, body| {
        let mut seen = seen.lock().expect("lock");
        let entries = body["Entries"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![body]);
        let round = seen.len();
        seen.push(entries.clone());
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for entry in entries {
            match failed(round, entry["MessageBody"].as_str().expect("body")) {
                Some(Value::String(code)) => {
                    bad.push(json!({"Id": entry["Id"], "Code": code, "SenderFault": false}));
                }
                Some(_) => {
                    bad.push(json!({"Id": entry["Id"], "Code": "InvalidMessageContents", "SenderFault": true}));
                }
                None => {
                    good.push(
                        json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x"}),
                    );
                }
            }
        }
        (200, json!({"Successful": good, "Failed": bad}))
    });
    (
        Queue::new(aws.sqs(), "https://sqs.us-east-1.amazonaws.com/1/q".into()),
        requests,
    )
}

#[tokio::test]
async fn failed_entries_are_retried() {
    let (queue, requests) =
        queue(|round, body| (round == 0 && body == "b").then(|| json!("InternalError")));
    queue
        .send_all(vec![message("a"), message("b"), message("c")])
        .await
        .expect("sent");
    let bodies: Vec<Vec<Value>> = requests
        .lock()
        .expect("lock")
        .iter()
        .map(|entries| {
            entries
                .iter()
                .map(|entry| entry["MessageBody"].clone())
                .collect()
        })
        .collect();
    assert_eq!(
        bodies,
        [vec![json!("a"), json!("b"), json!("c")], vec![json!("b")]]
    );
}

#[tokio::test]
async fn permanently_failed_entries_are_an_error() {
    for (response, rounds) in [(json!("InternalError"), MAX_TRIES as usize), (json!(1), 1)] {
        let (queue, requests) = queue(move |_, body| (body == "b").then(|| response.clone()));
        let error = queue
            .send_all(vec![message("a"), message("b")])
            .await
            .expect_err("refused");
        assert!(
            matches!(
                error,
                PartialSend {
                    error: QueueError::Rejected { count: 1, .. },
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(requests.lock().expect("lock").len(), rounds);
    }
}

#[tokio::test]
async fn failed_batch_does_not_stop_the_others() {
    let (queue, requests) = queue(|_, body| (body == "3" || body == "14").then(|| json!(1)));
    let messages = (0..25).map(|n| message(n.to_string())).collect();
    let partial = queue.send_all(messages).await.expect_err("refused");
    assert_eq!(partial.unsent, BTreeSet::from([3, 14]));
    assert_eq!(requests.lock().expect("lock").len(), 3);
}

#[tokio::test]
async fn single_message_respects_sqs_limits() {
    let (queue, requests) = queue(|_, _| None);
    queue
        .send(OutgoingMessage {
            body: "a".into(),
            delay_seconds: 86_400,
            group: Some("wh".into()),
        })
        .await
        .expect("sent");
    queue.send(message("b")).await.expect("sent");
    let seen = requests.lock().expect("lock").concat();
    assert_eq!(
        (&seen[0]["DelaySeconds"], &seen[0]["MessageGroupId"]),
        (&json!(900), &json!("wh"))
    );
    assert_eq!(
        (&seen[1]["DelaySeconds"], &seen[1]["MessageGroupId"]),
        (&Value::Null, &Value::Null)
    );
    let error = queue
        .send_all(vec![message("a".repeat(MAX_BYTES + 1))])
        .await
        .expect_err("too large");
    assert!(matches!(error.error, QueueError::TooLarge(_)));
}

#[test]
fn ascii_json_escapes_non_ascii() {
    assert_eq!(
        ascii_json(&json!({"ä": "\u{1f600}\u{ffff}\n"})).expect("json"),
        r#"{"\u00e4":"\ud83d\ude00\uffff\n"}"#
    );
}

proptest! {
    #[test]
    fn ascii_json_round_trips(text in any::<String>(), name in any::<String>()) {
        let value = json!({name: text});
        let json = ascii_json(&value).expect("json");
        prop_assert!(json.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == 0x7f));
        prop_assert_eq!(serde_json::from_str::<Value>(&json).expect("json"), value);
    }

    #[test]
    fn batches_respect_limits_and_keep_order(sizes in prop::collection::vec(1..=MAX_BYTES / 2, 0..25), small: bool) {
        let messages: Vec<OutgoingMessage> =
            sizes.iter().map(|size| message("x".repeat(if small { size / 100 + 1 } else { *size }))).collect();
        let batches = batches(messages.clone());
        for batch in &batches {
            prop_assert!((1..=MAX_COUNT).contains(&batch.len()));
            prop_assert!(batch.iter().map(|(_, message)| message.body.len()).sum::<usize>() <= MAX_BYTES);
        }
        prop_assert_eq!(batches.concat(), messages.into_iter().enumerate().collect::<Vec<_>>());
    }
}
