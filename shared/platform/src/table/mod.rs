//! The DynamoDB table: all item shapes and all accesses.
//!
//! Each access pattern is one query, get or transaction, never a scan. Reads that decisions depend
//! on are strongly consistent. Items that expire have `expires_at` (epoch seconds, DynamoDB's TTL
//! attribute). TTL deletes late, so every read treats expired items as missing.

pub mod accounts;
pub mod admin;
pub mod audit;
pub mod campaigns;
mod condition;
pub mod credentials;
pub mod deliveries;
mod document;
pub mod event_types;
pub mod events;
pub mod idempotency;
pub mod inbound;
mod item;
pub mod key;
pub mod messages;
pub mod oauth_tokens;
pub mod overdue;
pub mod pagination;
pub mod providers;
pub mod rate_limit;
mod reads;
pub mod response_size;
pub mod services;
mod sign_in;
mod transaction;
mod unreadable;
pub mod users;
pub mod webhooks;
mod writes;

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
};
use jiff::{SignedDuration, Timestamp};

use self::condition::Condition;
pub use self::{item::Item, key::Key};
use crate::{aws::AwsError, document::describe_item_error};

/// The DynamoDB table.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
    retention: SignedDuration,
}

/// Why an access failed. All of these are internal errors, and the access may be retried.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The request to DynamoDB failed.
    #[error("DynamoDB: {0}")]
    Aws(#[from] AwsError),
    /// The request can't be built, or keys of a batch stay unprocessed.
    #[error("DynamoDB: {0}")]
    Request(String),
    /// An item does not have the expected structure.
    #[error("failed to read or write an item: {0}")]
    Shape(String),
    /// A document in an item does not have the expected structure.
    #[error("failed to read or write a document: {0}")]
    Document(String),
    /// A value could not be encrypted or decrypted.
    #[error(transparent)]
    Keyring(#[from] crate::keyring::KeyringError),
}

impl<E: ProvideErrorMetadata, R> From<SdkError<E, R>> for TableError {
    fn from(error: SdkError<E, R>) -> Self {
        Self::Aws(error.into())
    }
}

impl From<serde_dynamo::Error> for TableError {
    fn from(error: serde_dynamo::Error) -> Self {
        Self::Shape(describe_item_error(&error))
    }
}

/// Why a configuration change was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A resource with this ID has the name. The ID is empty if that resource was deleted in the
    /// meantime.
    #[error("name already in use by {0}")]
    NameTaken(String),
    /// The resource was changed or deleted since it was read.
    #[error("it has changed since it was read")]
    Changed,
    /// Reading or writing the table failed.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Result of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// The item was written.
    Yes,
    /// The condition failed, and nothing was written.
    ConditionFailed,
}

impl Table {
    /// The table with this name. Events and deliveries expire after `retention_days`.
    pub fn new(client: Client, name: impl Into<String>, retention_days: u32) -> Self {
        Self {
            client,
            name: name.into(),
            retention: SignedDuration::from_hours(24 * i64::from(retention_days)),
        }
    }

    /// Retention of events and deliveries.
    pub fn retention(&self) -> SignedDuration {
        self.retention
    }

    /// Returns the expiry of an item that was created at `from`, in epoch seconds.
    fn expiry(&self, from: Timestamp) -> i64 {
        from.as_second().saturating_add(self.retention.as_secs())
    }
}
