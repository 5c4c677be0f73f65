//! Webhooks and their subscriptions.
//!
//! A webhook's settings and signing secrets are one encrypted document: a copy of the table reveals
//! names and states, but no URLs, headers or secrets. Each pattern of an enabled webhook has a
//! subscription with the conditions, so that dispatch reads only subscriptions that may match.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    audit::Entry,
    condition::{self, subject::Subject},
    delivery::CancelledUntil,
    event::Event,
    id::WebhookId,
    pattern::{EventType, Pattern},
    secrets::{Reveal, origin::SecretOrigins},
    signature::SigningSecret,
    webhook::{Health, Settings, SigningSecrets, State, Webhook},
};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{
    Condition, Item, Key, Table, TableError, WriteError, Written,
    item::{item, number, text},
    key,
    pagination::{Page, PageRequest},
    transaction::Transaction,
    unreadable,
};
use crate::{
    document::{describe_json_error, describe_validation_errors},
    encryption::AadContext,
    keyring::KeyringCache,
    telemetry,
};

const KIND: &str = "webhook";

/// Maximum number of concurrent queries, one per pattern. There may be thousands.
const MAX_CONCURRENT_READS: usize = 16;

/// A webhook's row: the unencrypted state and the encrypted rest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    id: WebhookId,
    name: String,
    enabled: bool,
    events: Vec<Pattern>,
    #[serde(flatten)]
    state: State,
    sealed: String,
}

#[derive(Serialize, Deserialize)]
struct Private {
    settings: Map<String, Value>,
    secret: String,
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "previous"
    )]
    previous: Vec<(String, Timestamp)>,
    #[serde(default, skip_serializing_if = "SecretOrigins::is_empty")]
    secret_origins: SecretOrigins,
}

#[derive(Serialize, Deserialize)]
struct Subscription {
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
pub struct Position(Item);

impl Row {
    /// Returns until when queued deliveries are cancelled.
    pub fn stopped(&self) -> CancelledUntil {
        CancelledUntil::of(self.enabled, self.state.stopped_at)
    }

    async fn seal(webhook: &Webhook, keys: &KeyringCache) -> Result<Self, TableError> {
        let private = Private {
            settings: webhook.settings.to_map(Reveal::Full),
            secret: webhook.secrets.current.expose().to_owned(),
            previous: (webhook.secrets.previous.iter())
                .map(|(secret, until)| (secret.expose().to_owned(), *until))
                .collect(),
            secret_origins: webhook.secret_origins.clone(),
        };
        let document = serde_json::to_string(&private)
            .map_err(|error| TableError::Document(error.to_string()))?;
        let sealed = keys
            .get()
            .await?
            .seal(place(&webhook.id.to_string()), &document);
        Ok(Self {
            id: webhook.id,
            name: webhook.settings.name.clone(),
            enabled: webhook.settings.enabled,
            events: webhook.settings.events.clone(),
            state: webhook.state.clone(),
            sealed,
        })
    }

    /// Decrypts the webhook.
    pub async fn open(self, keys: &KeyringCache) -> Result<Webhook, TableError> {
        let document = keys.open(place(&self.id.to_string()), &self.sealed).await?;
        let unreadable =
            |what: String| TableError::Document(format!("webhook {}: {what}", self.id));
        let private: Private = serde_json::from_str(document.expose_secret())
            .map_err(|error| unreadable(describe_json_error(&error)))?;
        // A URL that an older allow-list permitted must still load. It is checked again when
        // sending.
        let settings = Settings::restore(private.settings.into())
            .map_err(|problems| unreadable(describe_validation_errors(&problems)))?;
        let secret = |text: String| SigningSecret::issued(&text.into());
        let previous = private
            .previous
            .into_iter()
            .map(|(text, until)| (secret(text), until))
            .collect();
        let secrets = SigningSecrets {
            current: secret(private.secret),
            previous,
        };
        Ok(Webhook {
            id: self.id,
            settings,
            secrets,
            state: self.state,
            secret_origins: private.secret_origins,
        })
    }
}

/// Parses the rotated secrets: a list, or the single one of older rows.
fn previous<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(String, Timestamp)>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum StoredWebhook {
        One((String, Timestamp)),
        Many(Vec<(String, Timestamp)>),
    }
    Ok(match StoredWebhook::deserialize(deserializer)? {
        StoredWebhook::One(one) => vec![one],
        StoredWebhook::Many(many) => many,
    })
}

