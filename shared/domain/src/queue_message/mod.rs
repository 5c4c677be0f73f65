//! Messages of the queues `deliveries` and `retries`.

use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{callback::CallbackReport, delivery::DeliveryTask, message::SendTask};

/// A queue message, with its kind in the field `kind`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum QueueMessage {
    /// Requests an attempt of a delivery.
    Delivery(DeliveryTask),
    /// Requests an attempt to send a message or call.
    Send(SendTask),
    /// A status report from a provider.
    Report(CallbackReport),
}

impl QueueMessage {
    /// Parses a queue message. Messages of earlier releases have no `kind`; a required field tells
    /// them apart.
    ///
    /// # Errors
    /// If the text is none of them.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        // The kind is read first, because a tagged enum would buffer the whole message.
        let Head {
            kind,
            message,
            callback,
        } = serde_json::from_str(text)?;
        let earlier = match (message, callback) {
            (Some(_), _) => Kind::Send,
            (None, Some(_)) => Kind::Report,
            (None, None) => Kind::Delivery,
        };
        match kind.unwrap_or(earlier) {
            Kind::Delivery => serde_json::from_str(text).map(Self::Delivery),
            Kind::Send => serde_json::from_str(text).map(Self::Send),
            Kind::Report => serde_json::from_str(text).map(Self::Report),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Delivery,
    Send,
    Report,
}

#[derive(Deserialize)]
struct Head {
    kind: Option<Kind>,
    message: Option<IgnoredAny>,
    callback: Option<IgnoredAny>,
}

impl From<DeliveryTask> for QueueMessage {
    fn from(task: DeliveryTask) -> Self {
        Self::Delivery(task)
    }
}

impl From<SendTask> for QueueMessage {
    fn from(task: SendTask) -> Self {
        Self::Send(task)
    }
}

impl From<CallbackReport> for QueueMessage {
    fn from(report: CallbackReport) -> Self {
        Self::Report(report)
    }
}

#[cfg(test)]
mod tests;
