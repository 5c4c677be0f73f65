//! Rows that this code can't read: damaged, written by a later release, or encrypted with a lost
//! key.
//!
//! An unreadable row must not fail the others. It is skipped, logged, and counted in the metric
//! `unreadable_rows`, which has an alarm.

use std::fmt::Display;

use serde::de::DeserializeOwned;

use super::{Item, TableError, item::key_of};
use crate::{keyring::KeyringError, telemetry};

impl TableError {
    /// Returns whether the error concerns a single row and is permanent.
    pub fn is_of_one_row(&self) -> bool {
        match self {
            Self::Shape(_) | Self::Document(_) | Self::Keyring(KeyringError::Seal(_)) => true,
            Self::Aws(_) | Self::Request(_) | Self::Keyring(_) => false,
        }
    }
}

/// Returns the value of `row`, or none if that row is unreadable.
///
/// # Errors
///
/// If the error is not specific to the row.
pub(super) fn readable<T>(
    row: impl Display,
    read: Result<T, TableError>,
) -> Result<Option<T>, TableError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.is_of_one_row() => {
            report(row, &error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Logs and counts an unreadable row.
pub(super) fn report(row: impl Display, error: &TableError) {
    tracing::error!(%row, %error, "unreadable row skipped");
    telemetry::metric("unreadable_rows", 1);
}

/// Parses an item. Returns none if it is unreadable.
pub(super) fn from_item<T: DeserializeOwned>(item: Item) -> Option<T> {
    let key = key_of(&item);
    let read = serde_dynamo::from_item(item).map_err(TableError::from);
    let row = key
        .map(|key| format!("{}/{}", key.pk, key.sk))
        .unwrap_or_default();
    read.map_err(|error| report(row, &error)).ok()
}
