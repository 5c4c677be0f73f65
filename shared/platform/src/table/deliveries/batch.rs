//! The rows that a batch of queue messages needs.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use domain::{
    delivery::{CancelledUntil, Delivery, DeliveryTask},
    id::{DeliveryId, EventId, WebhookId},
    webhook::Webhook,
};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use crate::{
    keyring::KeyringCache,
    table::{
        Item, Key, Table, TableError, events::Dispatched, item::Expiring, unreadable::readable,
        webhooks::WebhookRow,
    },
};

/// The rows that a batch of messages needs.
#[derive(Debug, Default)]
pub struct BatchRows {
    webhooks: HashMap<WebhookId, StoredWebhook>,
    deliveries: HashMap<DeliveryId, Delivery>,
    events: HashMap<EventId, Dispatched>,
    unreadable: HashSet<Key>,
}

/// A webhook that is decrypted when it is first needed.
#[derive(Debug)]
pub struct StoredWebhook {
    row: WebhookRow,
    webhook: OnceCell<Arc<Webhook>>,
}

impl StoredWebhook {
    /// Returns the time until which queued deliveries are cancelled.
    pub fn cancelled_until(&self) -> CancelledUntil {
        self.row.cancelled_until()
    }

    /// Decrypts the webhook.
    pub async fn open(&self, keys: &KeyringCache) -> Result<Arc<Webhook>, TableError> {
        let open = async || Ok(Arc::new(self.row.clone().open(keys).await?));
        self.webhook.get_or_try_init(open).await.cloned()
    }
}

impl BatchRows {
    /// Checks that all rows of this message could be read. Rows that do not exist are fine.
    ///
    /// # Errors
    ///
    /// If a row is unreadable. Only this message fails, not its batch.
    pub fn check(&self, message: &DeliveryTask) -> Result<(), TableError> {
        match keys_of(message).find(|key| self.unreadable.contains(key)) {
            Some(key) => Err(TableError::Document(format!(
                "{}/{} is unreadable",
                key.pk, key.sk
            ))),
            None => Ok(()),
        }
    }

    /// Parses an item. Remembers the key if it is unreadable.
    fn read<T: DeserializeOwned>(&mut self, key: Key, item: Item) -> Result<Option<T>, TableError> {
        self.readable(key, serde_dynamo::from_item(item).map_err(TableError::from))
    }

    /// Unwraps what was read. Remembers the key if it is unreadable.
    fn readable<T>(
        &mut self,
        key: Key,
        read: Result<T, TableError>,
    ) -> Result<Option<T>, TableError> {
        let read = readable(&key.pk, read)?;
        if read.is_none() {
            self.unreadable.insert(key);
        }
        Ok(read)
    }

    /// Returns the webhook, unless it was deleted.
    pub fn webhook(&self, id: WebhookId) -> Option<&StoredWebhook> {
        self.webhooks.get(&id)
    }

    /// Returns the delivery's row. None before the first attempt.
    pub fn delivery(&self, id: DeliveryId) -> Option<Delivery> {
        self.deliveries.get(&id).cloned()
    }

    /// Returns the event, if the message did not include it.
    pub fn event(&self, id: EventId) -> Option<&Dispatched> {
        self.events.get(&id)
    }
}

impl Table {
    /// Loads the rows that these messages need in one `BatchGetItem`: webhooks, delivery rows, and
    /// events that the messages do not include. A second one loads large data of events.
    pub async fn load_batch(&self, messages: &[&DeliveryTask]) -> Result<BatchRows, TableError> {
        let keys: Vec<Key> = messages.iter().copied().flat_map(keys_of).collect();
        let mut items = self.get_all(&keys).await?;
        let mut rows = BatchRows::default();
        let mut events = Vec::new();
        for message in messages {
            let id = message.delivery;
            if let Some((key, item)) = items.remove_entry(&Key::webhook(id.webhook))
                && let Some(row) = rows.read(key, item)?
            {
                let webhook = OnceCell::new();
                let stored = StoredWebhook { row, webhook };
                rows.webhooks.insert(id.webhook, stored);
            }
            if let Some((key, item)) = items.remove_entry(&Key::delivery(id))
                && let Some(Expiring { row, .. }) = rows.read::<Expiring<Delivery>>(key, item)?
            {
                rows.deliveries.insert(id, row);
            }
            if let Some((key, item)) = items.remove_entry(&Key::event(id.event))
                && let Some(row) = rows.read(key, item)?
            {
                events.push((id.event, row));
            }
        }
        let (ids, events): (Vec<EventId>, _) = events.into_iter().unzip();
        for (id, dispatched) in ids.into_iter().zip(self.with_data(events).await?) {
            if let Some(dispatched) = rows.readable(Key::event(id), dispatched)? {
                rows.events.insert(id, dispatched);
            }
        }
        Ok(rows)
    }
}

/// Returns the keys of the rows that a message needs.
fn keys_of(message: &DeliveryTask) -> impl Iterator<Item = Key> + use<> {
    let DeliveryId { event, webhook } = message.delivery;
    let event = message.event.is_none().then(|| Key::event(event));
    [Key::webhook(webhook), Key::delivery(message.delivery)]
        .into_iter()
        .chain(event)
}
