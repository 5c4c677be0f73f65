//! Event types of one's own, beside the built-in ones.

use domain::{audit::Entry, pattern::EventType};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Condition, Key, Table, TableError, Written, item, key,
    walk::{Page, Slice},
};

const KIND: &str = "event-type";

/// An event type that an admin defined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomType {
    /// Its name.
    pub name: EventType,
    /// What it tells.
    pub description: Option<String>,
    /// A sample of its `data`, as JSON text.
    pub example: Option<String>,
    /// When it was defined.
    pub created_at: Timestamp,
}

impl Table {
    /// Adds a type; refused when the name is taken.
    pub async fn create_event_type(&self, new: &CustomType, entry: &Entry) -> Result<Written, TableError> {
        let listing = Some((KIND, format!("{}#{}", key::instant(new.created_at), new.name)));
        let own = self.write(item(&Key::event_type(&new.name), listing, new)?, Some(Condition::absent()))?;
        let written = self.transact(vec![own, self.audit_write(entry)?]).await?;
        Ok(written.map_or(Written::Refused, |()| Written::Yes))
    }

    /// The type of this name.
    pub async fn event_type(&self, name: &EventType) -> Result<Option<CustomType>, TableError> {
        self.get(&Key::event_type(name)).await
    }

    /// The types of one's own, newest first.
    pub async fn event_types(&self, slice: &Slice) -> Result<Page<CustomType>, TableError> {
        self.listed(KIND, slice).await
    }

    /// The names of all types of one's own.
    pub async fn event_type_names(&self) -> Result<Vec<EventType>, TableError> {
        let mut names = Vec::new();
        let mut slice = Slice::new(None, 1_000);
        loop {
            let Page { items, next, .. } = self.event_types(&slice).await?;
            names.extend(items.into_iter().map(|own| own.name));
            slice.after = next;
            if slice.after.is_none() {
                return Ok(names);
            }
        }
    }
}
