//! Messages and calls, by day and by their providers' IDs.
//!
//! A message is one item that includes its attempts. Each write is conditional on the version that
//! was read, so that neither an attempt nor a report is lost. The provider's own ID is written in
//! the transaction that records the response, so a report finds its message as soon as the response
//! is recorded.

use std::{collections::HashMap, mem};

use domain::{
    id::ProviderId,
    message::{Message, MessageRef},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Condition, Item, Key, Table, TableError, Written,
    document::parse_json,
    item::item,
    key,
    pagination::{Page, PageRequest, TimeRange},
    unreadable::readable,
};

#[derive(Serialize, Deserialize)]
struct MessageRow {
    #[serde(flatten)]
    message: Message,
    /// JSON text, because DynamoDB's numbers would change some values.
    metadata: String,
    /// JSON text as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fields: Option<String>,
    expires_at: i64,
}

impl TryFrom<MessageRow> for Message {
    type Error = TableError;

    fn try_from(
        MessageRow {
            mut message,
            metadata,
            fields,
            expires_at: _,
        }: MessageRow,
    ) -> Result<Self, TableError> {
        let document = format!("metadata of {}", message.id);
        message.content.metadata = parse_json(document, &metadata)?;
        if let Some(fields) = fields {
            let document = format!("fields of {}", message.id);
            message.content.fields = parse_json(document, &fields)?;
        }
        Ok(message)
    }
}

/// Maps a provider's ID to its message.
#[derive(Serialize, Deserialize)]
struct ProviderMessageRow {
    message: MessageRef,
    expires_at: i64,
}

/// The lists of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageList {
    /// SMS, e-mail and chatbot messages.
    Messages,
    /// Calls.
    Calls,
}

impl Table {
    /// Creates a message. The condition fails if it exists.
    pub async fn create_message(&self, message: &Message) -> Result<Written, TableError> {
        self.put_item(self.message_item(message)?, Condition::absent())
            .await
    }

    /// Writes the row that follows `was`, unless it has changed since it was read.
    pub async fn update_message(
        &self,
        row: &Message,
        was: &Message,
    ) -> Result<Written, TableError> {
        let condition = Condition::version(was.version);
        let row_item = self.message_item(row)?;
        let Some(theirs) = row
            .provider_message_id
            .as_ref()
            .filter(|_| row.provider_message_id != was.provider_message_id)
        else {
            return self.put_item(row_item, condition).await;
        };
        let known = ProviderMessageRow {
            message: row.id,
            expires_at: self.expiry(row.created_at),
        };
        let mut tx = self.transaction();
        tx.put_if(row_item, condition);
        tx.put(item(
            &Key::provider_message(row.provider_id, theirs),
            None,
            known,
        )?);
        tx.commit_if().await
    }

    /// Returns a message or call.
    pub async fn message(&self, id: MessageRef) -> Result<Option<Message>, TableError> {
        self.get::<MessageRow>(&Key::message(id))
            .await?
            .map(Message::try_from)
            .transpose()
    }

    /// Returns these messages by ID, without those that are missing or unreadable.
    pub async fn messages_of(
        &self,
        ids: &[MessageRef],
    ) -> Result<HashMap<MessageRef, Message>, TableError> {
        let rows = self
            .get_rows::<MessageRow>(ids.iter().map(|id| Key::message(*id)))
            .await?;
        let messages =
            rows.filter_map(|row| readable(row.message.id, Message::try_from(row)).transpose());
        messages
            .map(|read| read.map(|message| (message.id, message)))
            .collect()
    }

    /// Returns the message that has this ID at this provider.
    pub async fn message_known_as(
        &self,
        provider: ProviderId,
        theirs: &str,
    ) -> Result<Option<MessageRef>, TableError> {
        Ok(self
            .get::<ProviderMessageRow>(&Key::provider_message(provider, theirs))
            .await?
            .map(|known| known.message))
    }

    /// Lists the messages or calls of a time range, newest first.
    pub async fn messages(
        &self,
        kind: MessageList,
        range: TimeRange,
        page_request: &PageRequest,
    ) -> Result<Page<Message>, TableError> {
        let kind = match kind {
            MessageList::Messages => key::MESSAGES,
            MessageList::Calls => key::CALLS,
        };
        let page = self
            .by_day::<MessageRow>(
                |day, shard| key::messages(kind, day, shard),
                range,
                page_request,
            )
            .await?;
        page.open("message", async |row| Message::try_from(row))
            .await
    }

    fn message_item(&self, message: &Message) -> Result<Item, TableError> {
        let mut message = message.clone();
        let text = |map: &mut Map<String, Value>| Value::Object(mem::take(map)).to_string();
        let metadata = text(&mut message.content.metadata);
        let fields = &mut message.content.fields;
        let fields = (!fields.is_empty()).then(|| text(fields));
        let expires_at = self.expiry(message.created_at);
        item(
            &Key::message(message.id),
            None,
            MessageRow {
                message,
                metadata,
                fields,
                expires_at,
            },
        )
    }
}
