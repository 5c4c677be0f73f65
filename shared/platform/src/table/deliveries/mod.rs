//! Deliveries and their attempts.
//!
//! A first attempt that succeeds is one write: the row with the attempt in it. Every other attempt
//! is an item of its own, written in one transaction with the row, so that the row stays small
//! however often it is rewritten. The index `status` only contains deliveries that have not
//! succeeded.

mod batch;

use std::collections::HashMap;

use domain::{
    attempt::{Attempt, NextAttempt},
    delivery::{Delivery, Status},
    id::{DeliveryId, WebhookId},
};

pub use self::batch::BatchRows;
use super::{
    Condition, Item, Key, Table, TableError, Written,
    item::{Expiring, is_live, item, number, text},
    key,
    pagination::{LISTING, Page, PageRequest, STATUS, TimeRange},
    response_size::{MAX_RESPONSE_BYTES, response_bytes},
    unreadable,
};

/// The newest attempts of a delivery that fit into a response.
#[derive(Default)]
struct Attempts {
    newest_first: Vec<Item>,
    response_bytes: usize,
    without_bodies: bool,
    full: bool,
}

/// Maximum size in bytes of the attempts that are returned without their response bodies.
const MAX_BYTES_WITHOUT_BODIES: usize = MAX_RESPONSE_BYTES / 4;

impl Attempts {
    fn add(&mut self, mut older: Item) {
        self.without_bodies |= self.response_bytes + response_bytes(&older) > MAX_RESPONSE_BYTES;
        if self.without_bodies {
            older.remove("response_body");
        }
        self.response_bytes += response_bytes(&older);
        self.full |= self.response_bytes > MAX_RESPONSE_BYTES + MAX_BYTES_WITHOUT_BODIES;
        if !self.full {
            self.newest_first.push(older);
        }
    }
}

impl Table {
    /// Writes the row that follows `was`, with its attempt unless the row contains it. The
    /// condition fails if the stored row no longer awaits the same attempt, or if a row exists but
    /// `was` is none.
    pub async fn record(
        &self,
        row: &Delivery,
        was: Option<&Delivery>,
        attempt: Option<&Attempt>,
    ) -> Result<Written, TableError> {
        let condition = match was.map(|was| was.progress.awaited.as_ref()) {
            None => Condition::absent_at(row.updated_at),
            // A row that awaits nothing has no successor.
            Some(None) => return Ok(Written::ConditionFailed),
            Some(Some(NextAttempt { id, .. })) => Condition::that(
                "#awaited.#number = :number AND #awaited.#token = :token",
                [(":number", number(id.number)), (":token", text(&id.token))],
            ),
        };
        let row_item = self.delivery_item(row)?;
        let is_recorded = |attempt: &&Attempt| attempt.number > 1 || row.first_attempt.is_none();
        let Some(attempt) = attempt.filter(is_recorded) else {
            return self.put_item(row_item, condition).await;
        };
        let stored = Expiring {
            row: attempt,
            expires_at: self.expiry(row.kept_from()),
        };
        let mut tx = self.transaction();
        tx.put_if(row_item, condition);
        tx.put(item(&Key::attempt(row.id, attempt.number), None, stored)?);
        tx.commit_if().await
    }

    /// Replaces the row if it is unchanged since `was` was read.
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
        self.put_item(self.delivery_item(row)?, condition).await
    }

    /// Returns a delivery's row.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, TableError> {
        Ok(self
            .get::<Expiring<Delivery>>(&Key::delivery(id))
            .await?
            .map(|stored| stored.row))
    }

    /// Returns the rows of these deliveries, if they exist.
    pub async fn deliveries(
        &self,
        ids: &[DeliveryId],
    ) -> Result<HashMap<DeliveryId, Delivery>, TableError> {
        let rows = self
            .get_rows::<Expiring<Delivery>>(ids.iter().map(|id| Key::delivery(*id)))
            .await?;
        Ok(rows.map(|Expiring { row, .. }| (row.id, row)).collect())
    }

    /// Returns a delivery with its attempts in order. If they exceed the size of a response, older
    /// ones lack `response_body`, and still older ones are omitted.
    pub async fn delivery_with_attempts(
        &self,
        id: DeliveryId,
    ) -> Result<Option<(Delivery, Vec<Attempt>)>, TableError> {
        // The row is read first, so that all attempts that it mentions exist. Attempts recorded
        // since then are omitted.
        let Some(row) = self.delivery(id).await? else {
            return Ok(None);
        };
        let mut attempts = self.later_attempts(id).await?;
        if let Some(first) = &row.first_attempt {
            attempts.add(serde_dynamo::to_item(first)?);
        }
        let attempts = attempts.newest_first.into_iter().rev().collect::<Vec<_>>();
        let mut attempts: Vec<Attempt> = attempts
            .into_iter()
            .filter_map(unreadable::from_item)
            .collect();
        attempts.retain(|attempt| {
            row.progress
                .last
                .as_ref()
                .is_some_and(|last| attempt.number <= last.number)
        });
        Ok(Some((row, attempts)))
    }

    async fn later_attempts(&self, id: DeliveryId) -> Result<Attempts, TableError> {
        let newest_first = self.partition(&key::attempts(id)).scan_index_forward(false);
        let mut found = newest_first.into_paginator().items().send();
        let mut attempts = Attempts::default();
        while let Some(item) = found.try_next().await? {
            if is_live(&item) {
                attempts.add(item);
            }
            if attempts.full {
                break;
            }
        }
        Ok(attempts)
    }

    /// Lists the deliveries of a webhook whose events were created in a time range, newest first.
    pub async fn deliveries_of(
        &self,
        webhook: WebhookId,
        range: TimeRange,
        page_request: &PageRequest,
    ) -> Result<Page<Delivery>, TableError> {
        let page = self
            .by_day::<Expiring<Delivery>>(
                |day, shard| key::deliveries(webhook, day, shard),
                range,
                page_request,
            )
            .await?;
        Ok(page.map(|stored| stored.row))
    }

    /// Lists the deliveries with this status (any but `pending` and `succeeded`), newest first.
    pub async fn deliveries_with(
        &self,
        status: Status,
        page_request: &PageRequest,
    ) -> Result<Page<Delivery>, TableError> {
        let partitions = [
            (STATUS, key::with_status(status).collect()),
            (LISTING, key::formerly_with_status(status).collect()),
        ];
        let Page {
            items: keys,
            next,
            response_bytes,
        } = self.keys_in(&partitions, page_request).await?;
        let mut rows = self.get_all(&keys).await?;
        let found = keys
            .iter()
            .filter_map(|key| unreadable::from_item::<Expiring<Delivery>>(rows.remove(key)?));
        Ok(Page {
            items: found.map(|stored| stored.row).collect(),
            next,
            response_bytes,
        })
    }

    fn delivery_item(&self, row: &Delivery) -> Result<Item, TableError> {
        let DeliveryId { event, webhook } = row.id;
        let mut item = item(
            &Key::delivery(row.id),
            None,
            Expiring {
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
