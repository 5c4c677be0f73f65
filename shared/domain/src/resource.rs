//! Resources: what admins configure and the table stores.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A stored resource, such as a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource<I, S> {
    /// The ID, of the resource's own type.
    pub id: I,
    /// Settings written by the admin.
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
    pub fn with<T>(&self, settings: T) -> Resource<I, T>
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
