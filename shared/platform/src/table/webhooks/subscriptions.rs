//! Subscriptions. Each pattern of an enabled webhook has one, with the webhook's conditions, so that
//! dispatch reads only subscriptions that may match. The patterns of `unless` have rows of their own
//! in the same partitions.

use std::collections::{BTreeSet, HashMap};

use domain::{
    condition::{self, subject::Subject},
    event::Event,
    id::WebhookId,
    path::Path,
    pattern::{EventType, Pattern},
    webhook::{Webhook, delay},
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::{
    table::{
        Item, Key, Table, TableError,
        document::{parse_json, restored},
        item::{item, text_of},
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay_seconds: Option<u32>,
}

/// A pattern of events that end delays of a webhook.
#[derive(Serialize, Deserialize)]
struct UnlessRow {
    /// Not `webhook_id`, so that earlier releases don't take it for a subscription.
    delayed_webhook_id: WebhookId,
    key: String,
}

/// A webhook that may match an event, with its conditions as text.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// The webhook's ID.
    pub webhook: WebhookId,
    /// Seconds between the event and the first attempt; `None` without a delay.
    pub delay_seconds: Option<u32>,
    name: Option<String>,
    conditions: Option<String>,
}

/// A webhook whose delays end with events of a pattern.
#[derive(Debug, Clone)]
pub struct Unless {
    /// The webhook's ID.
    pub webhook: WebhookId,
    /// Path of the value that both events must have in common.
    pub key: Path,
}

/// What a webhook's pattern is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The webhook subscribes to the events.
    Subscription,
    /// The events end its delays.
    Unless,
}

/// The webhooks that a pattern's events match or whose delays they end.
#[derive(Debug, Default)]
pub struct SubscriberPage {
    /// Webhooks that may match.
    pub subscribers: Vec<Subscriber>,
    /// Webhooks whose delays end.
    pub unless: Vec<Unless>,
}

/// Where a page of subscribers ended.
#[derive(Debug)]
pub struct SubscriberPosition(Item);

impl Table {
    /// Returns up to 1 MB of the enabled webhooks that subscribe to this pattern or whose delays end
    /// with its events, and the position of the next page.
    pub async fn subscribers(
        &self,
        pattern: &Pattern,
        after: Option<SubscriberPosition>,
    ) -> Result<(SubscriberPage, Option<SubscriberPosition>), TableError> {
        let page = self
            .partition(&key::subscriptions(pattern))
            .set_exclusive_start_key(after.map(|position| position.0))
            .send()
            .await?;
        let mut read = SubscriberPage::default();
        for item in page.items.unwrap_or_default() {
            if text_of(&item, "sk").is_some_and(|sk| Key::is_unless(&sk)) {
                let row = unreadable::from_item::<UnlessRow>(item);
                read.unless.extend(row.and_then(UnlessRow::unless));
            } else {
                let row = unreadable::from_item::<SubscriptionRow>(item);
                read.subscribers.extend(row.map(Subscriber::from));
            }
        }
        Ok((read, page.last_evaluated_key.map(SubscriberPosition)))
    }

    /// Returns the number of webhooks that the most popular event type of `kinds` has in this role.
    pub async fn most_webhooks(
        &self,
        kinds: &[EventType],
        role: Role,
    ) -> Result<usize, TableError> {
        let patterns: BTreeSet<Pattern> = kinds.iter().flat_map(EventType::patterns).collect();
        let reads: Vec<_> = patterns
            .into_iter()
            .map(|pattern| async move {
                let mut found = self.sort_keys(&key::subscriptions(&pattern)).await?;
                found.retain(|sk| Key::is_unless(sk) == (role == Role::Unless));
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

    /// Returns the IDs of the enabled webhooks that have exactly this pattern in `events` or in
    /// `unless`.
    pub async fn users_of(&self, pattern: &Pattern) -> Result<BTreeSet<String>, TableError> {
        let keys = self.sort_keys(&key::subscriptions(pattern)).await?;
        let id = |sk: &String| sk.trim_start_matches(key::UNLESS).to_owned();
        Ok(keys.iter().map(id).collect())
    }
}

impl Transaction<'_> {
    /// Writes the subscriptions of `after`, and deletes those that only `before` has.
    pub(super) fn change_subscriptions(
        &mut self,
        before: Option<&Webhook>,
        after: Option<&Webhook>,
    ) -> Result<(), TableError> {
        let mut obsolete: BTreeSet<Key> = before.into_iter().flat_map(rows_of).collect();
        if let Some(webhook) = after.filter(|webhook| webhook.settings.enabled) {
            for pattern in &webhook.settings.events {
                let key = Key::subscription(pattern, webhook.id);
                obsolete.remove(&key);
                self.put(item(&key, None, SubscriptionRow::of(webhook))?);
            }
            if let Some(unless) = &webhook.settings.delay.unless {
                for pattern in &unless.events {
                    let key = Key::unless(pattern, webhook.id);
                    obsolete.remove(&key);
                    self.put(item(&key, None, UnlessRow::of(webhook.id, unless))?);
                }
            }
        }
        for key in obsolete {
            self.delete(key);
        }
        Ok(())
    }
}

/// Returns the keys under which dispatch finds the webhook.
fn rows_of(webhook: &Webhook) -> impl Iterator<Item = Key> {
    let settings = &webhook.settings;
    let subscriptions = settings.events.iter();
    let subscriptions = subscriptions.map(|pattern| Key::subscription(pattern, webhook.id));
    let unless = settings.delay.unless.iter();
    let unless = unless.flat_map(|unless| &unless.events);
    subscriptions
        .chain(unless.map(|pattern| Key::unless(pattern, webhook.id)))
        .filter(|_| settings.enabled)
}

impl UnlessRow {
    fn of(webhook: WebhookId, unless: &delay::Unless) -> Self {
        Self {
            delayed_webhook_id: webhook,
            key: unless.key.as_str().to_owned(),
        }
    }

    fn unless(self) -> Option<Unless> {
        let webhook = self.delayed_webhook_id;
        match Path::parse(&self.key) {
            Ok(key) => Some(Unless { webhook, key }),
            Err(error) => {
                unreadable::report(webhook, &TableError::Document(error.to_string()));
                None
            }
        }
    }
}

impl SubscriptionRow {
    fn of(webhook: &Webhook) -> Self {
        let conditions = webhook.settings.conditions.as_ref();
        Self {
            webhook_id: webhook.id,
            name: Some(webhook.settings.name.clone()),
            conditions: conditions.map(|conditions| conditions.to_value().to_string()),
            delay_seconds: Some(webhook.settings.delay.seconds).filter(|seconds| *seconds > 0),
        }
    }
}

impl From<SubscriptionRow> for Subscriber {
    fn from(row: SubscriptionRow) -> Self {
        Self {
            webhook: row.webhook_id,
            delay_seconds: row.delay_seconds,
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
