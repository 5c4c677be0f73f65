//! Deliveries whose next attempt is overdue, oldest event first, for the sweeper.
//!
//! What they await is in the index, so that a million deliveries that are well cost some 300
//! queries and no read of a row. A run that ends before it has seen all of them stores its
//! position, from where the next one goes on.

use domain::delivery::{Awaited, Delivery, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Key, Table, TableError, item, key, text, unreadable,
    walk::{Index, LISTING, STATUS},
};

/// Where a walk goes on: in which of the partitions, and after which sort key of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    partition: usize,
    #[serde(default)]
    after: Option<String>,
}

/// What one step of a walk found.
#[derive(Debug)]
pub struct Overdue {
    /// The rows of the deliveries that are overdue.
    pub rows: Vec<Delivery>,
    /// Where the walk goes on; none at its end.
    pub next: Option<Position>,
}

/// What the index tells of a delivery.
#[derive(Deserialize)]
struct Entry {
    #[serde(flatten)]
    key: Key,
    awaited: Option<Awaited>,
}

/// How many deliveries one step looks at.
const STEP: i32 = 2_000;

impl Table {
    /// One step of the walk: the deliveries whose attempt was due `before` that time.
    pub async fn overdue(&self, from: Position, before: Timestamp) -> Result<Overdue, TableError> {
        let partitions = partitions();
        let Some((index, partition)) = partitions.get(from.partition) else {
            return Ok(Overdue {
                rows: Vec::new(),
                next: None,
            });
        };
        let Index { pk, sk, .. } = *index;
        let query = self.index(*index, partition).limit(STEP);
        let query = match &from.after {
            None => query.key_condition_expression(format!("{pk} = :pk")),
            Some(after) => query
                .key_condition_expression(format!("{pk} = :pk AND {sk} > :after"))
                .expression_attribute_values(":after", text(after)),
        };
        let answer = query.send().await?;
        let next = match answer
            .last_evaluated_key
            .as_ref()
            .and_then(|last| last.get(sk)?.as_s().ok())
        {
            Some(last) => Position {
                after: Some(last.clone()),
                ..from
            },
            None => Position {
                partition: from.partition + 1,
                after: None,
            },
        };
        let entries = answer
            .items
            .unwrap_or_default()
            .into_iter()
            .filter_map(unreadable::from_item::<Entry>);
        let is_overdue = |awaited: &Option<Awaited>| {
            awaited
                .as_ref()
                .is_some_and(|awaited| awaited.due_at <= before)
        };
        let keys: Vec<Key> = entries
            .filter(|entry| is_overdue(&entry.awaited))
            .map(|entry| entry.key)
            .collect();
        // The index may be behind.
        let rows = self
            .get_all(&keys)
            .await?
            .into_values()
            .filter_map(unreadable::from_item::<Delivery>);
        let rows = rows
            .filter(|row| row.status == Status::Retrying && is_overdue(&row.awaited))
            .collect();
        Ok(Overdue {
            rows,
            next: Some(next).filter(|next| next.partition < partitions.len()),
        })
    }

    /// Where the last run of the sweeper ended, if it did not see all.
    pub async fn sweeper_position(&self) -> Result<Position, TableError> {
        Ok(self.get(&Key::sweeper()).await?.unwrap_or_default())
    }

    /// Stores where the next run of the sweeper goes on.
    pub async fn set_sweeper_position(&self, position: &Position) -> Result<(), TableError> {
        self.put(item(&Key::sweeper(), None, position)?, None)
            .await
            .map(|_| ())
    }
}

/// Where deliveries are that wait for a retry: those of this release, then those of former ones.
fn partitions() -> Vec<(Index, String)> {
    let now = key::with_status(Status::Retrying).map(|partition| (STATUS, partition));
    now.chain(key::formerly_with_status(Status::Retrying).map(|partition| (LISTING, partition)))
        .collect()
}
