//! Fake of SQS standard queues: a message exists until it is deleted, is invisible while a consumer
//! works on it, and is redelivered if it is not deleted in time.

mod message;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub use self::message::{Message, Name};
use super::AwsError;

/// Visibility timeout in the template: six times 60 s.
pub const VISIBILITY: SignedDuration = SignedDuration::from_secs(360);
/// Maximum number of receives in the template, after which a message moves to `dead`.
pub const MAX_RECEIVED: u32 = 200;
/// Maximum size of a message and of a batch, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// All queues.
#[derive(Debug)]
pub struct Queues {
    messages: Vec<Message>,
    sent: Vec<Message>,
    max_receives: u32,
}

impl Default for Queues {
    fn default() -> Self {
        Self {
            messages: Vec::new(),
            sent: Vec::new(),
            max_receives: MAX_RECEIVED,
        }
    }
}

impl Queues {
    /// Sets the maximum number of receives, after which a message moves to `dead`.
    pub fn set_max_receives(&mut self, receives: u32) {
        self.max_receives = receives;
    }

    /// Returns the maximum number of receives.
    pub fn max_receives(&self) -> u32 {
        self.max_receives
    }

    /// Returns every message ever sent, in order.
    pub fn sent(&self) -> &[Message] {
        &self.sent
    }

    /// Returns the messages on a queue, visible or not.
    pub fn on(&self, queue: Name) -> Vec<Message> {
        self.messages
            .iter()
            .filter(|message| message.queue == queue)
            .cloned()
            .collect()
    }

    /// Returns when the next message on a queue with a consumer becomes visible, and the queue.
    pub fn next(&self) -> Option<(Timestamp, Name)> {
        let worked = self
            .messages
            .iter()
            .filter(|message| message.queue != Name::Dead);
        worked
            .map(|message| (message.visible_at, message.queue))
            .min()
    }

    /// Receives up to 10 visible messages and hides them. Moves messages that reached the maximum
    /// number of receives to `dead` instead.
    pub fn receive(&mut self, queue: Name, now: Timestamp) -> Vec<Message> {
        let visible = self
            .messages
            .iter_mut()
            .filter(|message| message.queue == queue && message.visible_at <= now);
        let mut batch = Vec::new();
        for message in visible.take(10) {
            message.received += 1;
            message.visible_at = now + VISIBILITY;
            if queue != Name::Dead && message.received > self.max_receives {
                (message.moved_from, message.queue) = (Some(queue), Name::Dead);
                (message.received, message.visible_at) = (0, now);
            } else {
                batch.push(message.clone());
            }
        }
        batch
    }

    /// Deletes messages.
    pub fn delete(&mut self, ids: &BTreeSet<&str>) {
        self.messages
            .retain(|message| !ids.contains(message.id.as_str()));
    }

    /// Enqueues a copy of a message, as a separate message.
    pub fn copy(&mut self, message: &Message) {
        self.store(
            message.queue,
            &message.body,
            message.delay_seconds,
            message.visible_at,
        );
    }

    /// Rotates the order of messages: standard queues guarantee none.
    pub fn rotate(&mut self, by: usize) {
        let count = self.messages.len().max(1);
        self.messages.rotate_left(by % count);
    }

    /// Hides a message until this time at least.
    pub fn hide_until(&mut self, id: &str, until: Timestamp) {
        for message in self.messages.iter_mut().filter(|message| message.id == id) {
            message.visible_at = message.visible_at.max(until);
        }
    }

    /// Moves a message from `dead` back to its queue.
    pub fn redrive(&mut self, id: &str, queue: Name, now: Timestamp) {
        for message in self.messages.iter_mut().filter(|message| message.id == id) {
            (message.queue, message.visible_at, message.received) = (queue, now, 0);
        }
    }

    /// Moves a message to `dead`, as if it had reached the maximum number of receives.
    pub fn give_up(&mut self, id: &str, now: Timestamp) {
        for message in self.messages.iter_mut().filter(|message| message.id == id) {
            (message.moved_from, message.queue) = (Some(message.queue), Name::Dead);
            (message.received, message.visible_at) = (0, now);
        }
    }

    /// Finds the message of a receipt handle, unless it was received again later.
    fn received(&mut self, queue: Name, receipt: &Value) -> Option<&mut Message> {
        self.messages
            .iter_mut()
            .find(|message| message.queue == queue && *receipt == message.receipt())
    }

