//! Messages and their queues.

use jiff::Timestamp;
use serde_json::{Value, json};

/// The queues of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// Events to dispatch.
    Events,
    /// First attempts.
    Deliveries,
    /// Later attempts.
    Retries,
    /// Dead letters.
    Dead,
}

impl Name {
    pub(super) const ALL: [Self; 4] = [Self::Events, Self::Deliveries, Self::Retries, Self::Dead];

    /// Returns the URL.
    pub fn url(self) -> String {
        format!("https://sqs.us-east-1.amazonaws.com/123456789012/{self:?}")
    }

    /// Returns the ARN.
    pub fn arn(self) -> String {
        format!("arn:aws:sqs:us-east-1:123456789012:{self:?}")
    }
}

/// A message on a queue.
#[derive(Debug, Clone)]
pub struct Message {
    /// ID, unique over all queues.
    pub id: String,
    /// Current queue.
    pub queue: Name,
    /// Text of the message.
    pub body: String,
    /// Delay that it was sent with, in seconds.
    pub delay_seconds: i64,
    /// When it becomes visible.
    pub visible_at: Timestamp,
    /// Number of receives.
    pub received: u32,
    /// The queue that SQS moved it from to `dead`, if any.
    pub moved_from: Option<Name>,
    /// Message attributes, such as the number of redrives.
    pub attributes: Value,
}

impl Message {
    /// Whether the sweeper may redrive it: SQS moved it to `dead`, and it was redriven fewer than
    /// three times.
    pub fn should_redrive(&self) -> bool {
        let redrives = self.attributes["redrives"]["StringValue"]
            .as_str()
            .and_then(|count| count.parse::<u32>().ok());
        self.moved_from.is_some() && redrives.unwrap_or(0) < 3
    }

    /// Returns the receipt handle of the latest receive.
    pub fn receipt(&self) -> String {
        format!("{}/{}", self.id, self.received)
    }

    /// Returns the body as JSON, or null.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Renders the message as `ReceiveMessage` returns it.
    pub(super) fn to_json(&self) -> Value {
        let mut system = json!({"ApproximateReceiveCount": self.received.to_string()});
        if let Some(queue) = self.moved_from {
            system["DeadLetterQueueSourceArn"] = json!(queue.arn());
        }
        json!({
            "MessageId": self.id, "ReceiptHandle": self.receipt(), "Body": self.body, "Attributes": system,
            "MessageAttributes": self.attributes,
        })
    }
}
