//! Dead letters: reading them, and sending those back that SQS itself moved.
//!
//! SQS moves a message that was received too often, which is what an outage of hours does to any
//! message; it then carries the ARN of its queue. What a function sent to the dead letters by its
//! own judgement carries none.

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName,
};

use super::{MAX_COUNT, Queue, QueueError, named};
use crate::aws::AwsError;

/// How often a message was sent back from the dead letters: a message attribute, which SQS keeps
/// when it moves a message.
const REDRIVES: &str = "redrives";
/// Seconds for which a dead letter is hidden once it was read: longer than a run of the sweeper.
const HIDDEN: i32 = 900;

/// A dead letter.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    body: String,
    handle: String,
    group: Option<String>,
    /// The ARN of the queue that SQS moved it from; none when a function sent it.
    source: Option<String>,
    /// How often it was sent back before.
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

    /// Whether SQS moved it here from `queue`.
    pub fn came_from(&self, queue: &Queue) -> bool {
        self.source
            .as_deref()
            .is_some_and(|arn| named(&queue.url, arn))
    }
}

impl Queue {
    /// Up to ten dead letters of this queue, hidden for 15 minutes.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, QueueError> {
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(10);
        let request = request
            .visibility_timeout(HIDDEN)
            .message_attribute_names(REDRIVES);
        let request = request.message_system_attribute_names(MessageSystemAttributeName::All);
        let answer = request.send().await.map_err(AwsError::from)?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(DeadLetter::of)
            .collect())
    }

    /// Sends a dead letter to this queue, and only then deletes it from `dead`: a crash in between
    /// makes a duplicate.
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

    /// Makes dead letters of this queue visible again at once.
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

/// The entry of a batch that makes a message visible at once.
fn visible(index: usize, letter: &DeadLetter) -> ChangeMessageVisibilityBatchRequestEntry {
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string());
    let entry = entry.receipt_handle(&letter.handle).visibility_timeout(0);
    entry.build().expect("id and receipt handle are set")
}