fn place(id: &str) -> AadContext<'_> {
    AadContext {
        resource: KIND,
        id,
        field: "private",
    }
}

impl Table {
    /// Creates a webhook.
    pub async fn create_webhook(
        &self,
        webhook: &Webhook,
        keys: &KeyringCache,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.put_if(webhook_item(webhook, keys).await?, Condition::absent());
        tx.claim_name(name_key(webhook), webhook.id);
        for pattern in subscribed(webhook) {
            tx.put(subscription_item(webhook, pattern)?);
        }
        tx.audit(entry)?;
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
        let mut tx = self.transaction();
        tx.put_if(
            webhook_item(after, keys).await?,
            unchanged_in_health(before),
        );
        tx.rename(name_key(before), name_key(after), after.id);
        let kept: BTreeSet<&Pattern> = subscribed(after).collect();
        for pattern in subscribed(before).filter(|pattern| !kept.contains(pattern)) {
            tx.delete(Key::subscription(pattern, before.id));
        }
        for pattern in kept {
            tx.put(subscription_item(after, pattern)?);
        }
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
        for pattern in subscribed(webhook) {
            tx.delete(Key::subscription(pattern, webhook.id));
        }
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
        let (update, values) = match health {
            Some(health) => {
                let health = AttributeValue::M(serde_dynamo::to_item(health)?);
                (
                    "SET #health = :health",
                    since.into_iter().chain([(":health", health)]).collect(),
                )
            }
            None => ("REMOVE #health", Vec::from_iter(since)),
        };
        let updated = self
            .update_item(
                &Key::webhook(before.id),
                update,
                Condition::that(&condition, values),
            )
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
        match self.get::<Row>(&Key::webhook(id)).await? {
            Some(row) => row.open(keys).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns until when a webhook's queued deliveries are cancelled.
    pub async fn stopped(&self, id: WebhookId) -> Result<CancelledUntil, TableError> {
        Ok(self
            .get::<Row>(&Key::webhook(id))
            .await?
            .map_or(CancelledUntil::Always, |row| row.stopped()))
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
        let page = self.listed::<Row>(KIND, page_request).await?;
        page.open(KIND, |row| row.open(keys)).await
    }

    /// Returns the rows of these webhooks. Omits missing and unreadable ones.
    pub async fn webhook_rows(
        &self,
        ids: &[WebhookId],
    ) -> Result<HashMap<WebhookId, Row>, TableError> {
        let rows = self
            .get_rows::<Row>(ids.iter().map(|id| Key::webhook(*id)))
            .await?;
        Ok(rows.map(|row| (row.id, row)).collect())
    }

    /// Returns until when these webhooks' queued deliveries are cancelled. Omits unreadable ones.
    pub async fn stops(
        &self,
        ids: &[WebhookId],
    ) -> Result<impl Fn(WebhookId) -> CancelledUntil + use<>, TableError> {
        let keys: Vec<Key> = ids.iter().map(|id| Key::webhook(*id)).collect();
        let mut stops = HashMap::new();
        for (key, item) in self.get_all(&keys).await? {
            let Some(id) = ids.iter().find(|id| Key::webhook(**id) == key) else {
                continue;
            };
            let row = unreadable::from_item::<Row>(item);
            stops.insert(*id, row.map_or(CancelledUntil::Never, |row| row.stopped()));
        }
        Ok(move |id| stops.get(&id).copied().unwrap_or(CancelledUntil::Always))
    }

    /// Returns up to 1 MB of the enabled webhooks that subscribe to this pattern, and the position
    /// of the next page.
    pub async fn subscribers(
        &self,
        pattern: &Pattern,
        after: Option<Position>,
    ) -> Result<(Vec<Subscriber>, Option<Position>), TableError> {
        let page = self
            .partition(&key::subscriptions(pattern))
            .set_exclusive_start_key(after.map(|position| position.0))
            .send()
            .await?;
        let found = page
            .items
            .unwrap_or_default()
            .into_iter()
            .filter_map(unreadable::from_item::<Subscription>);
        let subscriber = |Subscription {
                              webhook_id: webhook,
                              name,
                              conditions,
                          }| Subscriber {
            webhook,
            name,
            conditions,
        };
        Ok((
            found.map(subscriber).collect(),
            page.last_evaluated_key.map(Position),
        ))
    }

    /// Returns the number of webhooks that get the most popular event type of `kinds`.
    pub async fn most_subscribers(&self, kinds: &[EventType]) -> Result<usize, TableError> {
        let patterns: BTreeSet<Pattern> = kinds.iter().flat_map(EventType::patterns).collect();
        let reads: Vec<_> = patterns
            .into_iter()
            .map(|pattern| async move {
                let found = self.sort_keys(&key::subscriptions(&pattern)).await?;
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
    /// Updates the webhook counts of the services if they differ between `before` and `after`.
    fn count_webhook(&mut self, before: Option<&Webhook>, after: Option<&Webhook>) {
        let service = |webhook: Option<&Webhook>| {
            webhook.and_then(|webhook| webhook.settings.destination.service())
        };
        let (old, new) = (service(before), service(after));
        if old == new {
            return;
        }
        if let Some(old) = old {
            self.count_service_use(old, -1);
        }
        if let Some(new) = new {
            self.count_service_use(new, 1);
        }
    }
}

async fn webhook_item(webhook: &Webhook, keys: &KeyringCache) -> Result<Item, TableError> {
    item(
        &Key::webhook(webhook.id),
        Some((KIND, webhook.id.ulid().to_string())),
        Row::seal(webhook, keys).await?,
    )
}

impl Subscriber {
    /// Parses the conditions.
    pub fn conditions(&self) -> Result<Option<condition::Condition>, TableError> {
        let unreadable =
            |what: String| TableError::Document(format!("conditions of {}: {what}", self.webhook));
        let read = |text: &String| {
            let value = serde_json::from_str(text)
                .map_err(|error| unreadable(describe_json_error(&error)))?;
            condition::Condition::restore(value)
                .map_err(|problems| unreadable(describe_validation_errors(&problems)))
        };
        self.conditions.as_ref().map(read).transpose()
    }

    /// Returns the event with this webhook's name, as conditions see it.
    pub fn subject<'a>(&'a self, event: &'a Event) -> Subject<'a> {
        Subject {
            event,
            webhook: self.webhook,
            webhook_name: self.name.as_deref(),
        }
    }
}

/// Returns whether the conditions match. Conditions that exceed the cost limit don't, which is
/// logged and counted.
pub fn wants(conditions: &condition::Condition, subject: &Subject<'_>) -> bool {
    conditions.matches(subject).unwrap_or_else(|error| {
        telemetry::metric("conditions_too_costly", 1);
        tracing::warn!(webhook = %subject.webhook, event = %subject.event.id, %error, "conditions exceed the cost limit; event not matched");
        false
    })
}

/// Returns the patterns under which dispatch finds the webhook.
fn subscribed(webhook: &Webhook) -> impl Iterator<Item = &Pattern> {
    webhook
        .settings
        .events
        .iter()
        .filter(|_| webhook.settings.enabled)
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

fn subscription_item(webhook: &Webhook, pattern: &Pattern) -> Result<Item, TableError> {
    let conditions = webhook
        .settings
        .conditions
        .as_ref()
        .map(|conditions| conditions.to_value().to_string());
    let name = Some(webhook.settings.name.clone());
    item(
        &Key::subscription(pattern, webhook.id),
        None,
        Subscription {
            webhook_id: webhook.id,
            name,
            conditions,
        },
    )
}
