//! Deliveries and their attempts.
//!
//! A first attempt that succeeds is one write: the row, with the attempt in it. Every later attempt is an item of its own,
//! written in one transaction with the row. Only what has not succeeded is listed by status.

use std::collections::HashMap;

use domain::{
    delivery::{Attempt, Awaited, Delivery, Message, Status},
    id::{DeliveryId, EventId, WebhookId},
};
use serde::{Deserialize, Serialize};

use super::{
    Condition, Item, Key, Table, TableError, Written, alive,
    events::Dispatched,
    item, key, number, text,
    walk::{Page, Slice, Span},
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
}

impl Context {
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
    /// One `BatchGetItem` for everything that these messages need: webhooks, delivery rows, and events that did not come along.
    pub async fn context(&self, messages: &[Message]) -> Result<Context, TableError> {
        let mut keys = Vec::with_capacity(3 * messages.len());
        for message in messages {
            keys.push(Key::webhook(message.delivery.webhook));
            keys.push(Key::delivery(message.delivery));
            if message.event.is_none() {
                keys.push(Key::event(message.delivery.event));
            }
        }
        let mut items = self.get_all(&keys).await?;
        let mut context = Context::default();
        for message in messages {
            let id = message.delivery;
            if let Some(item) = items.remove(&Key::webhook(id.webhook)) {
                context.webhooks.insert(id.webhook, serde_dynamo::from_item(item)?);
            }
            if let Some(item) = items.remove(&Key::delivery(id)) {
                context.deliveries.insert(id, from_item(item)?);
            }
            if let Some(item) = items.remove(&Key::event(id.event)) {
                context.events.insert(id.event, Dispatched::from_item(item)?);
            }
        }
        Ok(context)
    }

    /// Writes the row that follows from `was`, with its attempt when that is not the first (which lies in the row).
    /// Refused when the row does not await any more what it did, or exists where none was.
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
                [(":number", number(ticket.number)), (":token", text(&ticket.token))],
            ),
        };
        let row_item = self.delivery_item(row)?;
        let Some(attempt) = attempt.filter(|attempt| attempt.number > 1) else {
            return self.put(row_item, Some(condition)).await;
        };
        let stored = Row { row: attempt, expires_at: self.expiry(row.id.event.made_at()) };
        let attempt_item = item(&Key::attempt(row.id, attempt.number), None, stored)?;
        let writes = vec![self.write(row_item, Some(condition))?, self.write(attempt_item, None)?];
        Ok(self.transact(writes).await?.map_or(Written::Refused, |()| Written::Yes))
    }

    /// Replaces the row if nothing has happened to it since `was` was read.
    pub async fn replace_delivery(&self, row: &Delivery, was: Option<&Delivery>) -> Result<Written, TableError> {
        let condition = match was {
            None => Condition::absent_at(row.updated_at),
            Some(was) => {
                Condition::that("#updated_at = :updated_at", [(":updated_at", text(was.updated_at.to_string()))])
            }
        };
        self.put(self.delivery_item(row)?, Some(condition)).await
    }

    /// One delivery's row.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, TableError> {
        Ok(self.get::<Row<Delivery>>(&Key::delivery(id)).await?.map(|stored| stored.row))
    }

    /// The rows of these deliveries, where there are any.
    pub async fn deliveries(&self, ids: &[DeliveryId]) -> Result<HashMap<DeliveryId, Delivery>, TableError> {
        let keys: Vec<Key> = ids.iter().map(|id| Key::delivery(*id)).collect();
        let rows = self.get_all(&keys).await?.into_values().map(from_item).collect::<Result<Vec<_>, _>>()?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }

    /// A delivery with its attempts in their order. Where they would make too large an answer, the older ones come without
    /// their `response_body`, and beyond that not at all.
    pub async fn delivery_with_attempts(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<Attempt>)>, TableError> {
        // The row comes first: what it tells of is there by then. Attempts that were recorded since are not part of it.
        let Some(row) = self.delivery(id).await? else { return Ok(None) };
        let mut attempts = self.later_attempts(id).await?;
        if let Some(first) = &row.first_attempt {
            attempts.add(serde_dynamo::to_item(first)?);
        }
        let attempts = attempts.newest_first.into_iter().rev().collect::<Vec<_>>();
        let mut attempts: Vec<Attempt> = serde_dynamo::from_items(attempts)?;
        attempts.retain(|attempt| row.last.as_ref().is_some_and(|last| attempt.number <= last.number));
        Ok(Some((row, attempts)))
    }

    async fn later_attempts(&self, id: DeliveryId) -> Result<Attempts, TableError> {
        let query = self.client.query().table_name(&self.name).consistent_read(true).scan_index_forward(false);
        let query = query.key_condition_expression("pk = :pk");
        let mut found =
            query.expression_attribute_values(":pk", text(key::attempts(id))).into_paginator().items().send();
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
        let page = self.by_day::<Row<Delivery>>(|day, shard| key::deliveries(webhook, day, shard), span, slice).await?;
        Ok(page.map(|stored| stored.row))
    }

    /// The deliveries that have this status (any but `pending` and `succeeded`), newest first.
    pub async fn deliveries_with(&self, status: Status, slice: &Slice) -> Result<Page<Delivery>, TableError> {
        let partitions: Vec<String> = (0..key::SHARDS).map(|shard| key::deliveries_with(status, shard)).collect();
        Ok(self.listed_shards::<Row<Delivery>>(&partitions, slice).await?.map(|stored| stored.row))
    }

    fn delivery_item(&self, row: &Delivery) -> Result<Item, TableError> {
        let ulid = row.id.event.ulid();
        let listing = (row.status != Status::Succeeded).then(|| key::deliveries_with(row.status, key::shard(ulid)));
        let listing = listing.as_deref().map(|pk| (pk, format!("{ulid}{}", row.id.webhook.ulid())));
        item(&Key::delivery(row.id), listing, Row { row, expires_at: self.expiry(row.id.event.made_at()) })
    }
}

fn from_item(item: Item) -> Result<Delivery, TableError> {
    Ok(serde_dynamo::from_item::<_, Row<Delivery>>(item)?.row)
}
