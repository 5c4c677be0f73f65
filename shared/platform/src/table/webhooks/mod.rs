//! Webhooks. A webhook's row, its name, its subscriptions and the counts of services change in one
//! transaction.

mod row;
mod subscriptions;
mod superseding;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    audit::Entry,
    delivery::CancelledUntil,
    id::WebhookId,
    webhook::{Health, Webhook},
};

pub use self::{
    row::WebhookRow,
    subscriptions::{Role, Subscriber, SubscriberPage, SubscriberPosition, Unless, wants},
};
use super::{
    Condition, Key, Table, TableError, WriteError, Written,
    item::{number, text},
    pagination::{Page, PageRequest},
    transaction::Transaction,
    unreadable,
};
use crate::keyring::KeyringCache;

const KIND: &str = "webhook";

/// Until when the queued deliveries of some webhooks are cancelled.
#[derive(Debug, Clone, Default)]
pub struct Cancellations(HashMap<WebhookId, CancelledUntil>);

impl Cancellations {
    /// Returns until when this webhook's deliveries are cancelled. Those of a deleted webhook
    /// always are.
    pub fn of(&self, webhook: WebhookId) -> CancelledUntil {
        let found = self.0.get(&webhook).copied();
        found.unwrap_or(CancelledUntil::Deleted)
    }
}

impl Table {
    /// Creates a webhook.
    pub async fn create_webhook(
        &self,
        webhook: &Webhook,
        keys: &KeyringCache,
        entries: &[Entry],
    ) -> Result<(), WriteError> {
        let row = WebhookRow::seal(webhook, keys).await?;
        let mut tx = self.transaction();
        tx.put_if(row.item()?, Condition::absent());
        tx.claim_name(name_key(webhook), webhook.id);
        tx.change_subscriptions(None, Some(webhook))?;
        for entry in entries {
            tx.audit(entry)?;
        }
        tx.count_webhook(None, Some(webhook));
        tx.commit().await
    }

    /// Replaces `before` with `after` unless it has changed since it was read.
    pub async fn update_webhook(
        &self,
        before: &Webhook,
        after: &Webhook,
        keys: &KeyringCache,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let row = WebhookRow::seal(after, keys).await?;
        let mut tx = self.transaction();
        tx.put_if(row.item()?, unchanged_in_health(before));
        tx.rename(name_key(before), name_key(after), after.id);
        tx.change_subscriptions(Some(before), Some(after))?;
        tx.audit(entry)?;
        tx.count_webhook(Some(before), Some(after));
        tx.commit().await
    }

