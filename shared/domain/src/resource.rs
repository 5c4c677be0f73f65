//! Resources: what admins configure and the table stores.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A stored resource, such as a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource<I, S> {
    /// The ID, of the resource's own type.
    pub id: I,
    /// The resource's settings, or their stored form.
    #[serde(flatten)]
    pub settings: S,
    /// Creation time.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Version for optimistic locking.
    pub version: u64,
}

impl<I, S> Resource<I, S> {
    /// Creates a resource at `now`, with version 1.
    pub const fn new(id: I, settings: S, now: Timestamp) -> Self {
        Self {
            id,
            settings,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// Returns the resource with other settings.
    #[must_use]
    pub fn changed(self, settings: S, now: Timestamp) -> Self {
        Self {
            settings,
            updated_at: now,
            version: self.version + 1,
            ..self
        }
    }

    /// Returns another form of the resource, with these settings.
    pub fn with_settings<T>(&self, settings: T) -> Resource<I, T>
    where
        I: Copy,
    {
        Resource {
            id: self.id,
            settings,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn stored_form_is_flat() {
        let (created, changed) = (
            Timestamp::UNIX_EPOCH,
            Timestamp::from_second(1).expect("a time"),
        );
        let resource = Resource::new(7, json!({"name": "CRM"}), created)
            .changed(json!({"name": "Shop"}), changed);
        let stored = json!({
            "id": 7, "name": "Shop", "created_at": "1970-01-01T00:00:00Z", "updated_at": "1970-01-01T00:00:01Z", "version": 2,
        });
        assert_eq!(serde_json::to_value(&resource).expect("JSON"), stored);
        assert_eq!(
            serde_json::from_value::<Resource<u32, Value>>(stored)
                .expect("a resource")
                .with_settings(())
                .version,
            2
        );
    }
}
