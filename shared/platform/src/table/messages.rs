//! Messages and calls, by day, and by the ids that their providers have for them.
//!
//! A message lies in one item, with its attempts. Each write names the version that it follows
//! from, so that neither an attempt nor a report is lost. The provider's own id comes with the row
//! that learns of it, in one transaction: a report finds the message as soon as the answer is on
//! record.

use std::collections::HashMap;

use domain::{
    id::ProviderId,
    message::{Message, MessageRef},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Condition, Item, Key, Table, TableError, Written, item, key, number,
    unreadable::{self, readable},
    walk::{Page, Slice, Span},
};
use crate::document::fault;

#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(flatten)]
    message: Message,
    /// JSON text: DynamoDB's own numbers would change some values.
    metadata: String,
    expires_at: i64,
}

impl TryFrom<Row> for Message {
    type Error = TableError;

    fn try_from(
        Row {
            mut message,
            metadata,
            expires_at: _,
        }: Row,
    ) -> Result<Self, TableError> {
        message.content.metadata =
            serde_json::from_str(&metadata).map_err(|error| TableError::Document(fault(&error)))?;
        Ok(message)
    }
}

/// Whose id stands for which message.
#[derive(Serialize, Deserialize)]
struct Known {
    message: MessageRef,
    expires_at: i64,
}

/// What is listed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By SMS, e-mail and chatbot.
    Messages,
    /// Calls.
    Calls,
}

impl Table {
    /// Adds a message. Refused where it is there already.
    pub async fn create_message(&self, message: &Message) -> Result<Written, TableError> {
        self.put(self.message_item(message)?, Some(Condition::absent()))
            .await
    }

    /// Writes the row that follows from `was`, unless that has changed meanwhile.
    pub async fn update_message(
        &self,
        row: &Message,
        was: &Message,
    ) -> Result<Written, TableError> {
        let condition = Condition::that("#version = :version", [(":version", number(was.version))]);
        let row_item = self.message_item(row)?;
        let Some(theirs) = row
            .provider_message_id
            .as_ref()
            .filter(|_| row.provider_message_id != was.provider_message_id)
        else {
            return self.put(row_item, Some(condition)).await;
        };
        let known = Known {
            message: row.id,
            expires_at: self.expiry(row.created_at),
        };
        let known = item(&Key::provider_message(row.provider_id, theirs), None, known)?;
        let writes = vec![
            self.write(row_item, Some(condition))?,
            self.write(known, None)?,
        ];
        Ok(self
            .transact(writes)
            .await?
            .map_or(Written::Refused, |()| Written::Yes))
    }

    /// One message or call.
    pub async fn message(&self, id: MessageRef) -> Result<Option<Message>, TableError> {
        self.get::<Row>(&Key::message(id))
            .await?
            .map(Message::try_from)
            .transpose()
    }

    /// Those of these messages that are there and can be read.
    pub async fn messages_of(
        &self,
        ids: &[MessageRef],
    ) -> Result<HashMap<MessageRef, Message>, TableError> {
        let wanted: Vec<Key> = ids.iter().map(|id| Key::message(*id)).collect();
        let rows = self
            .get_all(&wanted)
            .await?
            .into_values()
            .filter_map(unreadable::from_item::<Row>);
        let messages =
            rows.filter_map(|row| readable(row.message.id, Message::try_from(row)).transpose());
        messages
            .map(|read| read.map(|message| (message.id, message)))
            .collect()
    }

    /// The message that this provider has this id for.
    pub async fn message_known_as(
        &self,
        provider: ProviderId,
        theirs: &str,
    ) -> Result<Option<MessageRef>, TableError> {
        Ok(self
            .get::<Known>(&Key::provider_message(provider, theirs))
            .await?
            .map(|known| known.message))
    }

    /// The messages, or calls, of a span of time, newest first.
    pub async fn messages(
        &self,
        kind: Kind,
        span: Span,
        slice: &Slice,
    ) -> Result<Page<Message>, TableError> {
        let kind = match kind {
            Kind::Messages => key::MESSAGES,
            Kind::Calls => key::CALLS,
        };
        let page = self
            .by_day::<Row>(|day, shard| key::messages(kind, day, shard), span, slice)
            .await?;
        page.open("message", async |row| Message::try_from(row))
            .await
    }

    fn message_item(&self, message: &Message) -> Result<Item, TableError> {
        let metadata = Value::Object(message.content.metadata.clone()).to_string();
        let mut message = message.clone();
        message.content.metadata = Map::new();
        let expires_at = self.expiry(message.created_at);
        item(
            &Key::message(message.id),
            None,
            Row {
                message,
                metadata,
                expires_at,
            },
        )
    }
}
