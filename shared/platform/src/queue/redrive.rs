//! Dead letters: reading them, and moving back those that SQS itself moved.
//!
//! SQS moves a message that exceeds the maximum number of receives, as any message does in an
//! outage of hours. The message then carries the ARN of its source queue. Messages that a function
//! dead-lettered itself carry none.

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName,
};

use super::{MAX_COUNT, Queue, QueueError, is_same_queue};
use crate::aws::AwsError;

/// Number of redrives of a message: a message attribute, which SQS keeps when it moves a message.
const REDRIVES: &str = "redrives";
/// Seconds for which a dead letter is invisible after it was read. Longer than a run of the
/// sweeper.
const VISIBILITY_TIMEOUT_SECS: i32 = 900;

/// A dead letter as received.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    body: String,
    handle: String,
    group: Option<String>,
    /// The ARN of the queue that SQS moved it from. None if a function sent it.
    source: Option<String>,
    /// Number of earlier redrives.
    pub redrives: u32,
}

impl DeadLetter {
    fn of(message: Message) -> Self {
        let system = message.attributes.unwrap_or_default();
        let attribute = |name: &MessageSystemAttributeName| system.get(name).cloned();
        let own = message.message_attributes.unwrap_or_default();
        let redrives = own
            .get(REDRIVES)
            .and_then(MessageAttributeValue::string_value);
        Self {
            body: message.body.unwrap_or_default(),
            handle: message.receipt_handle.unwrap_or_default(),
            group: attribute(&MessageSystemAttributeName::MessageGroupId),
            source: attribute(&MessageSystemAttributeName::DeadLetterQueueSourceArn),
            redrives: redrives.and_then(|count| count.parse().ok()).unwrap_or(0),
        }
    }

    /// Returns whether SQS moved it here from `queue`.
    pub fn came_from(&self, queue: &Queue) -> bool {
        self.source
            .as_deref()
            .is_some_and(|arn| is_same_queue(&queue.url, arn))
    }
}

impl Queue {
    /// Receives up to ten dead letters of this queue, invisible to others for 15 minutes.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, QueueError> {
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(10);
        let request = request
            .visibility_timeout(VISIBILITY_TIMEOUT_SECS)
            .message_attribute_names(REDRIVES);
        let request = request.message_system_attribute_names(MessageSystemAttributeName::All);
        let response = request.send().await.map_err(AwsError::from)?;
        Ok(response
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(DeadLetter::of)
            .collect())
    }

    /// Sends a dead letter to this queue and then deletes it from `dead`. A crash in between
    /// creates a duplicate.
    pub async fn redrive(&self, letter: &DeadLetter, dead: &Self) -> Result<(), QueueError> {
        let count = number(letter.redrives + 1);
        let request = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(&letter.body);
        let request = request
            .set_message_group_id(letter.group.clone())
            .message_attributes(REDRIVES, count);
        request.send().await.map_err(AwsError::from)?;
        let delete = dead
            .client
            .delete_message()
            .queue_url(&dead.url)
            .receipt_handle(&letter.handle);
        delete
            .send()
            .await
            .map(drop)
            .map_err(|error| AwsError::from(error).into())
    }

    /// Makes dead letters of this queue visible again immediately.
    pub async fn release(&self, letters: &[DeadLetter]) -> Result<(), QueueError> {
        for some in letters.chunks(MAX_COUNT) {
            let entries = some
                .iter()
                .enumerate()
                .map(|(index, letter)| visible(index, letter))
                .collect();
            let request = self
                .client
                .change_message_visibility_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries));
            request.send().await.map_err(AwsError::from)?;
        }
        Ok(())
    }
}

fn number(value: u32) -> MessageAttributeValue {
    let number = MessageAttributeValue::builder()
        .data_type("Number")
        .string_value(value.to_string());
    number.build().expect("a data type is set")
}

/// Batch entry that makes a message visible immediately.
fn visible(index: usize, letter: &DeadLetter) -> ChangeMessageVisibilityBatchRequestEntry {
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string());
    let entry = entry.receipt_handle(&letter.handle).visibility_timeout(0);
    entry.build().expect("id and receipt handle are set")
}
