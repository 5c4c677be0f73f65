//! SQS queues: sending within SQS's limits (delay of at most 900 s; batches of at most 10 messages
//! and 1 MiB in total), responses for received batches ([`receipts`]), and dead letters
//! ([`redrive`]).
//!
//! Message bodies are ASCII JSON from [`ascii_json`]. When a send returns `Ok`, SQS has stored all
//! messages. After an error some may be stored, so senders repeat all of them and receivers
//! tolerate duplicates.

pub mod receipts;
pub mod redrive;

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_sqs::{
    Client,
    types::{BatchResultErrorEntry, SendMessageBatchRequestEntry},
};
use futures::{StreamExt, stream};
use serde::Serialize;

use crate::aws::AwsError;

/// Maximum delay of a message, in seconds (SQS `DelaySeconds`).
pub const MAX_DELAY: u32 = 900;
/// Maximum size of a message, and of all messages of a batch, in bytes (SQS quota).
pub const MAX_BYTES: usize = 1 << 20;
/// Maximum number of messages in a batch (SQS quota).
const MAX_COUNT: usize = 10;
/// Maximum number of concurrent batches.
const MAX_CONCURRENT_BATCHES: usize = 8;
/// Number of tries per batch. Each sends the entries that are left.
const MAX_TRIES: u32 = 4;

/// Client of one SQS queue.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The text, from [`ascii_json`].
    pub body: String,
    /// Delay in seconds. Values above [`MAX_DELAY`] are capped; the receiver re-queues the message.
    pub delay_seconds: u32,
    /// The `MessageGroupId`, 1 to 128 characters. On standard queues it makes receivers share
    /// fairly between groups.
    pub group: Option<String>,
}

