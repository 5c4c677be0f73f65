//! Custom event types.

use domain::{audit::Entry, pattern::EventType};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Condition, Item, Key, Table, TableError, WriteError,
    item::{item, number, text_of},
    key,
    pagination::{LISTING, Page, PageRequest},
    reads::all_items,
};

const KIND: &str = "event-type";

/// Maximum number of custom types of a deployment. Webhooks with a wildcard are checked against
/// each.
pub const MAX_TYPES: usize = 1_000;

/// A custom event type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomType {
    /// The name, unique.
    pub name: EventType,
    /// When such events are published.
    pub description: Option<String>,
    /// A sample of `data`, as JSON text.
    pub example: Option<String>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Incremented by each change. Missing in rows that were written before it was introduced.
    #[serde(default)]
    pub version: u64,
}

/// The number of custom types.
#[derive(Serialize, Deserialize)]
struct Count {
    count: u64,
}

/// Result of creating a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// It was created.
    Yes,
    /// A type with this name exists.
    Taken,
    /// There are already [`MAX_TYPES`] types.
    Full,
}

impl Table {
    /// Creates a type.
    pub async fn create_event_type(
        &self,
        new: &CustomType,
        entry: &Entry,
    ) -> Result<Created, TableError> {
        self.ensure_count().await?;
        let most = number(i64::try_from(MAX_TYPES).unwrap_or(i64::MAX));
        let not_full = Condition::that("#count < :most", [(":most", most), (":one", number(1))]);
        let mut tx = self.transaction();
        let own = tx.put_if(type_item(new)?, Condition::absent());
        tx.update(Key::event_type_count(), "ADD #count :one", not_full);
        tx.audit(entry)?;
        Ok(match tx.try_commit().await? {
            Ok(()) => Created::Yes,
            Err(index) if index == own => Created::Taken,
            Err(_) => Created::Full,
        })
    }

    /// Replaces `before` with `after` unless it has changed since it was read.
    pub async fn update_event_type(
        &self,
        before: &CustomType,
        after: &CustomType,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.put_if(type_item(after)?, unchanged(before));
        tx.audit(entry)?;
        tx.commit().await
    }

    /// Deletes a type unless it has changed since it was read.
    pub async fn delete_event_type(
        &self,
        before: &CustomType,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        self.ensure_count().await?;
        let exists = Condition::present().with([(":less", number(-1))]);
        let mut tx = self.transaction();
        tx.delete_if(Key::event_type(&before.name), unchanged(before));
        tx.update(Key::event_type_count(), "ADD #count :less", exists);
        tx.audit(entry)?;
        tx.commit().await
    }

    /// Returns the type with this name.
    pub async fn event_type(&self, name: &EventType) -> Result<Option<CustomType>, TableError> {
        self.get(&Key::event_type(name)).await
    }

    /// Lists custom types, newest first.
    pub async fn event_types(
        &self,
        page_request: &PageRequest,
    ) -> Result<Page<CustomType>, TableError> {
        self.listed(KIND, page_request).await
    }

    /// Returns the names of all custom types.
    pub async fn event_type_names(&self) -> Result<Vec<EventType>, TableError> {
        let query = self
            .index(LISTING, KIND)
            .key_condition_expression("list_pk = :pk");
        let query = query.projection_expression("list_sk");
        let items = all_items(query).await?;
        let name =
            |item: Item| EventType::parse(text_of(&item, "list_sk")?.split_once('#')?.1).ok();
        Ok(items.into_iter().filter_map(name).collect())
    }

    /// Counts the types once, in a table whose types are older than the counter.
    async fn ensure_count(&self) -> Result<(), TableError> {
        let key = Key::event_type_count();
        if self.get::<Count>(&key).await?.is_none() {
            let count = self.event_type_names().await?.len() as u64;
            let _ = self
                .put_item(item(&key, None, Count { count })?, Condition::absent())
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
        version => Condition::version(version),
    }
}
