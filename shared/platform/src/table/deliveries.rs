//! Deliveries and their attempts.
//!
//! A first attempt that succeeds is one write: the row, with the attempt in it. Every other attempt
//! is an item of its own, written in one transaction with the row, which thus stays small however
//! often it is rewritten. Only what has not succeeded is in the index `status`.

use std::collections::{HashMap, HashSet};

use domain::{
    delivery::{Attempt, Awaited, Delivery, Message, Status},
    id::{DeliveryId, EventId, WebhookId},
};
use serde::{Deserialize, Serialize};

use super::{
    Condition, Item, Key, Table, TableError, Written, alive,
    events::Dispatched,
    item, key, number, text,
    unreadable::{self, readable},
    walk::{LISTING, Page, STATUS, Slice, Span},
    webhooks,
    weight::{MOST_WEIGHT, weight},
};

#[derive(Serialize, Deserialize)]
struct Row<T> {
    #[serde(flatten)]
    row: T,
    expires_at: i64,
}

/// The newest attempts of a delivery, as far as an answer has room for them.
#[derive(Default)]
struct Attempts {
    newest_first: Vec<Item>,
    weight: usize,
    without_bodies: bool,
    full: bool,
}

/// What the attempts weigh that come without their bodies.
const MOST_WITHOUT_BODIES: usize = MOST_WEIGHT / 4;

impl Attempts {
    fn add(&mut self, mut older: Item) {
        self.without_bodies |= self.weight + weight(&older) > MOST_WEIGHT;
        if self.without_bodies {
            older.remove("response_body");
        }
        self.weight += weight(&older);
        self.full |= self.weight > MOST_WEIGHT + MOST_WITHOUT_BODIES;
        if !self.full {
            self.newest_first.push(older);
        }
    }
}

/// What the messages of one batch need to know.
#[derive(Debug, Default)]
pub struct Context {
    webhooks: HashMap<WebhookId, webhooks::Row>,
    deliveries: HashMap<DeliveryId, Delivery>,
    events: HashMap<EventId, Dispatched>,
    unreadable: HashSet<Key>,
}

impl Context {
    /// Whether everything that this message needs could be read, as far as it is there.
    ///
    /// # Errors
    /// When a row of it can't be read: that fails this message, and not its batch.
    pub fn check(&self, message: &Message) -> Result<(), TableError> {
        match keys_of(message).find(|key| self.unreadable.contains(key)) {
            Some(key) => Err(TableError::Document(format!(
                "{}/{} is unreadable",
                key.pk, key.sk
            ))),
            None => Ok(()),
        }
    }

    /// What was read of an item; one that can't be read is remembered.
    fn read<T>(&mut self, key: Key, read: Result<T, TableError>) -> Result<Option<T>, TableError> {
        let read = readable(&key.pk, read)?;
        if read.is_none() {
            self.unreadable.insert(key);
        }
        Ok(read)
    }

    /// The webhook, unless it was deleted.
    pub fn webhook(&self, id: WebhookId) -> Option<webhooks::Row> {
        self.webhooks.get(&id).cloned()
    }

    /// The delivery's row, if something has happened to it.
    pub fn delivery(&self, id: DeliveryId) -> Option<Delivery> {
        self.deliveries.get(&id).cloned()
    }

    /// The event, where the message did not carry it.
    pub fn event(&self, id: EventId) -> Option<&Dispatched> {
        self.events.get(&id)
    }
}

impl Table {
    /// One `BatchGetItem` for everything that these messages need: webhooks, delivery rows, and
    /// events that did not come along.
    pub async fn context(&self, messages: &[Message]) -> Result<Context, TableError> {
        let keys: Vec<Key> = messages.iter().flat_map(keys_of).collect();
        let mut items = self.get_all(&keys).await?;
        let mut context = Context::default();
        for message in messages {
            let id = message.delivery;
            if let Some((key, item)) = items.remove_entry(&Key::webhook(id.webhook))
                && let Some(row) =
                    context.read(key, serde_dynamo::from_item(item).map_err(TableError::from))?
            {
                context.webhooks.insert(id.webhook, row);
            }
            if let Some((key, item)) = items.remove_entry(&Key::delivery(id))
                && let Some(row) = context.read(key, from_item(item))?
            {
                context.deliveries.insert(id, row);
            }
            if let Some((key, item)) = items.remove_entry(&Key::event(id.event))
                && let Some(row) = context.read(key, Dispatched::from_item(item))?
            {
                context.events.insert(id.event, row);
            }
        }
        Ok(context)
    }

    /// Writes the row that follows from `was`, with its attempt where the row does not hold that
    /// itself. Refused when the row does not await any more what it did, or exists where none was.
    pub async fn record(
        &self,
        row: &Delivery,
        was: Option<&Delivery>,
        attempt: Option<&Attempt>,
    ) -> Result<Written, TableError> {
        let condition = match was.map(|was| was.awaited.as_ref()) {
            None => Condition::absent_at(row.updated_at),
            // Nothing follows from a row that awaits nothing.
            Some(None) => return Ok(Written::Refused),
            Some(Some(Awaited { ticket, .. })) => Condition::that(
                "#awaited.#number = :number AND #awaited.#token = :token",
                [
                    (":number", number(ticket.number)),
                    (":token", text(&ticket.token)),
                ],
            ),
        };
        let row_item = self.delivery_item(row)?;
        let beside = |attempt: &&Attempt| attempt.number > 1 || row.first_attempt.is_none();
        let Some(attempt) = attempt.filter(beside) else {
            return self.put(row_item, Some(condition)).await;
        };
        let stored = Row {
            row: attempt,
            expires_at: self.expiry(row.kept_from()),
        };
        let attempt_item = item(&Key::attempt(row.id, attempt.number), None, stored)?;
        let writes = vec![
            self.write(row_item, Some(condition))?,
            self.write(attempt_item, None)?,
        ];
        Ok(self
            .transact(writes)
            .await?
            .map_or(Written::Refused, |()| Written::Yes))
    }

