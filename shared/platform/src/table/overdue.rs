//! Overdue deliveries, oldest event first, for the sweeper.
//!
//! The index includes when the awaited attempt is due, so that a million healthy deliveries cost
//! about 300 queries and no reads of rows. A run that ends early stores its position, and the next
//! one resumes there.

use domain::{
    attempt::NextAttempt,
    delivery::{Delivery, Status},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Condition, Key, Table, TableError,
    item::{item, text},
    key,
    pagination::{Index, LISTING, STATUS},
    unreadable,
};

/// Position of a scan: the partition, and the last sort key seen in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweeperPosition {
    partition: usize,
    #[serde(default)]
    after: Option<String>,
}

/// Result of one step of a scan.
#[derive(Debug)]
pub struct Overdue {
    /// The overdue deliveries.
    pub rows: Vec<Delivery>,
    /// The next position. None at the end.
    pub next: Option<SweeperPosition>,
}

/// The index's entry of a delivery.
#[derive(Deserialize)]
struct StatusEntry {
    #[serde(flatten)]
    key: Key,
    awaited: Option<NextAttempt>,
}

/// Number of deliveries per step.
const PAGE_SIZE: i32 = 2_000;

impl Table {
    /// Performs one step of the scan. Returns the deliveries whose attempt was due before `before`.
    pub async fn overdue(
        &self,
        from: SweeperPosition,
        before: Timestamp,
    ) -> Result<Overdue, TableError> {
        let partitions = partitions();
        let Some((index, partition)) = partitions.get(from.partition) else {
            return Ok(Overdue {
                rows: Vec::new(),
                next: None,
            });
        };
        let Index { pk, sk, .. } = *index;
        let query = self.index(*index, partition).limit(PAGE_SIZE);
        let query = match &from.after {
            None => query.key_condition_expression(format!("{pk} = :pk")),
            Some(after) => query
                .key_condition_expression(format!("{pk} = :pk AND {sk} > :after"))
                .expression_attribute_values(":after", text(after)),
        };
        let response = query.send().await?;
        let next = match response
            .last_evaluated_key
            .as_ref()
            .and_then(|last| last.get(sk)?.as_s().ok())
        {
            Some(last) => SweeperPosition {
                after: Some(last.clone()),
                ..from
            },
            None => SweeperPosition {
                partition: from.partition + 1,
                after: None,
            },
        };
        let entries = response
            .items
            .unwrap_or_default()
            .into_iter()
            .filter_map(unreadable::from_item::<StatusEntry>);
        let is_overdue = |awaited: &Option<NextAttempt>| {
            awaited
                .as_ref()
                .is_some_and(|awaited| awaited.due_at <= before)
        };
        let keys: Vec<Key> = entries
            .filter(|entry| is_overdue(&entry.awaited))
            .map(|entry| entry.key)
            .collect();
        // The index is eventually consistent: check the row.
        let rows = self.get_rows::<Delivery>(keys).await?;
        let rows = rows
            .filter(|row| row.status == Status::Retrying && is_overdue(&row.progress.awaited))
            .collect();
        Ok(Overdue {
            rows,
            next: Some(next).filter(|next| next.partition < partitions.len()),
        })
    }

    /// Returns where the last run of the sweeper stopped. The start if it finished.
    pub async fn sweeper_position(&self) -> Result<SweeperPosition, TableError> {
        Ok(self.get(&Key::sweeper()).await?.unwrap_or_default())
    }

    /// Stores where the next run of the sweeper resumes.
    pub async fn set_sweeper_position(&self, position: &SweeperPosition) -> Result<(), TableError> {
        self.put_item(item(&Key::sweeper(), None, position)?, Condition::default())
            .await
            .map(|_| ())
    }
}

/// The partitions with deliveries that await a retry: those of this release, then those of earlier
/// ones.
fn partitions() -> Vec<(Index, String)> {
    let now = key::with_status(Status::Retrying).map(|partition| (STATUS, partition));
    now.chain(key::formerly_with_status(Status::Retrying).map(|partition| (LISTING, partition)))
        .collect()
}