    pub(super) fn execute(
        &mut self,
        operation: &str,
        request: &Value,
        now: Timestamp,
    ) -> Result<Value, AwsError> {
        let queue = Name::ALL
            .into_iter()
            .find(|name| request["QueueUrl"] == name.url());
        let queue = queue.unwrap_or_else(|| panic!("there is no queue {}", request["QueueUrl"]));
        match operation {
            "SendMessage" => {
                check(request)?;
                Ok(
                    json!({"MessageId": self.send(queue, request, now), "MD5OfMessageBody": "unchecked"}),
                )
            }
            "SendMessageBatch" => {
                let entries = request["Entries"].as_array().expect("Entries");
                let ids: BTreeSet<_> = entries.iter().map(|entry| entry["Id"].as_str()).collect();
                let bytes: usize = entries.iter().map(|entry| body(entry).len()).sum();
                for (wrong, code) in [
                    (entries.is_empty(), "EmptyBatchRequest"),
                    (entries.len() > 10, "TooManyEntriesInBatchRequest"),
                    (ids.len() < entries.len(), "BatchEntryIdsNotDistinct"),
                    (bytes > MAX_BYTES, "BatchRequestTooLong"),
                ] {
                    if wrong {
                        return Err(AwsError::new(code));
                    }
                }
                let (mut successful, mut failed) = (Vec::new(), Vec::new());
                for entry in entries {
                    match check(entry) {
                        Ok(()) => successful.push(
                            json!({"Id": entry["Id"], "MessageId": self.send(queue, entry, now),
                            "MD5OfMessageBody": "unchecked"}),
                        ),
                        Err(error) => {
                            failed.push(
                                json!({"Id": entry["Id"], "Code": error.code, "SenderFault": true}),
                            );
                        }
                    }
                }
                Ok(json!({"Successful": successful, "Failed": failed}))
            }
            "ChangeMessageVisibilityBatch" => {
                let entries = request["Entries"].as_array().expect("Entries");
                assert!((1..=10).contains(&entries.len()), "{entries:?}");
                let (mut successful, mut failed) = (Vec::new(), Vec::new());
                for entry in entries {
                    let seconds = entry["VisibilityTimeout"]
                        .as_i64()
                        .expect("VisibilityTimeout");
                    match self.received(queue, &entry["ReceiptHandle"]) {
                        Some(message) => {
                            message.visible_at = now + SignedDuration::from_secs(seconds);
                            successful.push(json!({"Id": entry["Id"]}));
                        }
                        None => {
                            failed.push(json!({"Id": entry["Id"], "Code": "MessageNotInflight", "SenderFault": true}));
                        }
                    }
                }
                Ok(json!({"Successful": successful, "Failed": failed}))
            }
            "ReceiveMessage" => {
                let most = usize::try_from(request["MaxNumberOfMessages"].as_u64().unwrap_or(1))
                    .expect("small");
                let hidden = request["VisibilityTimeout"]
                    .as_i64()
                    .map_or(VISIBILITY, SignedDuration::from_secs);
                let found = self.receive(queue, now);
                let (found, rest) = found.split_at(most.min(found.len()));
                assert!(rest.is_empty(), "ten are requested");
                for message in found {
                    self.set_visible_at(&message.id, now + hidden);
                }
                let shown: Vec<Value> = found.iter().map(Message::to_json).collect();
                Ok(json!({"Messages": shown}))
            }
            "DeleteMessage" => {
                let id = self
                    .received(queue, &request["ReceiptHandle"])
                    .map(|message| message.id.clone());
                self.delete(&id.iter().map(String::as_str).collect());
                Ok(json!({}))
            }
            _ => panic!("SQS's {operation} is not supported by the fake"),
        }
    }

    fn send(&mut self, queue: Name, entry: &Value, now: Timestamp) -> String {
        let delay = entry["DelaySeconds"].as_i64().unwrap_or(0);
        let id = self.store(
            queue,
            body(entry),
            delay,
            now + SignedDuration::from_secs(delay),
        );
        if let Some(message) = self.messages.last_mut() {
            message.attributes = entry["MessageAttributes"].clone();
        }
        id
    }

    fn set_visible_at(&mut self, id: &str, until: Timestamp) {
        for message in self.messages.iter_mut().filter(|message| message.id == id) {
            message.visible_at = until;
        }
    }

    fn store(
        &mut self,
        queue: Name,
        body: &str,
        delay_seconds: i64,
        visible_at: Timestamp,
    ) -> String {
        let id = format!("message-{}", self.sent.len());
        let body = body.to_owned();
        let (moved_from, attributes) = (None, Value::Null);
        let message = Message {
            id: id.clone(),
            queue,
            body,
            delay_seconds,
            visible_at,
            received: 0,
            moved_from,
            attributes,
        };
        self.sent.push(message.clone());
        self.messages.push(message);
        id
    }
}

fn check(entry: &Value) -> Result<(), AwsError> {
    let body = body(entry);
    let delay = entry["DelaySeconds"].as_i64().unwrap_or(0);
    let group = entry["MessageGroupId"].as_str();
    let fits = (1..=MAX_BYTES).contains(&body.len())
        && (0..=900).contains(&delay)
        && group.is_none_or(|group| (1..=128).contains(&group.len()));
    if !fits {
        return Err(AwsError::new("InvalidParameterValue"));
    }
    if body.is_ascii() {
        Ok(())
    } else {
        Err(AwsError::new("InvalidMessageContents"))
    }
}

fn body(entry: &Value) -> &str {
    entry["MessageBody"].as_str().expect("MessageBody")
}