    /// Replaces the row if nothing has happened to it since `was` was read.
    pub async fn replace_delivery(
        &self,
        row: &Delivery,
        was: Option<&Delivery>,
    ) -> Result<Written, TableError> {
        let condition = match was {
            None => Condition::absent_at(row.updated_at),
            Some(was) => Condition::that(
                "#updated_at = :updated_at",
                [(":updated_at", text(was.updated_at.to_string()))],
            ),
        };
        self.put(self.delivery_item(row)?, Some(condition)).await
    }

    /// One delivery's row.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, TableError> {
        Ok(self
            .get::<Row<Delivery>>(&Key::delivery(id))
            .await?
            .map(|stored| stored.row))
    }

    /// The rows of these deliveries, where there are any.
    pub async fn deliveries(
        &self,
        ids: &[DeliveryId],
    ) -> Result<HashMap<DeliveryId, Delivery>, TableError> {
        let keys: Vec<Key> = ids.iter().map(|id| Key::delivery(*id)).collect();
        let rows = self
            .get_all(&keys)
            .await?
            .into_values()
            .filter_map(unreadable::from_item::<Row<Delivery>>);
        Ok(rows.map(|Row { row, .. }| (row.id, row)).collect())
    }

    /// A delivery with its attempts in their order. Where they would make too large an answer, the
    /// older ones come without their `response_body`, and beyond that not at all.
    pub async fn delivery_with_attempts(
        &self,
        id: DeliveryId,
    ) -> Result<Option<(Delivery, Vec<Attempt>)>, TableError> {
        // The row comes first: what it tells of is there by then. Attempts that were recorded since
        // are not part of it.
        let Some(row) = self.delivery(id).await? else {
            return Ok(None);
        };
        let mut attempts = self.attempts_beside(id).await?;
        if let Some(first) = &row.first_attempt {
            attempts.add(serde_dynamo::to_item(first)?);
        }
        let attempts = attempts.newest_first.into_iter().rev().collect::<Vec<_>>();
        let mut attempts: Vec<Attempt> = attempts
            .into_iter()
            .filter_map(unreadable::from_item)
            .collect();
        attempts.retain(|attempt| {
            row.last
                .as_ref()
                .is_some_and(|last| attempt.number <= last.number)
        });
        Ok(Some((row, attempts)))
    }

    async fn attempts_beside(&self, id: DeliveryId) -> Result<Attempts, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .scan_index_forward(false);
        let query = query.key_condition_expression("pk = :pk");
        let mut found = query
            .expression_attribute_values(":pk", text(key::attempts(id)))
            .into_paginator()
            .items()
            .send();
        let mut attempts = Attempts::default();
        while let Some(item) = found.try_next().await? {
            if alive(&item) {
                attempts.add(item);
            }
            if attempts.full {
                break;
            }
        }
        Ok(attempts)
    }

    /// The deliveries of one webhook whose events were made in a span of time, newest first.
    pub async fn deliveries_of(
        &self,
        webhook: WebhookId,
        span: Span,
        slice: &Slice,
    ) -> Result<Page<Delivery>, TableError> {
        let page = self
            .by_day::<Row<Delivery>>(
                |day, shard| key::deliveries(webhook, day, shard),
                span,
                slice,
            )
            .await?;
        Ok(page.map(|stored| stored.row))
    }

    /// The deliveries that have this status (any but `pending` and `succeeded`), newest first.
    pub async fn deliveries_with(
        &self,
        status: Status,
        slice: &Slice,
    ) -> Result<Page<Delivery>, TableError> {
        let partitions = [
            (STATUS, key::with_status(status).collect()),
            (LISTING, key::formerly_with_status(status).collect()),
        ];
        let Page {
            items: keys,
            next,
            weight,
        } = self.keys_in(&partitions, slice).await?;
        let mut rows = self.get_all(&keys).await?;
        let found = keys
            .iter()
            .filter_map(|key| unreadable::from_item::<Row<Delivery>>(rows.remove(key)?));
        Ok(Page {
            items: found.map(|stored| stored.row).collect(),
            next,
            weight,
        })
    }

    fn delivery_item(&self, row: &Delivery) -> Result<Item, TableError> {
        let DeliveryId { event, webhook } = row.id;
        let mut item = item(
            &Key::delivery(row.id),
            None,
            Row {
                row,
                expires_at: self.expiry(row.kept_from()),
            },
        )?;
        if row.status != Status::Succeeded {
            item.insert(STATUS.pk.to_owned(), text(key::status(row.status, webhook)));
            item.insert(
                STATUS.sk.to_owned(),
                text(format!("{}{}", event.ulid(), webhook.ulid())),
            );
        }
        Ok(item)
    }
}

/// What a message needs of the table.
fn keys_of(message: &Message) -> impl Iterator<Item = Key> + use<> {
    let DeliveryId { event, webhook } = message.delivery;
    let event = message.event.is_none().then(|| Key::event(event));
    [Key::webhook(webhook), Key::delivery(message.delivery)]
        .into_iter()
        .chain(event)
}

fn from_item(item: Item) -> Result<Delivery, TableError> {
    Ok(serde_dynamo::from_item::<_, Row<Delivery>>(item)?.row)
}
