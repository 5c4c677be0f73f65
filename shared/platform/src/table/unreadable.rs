//! Rows that this code can't read: damaged, of a future release, or sealed with a key that is lost.
//!
//! One of them must not fail those that are read beside it. It is left out, logged, and counted in
//! the metric `unreadable_rows`, which has an alarm.

use std::fmt::Display;

use serde::de::DeserializeOwned;

use super::{Item, TableError, key_of};
use crate::{keyring::KeyringError, telemetry};

impl TableError {
    /// Whether it is about one row only, and would be the same at the next try.
    fn is_of_one_row(&self) -> bool {
        match self {
            Self::Shape(_) | Self::Document(_) | Self::Keys(KeyringError::Seal(_)) => true,
            Self::Aws(_) | Self::Request(_) | Self::Keys(_) => false,
        }
    }
}

/// What was read of `row`; none where that one row can't be read.
///
/// # Errors
/// When it is not the row that is at fault.
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

/// Logs and counts a row that can't be read.
pub(super) fn report(row: impl Display, error: &TableError) {
    tracing::error!(%row, %error, "unreadable row left out");
    telemetry::metric("unreadable_rows", 1);
}

/// The value that an item holds; none where it can't be read.
pub(super) fn from_item<T: DeserializeOwned>(item: Item) -> Option<T> {
    let key = key_of(&item);
    let read = serde_dynamo::from_item(item).map_err(TableError::from);
    let row = key
        .map(|key| format!("{}/{}", key.pk, key.sk))
        .unwrap_or_default();
    read.map_err(|error| report(row, &error)).ok()
}
