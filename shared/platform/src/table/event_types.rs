//! Custom event types, beside the built-in ones.

use domain::{audit::Entry, pattern::EventType};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Condition, Item, Key, Table, TableError, TransactWriteItem, WriteError, item, key, number,
    walk::{LISTING, Page, Slice},
};

const KIND: &str = "event-type";

/// Most custom types of a deployment: a webhook with a wildcard is checked against each.
pub const MAX_TYPES: usize = 1_000;

/// An event type that an admin defined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomType {
    /// Its name.
    pub name: EventType,
    /// When such events are published.
    pub description: Option<String>,
    /// A sample of its `data`, as JSON text.
    pub example: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Counts changes. Rows that were written before there were any have none.
    #[serde(default)]
    pub version: u64,
}

/// The number of custom types.
#[derive(Serialize, Deserialize)]
struct Count {
    count: u64,
}

/// What became of a new type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// It was created.
    Yes,
    /// There is one of this name.
    Taken,
    /// There are [`MAX_TYPES`] already.
    Full,
}

impl Table {
    /// Adds a type.
    pub async fn create_event_type(
        &self,
        new: &CustomType,
        entry: &Entry,
    ) -> Result<Created, TableError> {
        self.ensure_count().await?;
        let most = number(i64::try_from(MAX_TYPES).unwrap_or(i64::MAX));
        let counted = Condition::that("#count < :most", [(":most", most), (":one", number(1))]);
        let writes = vec![
            self.write(type_item(new)?, Some(Condition::absent()))?,
            self.update(&Key::event_type_count(), "ADD #count :one", counted)?,
            self.audit_write(entry)?,
        ];
        Ok(match self.transact(writes).await? {
            Ok(()) => Created::Yes,
            Err(0) => Created::Taken,
            Err(_) => Created::Full,
        })
    }

    /// Replaces `before` by `after`, unless it has changed meanwhile.
    pub async fn update_event_type(
        &self,
        before: &CustomType,
        after: &CustomType,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        self.replace(
            vec![self.write(type_item(after)?, Some(unchanged(before)))?],
            entry,
        )
        .await
    }

    /// Removes a type, unless it has changed meanwhile.
    pub async fn delete_event_type(
        &self,
        before: &CustomType,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        self.ensure_count().await?;
        let counted = Condition::that("attribute_exists(pk)", [(":less", number(-1))]);
        let writes = vec![
            self.erase(&Key::event_type(&before.name), Some(unchanged(before)))?,
            self.update(&Key::event_type_count(), "ADD #count :less", counted)?,
        ];
        self.replace(writes, entry).await
    }

    async fn replace(
        &self,
        mut writes: Vec<TransactWriteItem>,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        writes.push(self.audit_write(entry)?);
        self.transact(writes)
            .await?
            .map_err(|_| WriteError::Changed)
    }

    /// The type of this name.
    pub async fn event_type(&self, name: &EventType) -> Result<Option<CustomType>, TableError> {
        self.get(&Key::event_type(name)).await
    }

    /// The custom types, newest first.
    pub async fn event_types(&self, slice: &Slice) -> Result<Page<CustomType>, TableError> {
        self.listed(KIND, slice).await
    }

    /// The names of all custom types, without the rest of their rows.
    pub async fn event_type_names(&self) -> Result<Vec<EventType>, TableError> {
        let query = self
            .index(LISTING, KIND)
            .key_condition_expression("list_pk = :pk");
        let query = query.projection_expression("list_sk");
        let items = query
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        let name = |item: Item| {
            EventType::parse(item.get("list_sk")?.as_s().ok()?.split_once('#')?.1).ok()
        };
        Ok(items.into_iter().filter_map(name).collect())
    }

    /// Counts the types of a table in which none were created since they are counted.
    async fn ensure_count(&self) -> Result<(), TableError> {
        let key = Key::event_type_count();
        if self.get::<Count>(&key).await?.is_none() {
            let count = self.event_type_names().await?.len() as u64;
            let _ = self
                .put(
                    item(&key, None, Count { count })?,
                    Some(Condition::absent()),
                )
                .await?;
        }
        Ok(())
    }
}

fn type_item(row: &CustomType) -> Result<Item, TableError> {
    let listing = Some((
        KIND,
        format!("{}#{}", key::instant(row.created_at), row.name),
    ));
    item(&Key::event_type(&row.name), listing, row)
}

fn unchanged(before: &CustomType) -> Condition {
    match before.version {
        0 => Condition::that(
            "attribute_exists(pk) AND attribute_not_exists(#version)",
            [],
        ),
        version => Condition::that("#version = :version", [(":version", number(version))]),
    }
}