    /// Deletes a webhook unless it has changed since it was read.
    pub async fn delete_webhook(&self, webhook: &Webhook, entry: &Entry) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.delete_if(
            Key::webhook(webhook.id),
            Condition::version(webhook.state.version),
        );
        tx.delete(name_key(webhook));
        tx.delete(Key::rate_limit(webhook.id));
        tx.change_subscriptions(Some(webhook), None)?;
        tx.audit(entry)?;
        tx.count_webhook(Some(webhook), None);
        tx.commit().await
    }

    /// Records the health of a webhook, unless it has started or stopped failing since it was read,
    /// or was deleted. Keeps the webhook's version.
    pub async fn record_health(
        &self,
        before: &Webhook,
        health: Option<&Health>,
    ) -> Result<Written, TableError> {
        let (condition, since) = same_health(before);
        let condition = format!("attribute_exists(pk) AND {condition}");
        let condition = Condition::that(&condition, since);
        let (update, condition) = match health {
            Some(health) => {
                let health = AttributeValue::M(serde_dynamo::to_item(health)?);
                (
                    "SET #health = :health",
                    condition.with([(":health", health)]),
                )
            }
            None => ("REMOVE #health", condition),
        };
        let updated = self
            .update_item(&Key::webhook(before.id), update, condition)
            .await?;
        Ok(if updated.is_some() {
            Written::Yes
        } else {
            Written::ConditionFailed
        })
    }

    /// Returns a webhook.
    pub async fn webhook(
        &self,
        id: WebhookId,
        keys: &KeyringCache,
    ) -> Result<Option<Webhook>, TableError> {
        match self.get::<WebhookRow>(&Key::webhook(id)).await? {
            Some(row) => row.open(keys).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns the webhook with this name, ignoring case.
    pub async fn webhook_named(
        &self,
        name: &str,
        keys: &KeyringCache,
    ) -> Result<Option<Webhook>, TableError> {
        match self.id_by_name(&Key::name(KIND, name)).await? {
            Some(id) => self.webhook(id, keys).await,
            None => Ok(None),
        }
    }

    /// Lists webhooks, newest first.
    pub async fn webhooks(
        &self,
        page_request: &PageRequest,
        keys: &KeyringCache,
    ) -> Result<Page<Webhook>, TableError> {
        let page = self.listed::<WebhookRow>(KIND, page_request).await?;
        page.open(KIND, |row| row.open(keys)).await
    }

    /// Returns the rows of these webhooks. Omits missing and unreadable ones.
    pub async fn webhook_rows(
        &self,
        ids: &[WebhookId],
    ) -> Result<HashMap<WebhookId, WebhookRow>, TableError> {
        let rows = self
            .get_rows::<WebhookRow>(ids.iter().map(|id| Key::webhook(*id)))
            .await?;
        Ok(rows.map(|row| (row.id(), row)).collect())
    }

    /// Returns until when a webhook's queued deliveries are cancelled.
    pub async fn cancelled_until(&self, id: WebhookId) -> Result<CancelledUntil, TableError> {
        let row = self.get::<WebhookRow>(&Key::webhook(id)).await?;
        Ok(row.map_or(CancelledUntil::Deleted, |row| row.cancelled_until()))
    }

    /// Returns until when these webhooks' queued deliveries are cancelled. Those of unreadable
    /// webhooks are not.
    pub async fn cancellations(
        &self,
        ids: impl IntoIterator<Item = WebhookId>,
    ) -> Result<Cancellations, TableError> {
        let ids: Vec<WebhookId> = ids.into_iter().collect();
        let keys: Vec<Key> = ids.iter().map(|id| Key::webhook(*id)).collect();
        let mut items = self.get_all(&keys).await?;
        let found = ids.into_iter().zip(keys).filter_map(|(id, key)| {
            let row = unreadable::from_item::<WebhookRow>(items.remove(&key)?);
            let until = row.map_or(CancelledUntil::Never, |row| row.cancelled_until());
            Some((id, until))
        });
        Ok(Cancellations(found.collect()))
    }
}

impl Transaction<'_> {
    /// Updates the webhook counts of the services if they differ between `before` and `after`.
    fn count_webhook(&mut self, before: Option<&Webhook>, after: Option<&Webhook>) {
        let service = |webhook: Option<&Webhook>| webhook?.settings.destination.service();
        self.move_use(service(before), service(after), Self::count_service_use);
    }
}

/// The version and the health are the same. Health is part of the row, but does not change its
/// version.
fn unchanged_in_health(webhook: &Webhook) -> Condition {
    let (health, since) = same_health(webhook);
    let version = (":version", number(webhook.state.version));
    Condition::that(
        &format!("#version = :version AND {health}"),
        since.into_iter().chain([version]),
    )
}

fn same_health(webhook: &Webhook) -> (&'static str, Option<(&'static str, AttributeValue)>) {
    match &webhook.state.health {
        None => ("attribute_not_exists(#health)", None),
        Some(health) => (
            "#health.#failing_since = :since",
            Some((":since", text(health.failing_since.to_string()))),
        ),
    }
}

fn name_key(webhook: &Webhook) -> Key {
    Key::name(KIND, &webhook.settings.name)
}
