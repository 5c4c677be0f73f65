//! Events about a message or call.
//!
//! An event's ID derives from the message and its cause, and its time is the recorded one, so that
//! a repeat creates the same event.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Change, Channel, Message, Status};
use crate::{
    event::{Event, derived_id},
    id::EventId,
    pattern::EventType,
};

impl Message {
    /// The events of all status changes so far, oldest first. Publishing one again has no effect.
    pub fn events(&self) -> Vec<Event> {
        self.history
            .iter()
            .filter_map(|change| self.step_event(change))
            .collect()
    }

    /// The event of a status change, if there is one. The provider reports the progress of a call;
    /// Tieline itself only creates an event if the call can't be made.
    pub(super) fn step_event(&self, change: &Change) -> Option<Event> {
        let Change {
            status,
            at,
            provider_status,
        } = change;
        let quiet = match status {
            Status::Queued => true,
            Status::Sent => self.channel == Channel::Call && provider_status.is_none(),
            Status::Ringing
            | Status::Answered
            | Status::Delivered
            | Status::Completed
            | Status::Failed => false,
        };
        if quiet {
            return None;
        }
        self.status_event(*status, provider_status.as_deref(), *at)
    }

    /// The event for a status: `<channel>.<status>`, or `call.status`.
    pub(super) fn status_event(
        &self,
        status: Status,
        provider_status: Option<&str>,
        at: Timestamp,
    ) -> Option<Event> {
        let cause = format!(
            "{}|{}",
            status.as_str(),
            provider_status.unwrap_or_default()
        );
        let mut data = Map::from_iter([("status".to_owned(), json!(status.by(self.channel)))]);
        let name = if self.channel == Channel::Call {
            data.insert("provider_status".to_owned(), json!(provider_status));
            "status"
        } else {
            status.as_str()
        };
        if status == Status::Failed {
            data.insert("error".to_owned(), json!(self.error));
        }
        self.event(name, &cause, data, at)
    }

    /// An event of this message's channel. Every channel's name is valid in an event type.
    pub(super) fn event(
        &self,
        name: &str,
        cause: &str,
        more: Map<String, Value>,
        at: Timestamp,
    ) -> Option<Event> {
        let kind = EventType::parse(&format!("{}.{name}", self.channel.as_str())).ok()?;
        let mut data = self.about();
        data.extend(more);
        Some(Event {
            id: self.event_id(&kind, cause, at),
            kind,
            timestamp: at,
            data: data.into(),
            hops: self.hops,
        })
    }

    fn event_id(&self, kind: &EventType, cause: &str, at: Timestamp) -> EventId {
        derived_id(kind, &format!("{}|{cause}", self.id), at)
    }

    /// Fields of every event about this message.
    fn about(&self) -> Map<String, Value> {
        let ours = if self.channel == Channel::Call {
            ["call_id", "provider_call_id"]
        } else {
            ["message_id", "provider_message_id"]
        };
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
        put(ours[0], json!(self.id));
        if self.channel != Channel::Call {
            put("channel", json!(self.channel));
        }
        put("provider", json!(self.provider));
        put(ours[1], json!(self.provider_message_id));
        put("to", json!(self.content.to));
        put("metadata", json!(self.content.metadata));
        if let Some(campaign_id) = self.campaign_id {
            put("campaign_id", json!(campaign_id));
        }
        data
    }
}
