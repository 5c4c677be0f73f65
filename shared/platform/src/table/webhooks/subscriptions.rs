//! Subscriptions. Each pattern of an enabled webhook has one, with the webhook's conditions, so that
//! dispatch reads only subscriptions that may match.

use std::collections::{BTreeSet, HashMap};

use domain::{
    condition::{self, subject::Subject},
    event::Event,
    id::WebhookId,
    pattern::{EventType, Pattern},
    webhook::Webhook,
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::{
    table::{
        Item, Key, Table, TableError,
        document::{parse_json, restored},
        item::item,
        key,
        transaction::Transaction,
        unreadable,
    },
    telemetry,
};

/// Maximum number of concurrent queries, one per pattern. There may be thousands.
const MAX_CONCURRENT_READS: usize = 16;

#[derive(Serialize, Deserialize)]
struct SubscriptionRow {
    webhook_id: WebhookId,
    /// For conditions on `webhook.name`. Missing in older rows until the webhook is saved again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// JSON text, because DynamoDB's numbers would change some values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conditions: Option<String>,
}

/// A webhook that may match an event, with its conditions as text.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// The webhook's ID.
    pub webhook: WebhookId,
    name: Option<String>,
    conditions: Option<String>,
}

/// Where a page of subscribers ended.
#[derive(Debug)]
pub struct SubscriberPosition(Item);

impl Table {
    /// Returns up to 1 MB of the enabled webhooks that subscribe to this pattern, and the position
    /// of the next page.
    pub async fn subscribers(
        &self,
        pattern: &Pattern,
        after: Option<SubscriberPosition>,
    ) -> Result<(Vec<Subscriber>, Option<SubscriberPosition>), TableError> {
        let page = self
            .partition(&key::subscriptions(pattern))
            .set_exclusive_start_key(after.map(|position| position.0))
            .send()
            .await?;
        let found = page.items.unwrap_or_default().into_iter();
        let rows = found.filter_map(unreadable::from_item::<SubscriptionRow>);
        Ok((
            rows.map(Subscriber::from).collect(),
            page.last_evaluated_key.map(SubscriberPosition),
        ))
    }

    /// Returns the number of webhooks that get the most popular event type of `kinds`.
    pub async fn most_subscribers(&self, kinds: &[EventType]) -> Result<usize, TableError> {
        let patterns: BTreeSet<Pattern> = kinds.iter().flat_map(EventType::patterns).collect();
        let reads: Vec<_> = patterns
            .into_iter()
            .map(|pattern| async move {
                let found = self.subscribed_to(&pattern).await?;
                Ok::<_, TableError>((pattern, found))
            })
            .collect();
        let found: HashMap<Pattern, Vec<String>> = stream::iter(reads)
            .buffer_unordered(MAX_CONCURRENT_READS)
            .try_collect()
            .await?;
        let webhooks = |kind: &EventType| {
            let subscriptions = kind
                .patterns()
                .into_iter()
                .filter_map(|pattern| found.get(&pattern));
            subscriptions.flatten().collect::<BTreeSet<_>>().len()
        };
        Ok(kinds.iter().map(webhooks).max().unwrap_or(0))
    }

    /// Returns the IDs of the enabled webhooks that subscribe to exactly this pattern.
    pub async fn subscribed_to(&self, pattern: &Pattern) -> Result<Vec<String>, TableError> {
        self.sort_keys(&key::subscriptions(pattern)).await
    }
}

impl Transaction<'_> {
    /// Writes the subscriptions of `after`, and deletes those that only `before` has.
    pub(super) fn change_subscriptions(
        &mut self,
        before: Option<&Webhook>,
        after: Option<&Webhook>,
    ) -> Result<(), TableError> {
        let kept: BTreeSet<&Pattern> = after.into_iter().flat_map(subscribed).collect();
        if let Some(before) = before {
            for pattern in subscribed(before).filter(|pattern| !kept.contains(pattern)) {
                self.delete(Key::subscription(pattern, before.id));
            }
        }
        if let Some(after) = after {
            for pattern in kept {
                let key = Key::subscription(pattern, after.id);
                self.put(item(&key, None, SubscriptionRow::of(after))?);
            }
        }
        Ok(())
    }
}

/// Returns the patterns under which dispatch finds the webhook.
fn subscribed(webhook: &Webhook) -> impl Iterator<Item = &Pattern> {
    let patterns = webhook.settings.events.iter();
    patterns.filter(|_| webhook.settings.enabled)
}

impl SubscriptionRow {
    fn of(webhook: &Webhook) -> Self {
        let conditions = webhook.settings.conditions.as_ref();
        Self {
            webhook_id: webhook.id,
            name: Some(webhook.settings.name.clone()),
            conditions: conditions.map(|conditions| conditions.to_value().to_string()),
        }
    }
}

impl From<SubscriptionRow> for Subscriber {
    fn from(row: SubscriptionRow) -> Self {
        Self {
            webhook: row.webhook_id,
            name: row.name,
            conditions: row.conditions,
        }
    }
}

impl Subscriber {
    /// Parses the conditions.
    pub fn conditions(&self) -> Result<Option<condition::Condition>, TableError> {
        let Some(text) = &self.conditions else {
            return Ok(None);
        };
        let document = format!("conditions of {}", self.webhook);
        let value = parse_json(&document, text)?;
        restored(&document, condition::Condition::restore(value)).map(Some)
    }

    /// Returns whether these conditions of the webhook match the event, see [`wants`].
    pub fn wants(&self, conditions: &condition::Condition, event: &Event) -> bool {
        wants(conditions, event, self.webhook, self.name.as_deref())
    }
}

/// Returns whether a webhook's conditions match an event. Conditions that exceed the cost limit
/// don't, which is logged and counted.
pub fn wants(
    conditions: &condition::Condition,
    event: &Event,
    webhook: WebhookId,
    webhook_name: Option<&str>,
) -> bool {
    let subject = Subject::of_event(event, webhook, webhook_name);
    conditions.matches(&subject).unwrap_or_else(|error| {
        telemetry::metric("conditions_too_costly", 1);
        tracing::warn!(%webhook, event = %event.id, %error, "conditions exceed the cost limit; event not matched");
        false
    })
}