/// Why messages were not sent.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The message is larger than SQS allows. Nothing was sent.
    #[error("a message of {0} bytes exceeds the limit of SQS")]
    TooLarge(usize),
    /// The value can't be serialized as JSON.
    #[error("failed to serialize a message: {0}")]
    Json(#[from] serde_json::Error),
    /// The request failed.
    #[error("SQS: {0}")]
    Aws(#[from] AwsError),
    /// SQS rejected some messages of a batch in every try.
    #[error("SQS rejected {count} messages of a batch: {code}")]
    Rejected {
        /// Number of messages that were not sent.
        count: usize,
        /// Error code of the first one.
        code: String,
    },
}

/// Some messages were not sent, or may not have been.
#[derive(Debug, thiserror::Error)]
#[error("{} messages not sent: {error}", unsent.len())]
pub struct PartialSend {
    /// Their positions in the list.
    pub unsent: BTreeSet<usize>,
    /// The first error.
    #[source]
    pub error: QueueError,
}

impl PartialSend {
    /// These entries were not sent. Their IDs are their positions.
    fn of(entries: &[SendMessageBatchRequestEntry], error: QueueError) -> Self {
        let positions = entries.iter().filter_map(|entry| entry.id().parse().ok());
        Self {
            unsent: positions.collect(),
            error,
        }
    }
}

impl From<PartialSend> for QueueError {
    fn from(partial: PartialSend) -> Self {
        partial.error
    }
}

impl Queue {
    /// The queue at `url`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Sends one message.
    pub async fn send(&self, message: OutgoingMessage) -> Result<(), QueueError> {
        check_size(&message)?;
        let sent = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(message.body)
            .set_delay_seconds(delay(message.delay_seconds))
            .set_message_group_id(message.group)
            .send()
            .await;
        sent.map(drop).map_err(|error| AwsError::from(error).into())
    }

    /// Sends `value` as JSON, after `delay_seconds`, optionally in a message group.
    pub async fn send_json<T: Serialize>(
        &self,
        value: &T,
        delay_seconds: u32,
        group: Option<String>,
    ) -> Result<(), QueueError> {
        self.send(OutgoingMessage {
            body: ascii_json(value)?,
            delay_seconds,
            group,
        })
        .await
    }

    /// Sends any number of messages, in batches. Failed entries are retried a few times, and no
    /// failure stops the other messages.
    ///
    /// # Errors
    ///
    /// Names the messages that were not sent, or may not have been. None are sent if one of them is
    /// too large.
    pub async fn send_all(&self, messages: Vec<OutgoingMessage>) -> Result<(), PartialSend> {
        let all = || (0..messages.len()).collect();
        messages
            .iter()
            .try_for_each(check_size)
            .map_err(|error| PartialSend {
                unsent: all(),
                error,
            })?;
        let batches = stream::iter(batches(messages)).map(|batch| self.send_batch(batch));
        let results: Vec<_> = batches
            .buffer_unordered(MAX_CONCURRENT_BATCHES)
            .collect()
            .await;
        let failed = results.into_iter().filter_map(Result::err);
        failed
            .reduce(|mut first, other| {
                first.unsent.extend(other.unsent);
                first
            })
            .map_or(Ok(()), Err)
    }

    async fn send_batch(&self, batch: Vec<(usize, OutgoingMessage)>) -> Result<(), PartialSend> {
        let mut left: Vec<_> = batch
            .into_iter()
            .map(|(index, message)| entry(index, message))
            .collect();
        for round in 1.. {
            let request = self
                .client
                .send_message_batch()
                .queue_url(&self.url)
                .set_entries(Some(left.clone()));
            let response = match request.send().await {
                Ok(response) => response,
                Err(error) => return Err(PartialSend::of(&left, AwsError::from(error).into())),
            };
            left.retain(|entry| {
                response
                    .successful()
                    .iter()
                    .all(|sent| sent.id() != entry.id())
            });
            if left.is_empty() {
                break;
            }
            if round == MAX_TRIES
                || response
                    .failed()
                    .iter()
                    .any(BatchResultErrorEntry::sender_fault)
            {
                let code = response
                    .failed()
                    .first()
                    .map_or("unknown", |failed| failed.code())
                    .to_owned();
                let error = QueueError::Rejected {
                    count: left.len(),
                    code,
                };
                return Err(PartialSend::of(&left, error));
            }
            tokio::time::sleep(Duration::from_millis(25) * 2_u32.pow(round)).await;
        }
        Ok(())
    }
}

/// Returns whether a queue's URL and an ARN name the same queue. Both end with its name, which is
/// unique per account and region.
fn is_same_queue(url: &str, arn: &str) -> bool {
    url.rsplit('/').next() == arn.rsplit(':').next()
}

/// Serializes to ASCII JSON. SQS rejects some code points that JSON allows, so non-ASCII characters
/// are escaped as `\uXXXX`.
pub fn ascii_json<T: Serialize>(value: &T) -> Result<String, QueueError> {
    let json = serde_json::to_string(value)?;
    if json.is_ascii() {
        return Ok(json);
    }
    let mut ascii = String::with_capacity(json.len() * 2);
    for char in json.chars() {
        if char.is_ascii() {
            ascii.push(char);
        } else {
            // Outside of strings JSON is ASCII, so escaping is valid wherever such a character
            // occurs (RFC 8259, section 7).
            ascii.extend(
                char.encode_utf16(&mut [0; 2])
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}")),
            );
        }
    }
    Ok(ascii)
}

fn check_size(message: &OutgoingMessage) -> Result<(), QueueError> {
    if message.body.len() > MAX_BYTES {
        Err(QueueError::TooLarge(message.body.len()))
    } else {
        Ok(())
    }
}

/// A zero delay is omitted: the queue's default applies, which is zero.
fn delay(seconds: u32) -> Option<i32> {
    i32::try_from(seconds.min(MAX_DELAY))
        .ok()
        .filter(|seconds| *seconds > 0)
}

/// Splits messages into batches of at most 10 and 1 MiB, in order, each with its position.
fn batches(messages: Vec<OutgoingMessage>) -> Vec<Vec<(usize, OutgoingMessage)>> {
    let mut batches: Vec<Vec<(usize, OutgoingMessage)>> = Vec::new();
    let mut space = 0;
    for (index, message) in messages.into_iter().enumerate() {
        let size = message.body.len();
        if let Some(batch) = batches
            .last_mut()
            .filter(|batch| batch.len() < MAX_COUNT && size <= space)
        {
            space -= size;
            batch.push((index, message));
        } else {
            space = MAX_BYTES.saturating_sub(size);
            batches.push(vec![(index, message)]);
        }
    }
    batches
}

fn entry(index: usize, message: OutgoingMessage) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(message.body)
        .set_delay_seconds(delay(message.delay_seconds))
        .set_message_group_id(message.group)
        .build()
        .expect("id and body are set")
}

#[cfg(test)]
mod tests;
