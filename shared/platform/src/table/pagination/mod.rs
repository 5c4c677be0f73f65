//! Pagination, newest first: one index partition, or partitions by day and shard merged.
//!
//! DynamoDB returns at most 1 MB per query, whatever its `Limit`. Each partition is read until no
//! item of the page can be missing. A page ends at its limit, or earlier if its items would exceed
//! the size of a response. It has a `next` as long as more items follow.

mod merge;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::id::EventId;
use futures::future::{join_all, try_join_all};
use jiff::{Timestamp, ToSpan};
use serde::de::DeserializeOwned;
use ulid::Ulid;

use self::merge::{Found, newest, page};
use super::{
    Key, Table, TableError, item::text, key, response_size::MAX_RESPONSE_BYTES,
    unreadable::readable,
};

/// A page of items, newest first.
#[derive(Debug)]
pub struct Page<T> {
    /// Items in order, at most as many as requested.
    pub items: Vec<T>,
    /// Sort key after which the next page starts. None on the last page.
    pub next: Option<String>,
    /// Size of the items in a response, in bytes ([`super::response_size`]).
    pub response_bytes: usize,
}

impl<T> Page<T> {
    /// A page of at most one item, without a next page.
    pub fn one(item: Option<T>) -> Self {
        Self {
            items: item.into_iter().collect(),
            next: None,
            response_bytes: 0,
        }
    }

    /// Converts each item.
    pub fn map<U>(self, make: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(make).collect(),
            next: self.next,
            response_bytes: self.response_bytes,
        }
    }
}

impl<T> Page<T> {
    /// Converts each item with `open`. Omits unreadable ones.
    pub(super) async fn open<U, F: Future<Output = Result<U, TableError>>>(
        self,
        kind: &str,
        open: impl Fn(T) -> F,
    ) -> Result<Page<U>, TableError> {
        let opened = join_all(self.items.into_iter().map(open)).await;
        let items = opened
            .into_iter()
            .filter_map(|read| readable(kind, read).transpose());
        Ok(Page {
            items: items.collect::<Result<_, _>>()?,
            next: self.next,
            response_bytes: self.response_bytes,
        })
    }
}

/// An index of the table, with the names of its keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Index {
    name: &'static str,
    pub(super) pk: &'static str,
    pub(super) sk: &'static str,
}

/// Resources by kind, newest first. Projects whole items.
pub(super) const LISTING: Index = Index {
    name: "listing",
    pk: "list_pk",
    sk: "list_sk",
};
/// Deliveries that have not succeeded, by status. Projects their keys and the awaited attempt.
pub(super) const STATUS: Index = Index {
    name: "status",
    pk: "status_pk",
    sk: "status_sk",
};

/// A page request.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// Returns only items older than this sort key: the previous page's `next`.
    pub after: Option<String>,
    /// Maximum number of items.
    pub limit: usize,
    /// Maximum size of the items in bytes ([`super::response_size`]).
    pub byte_budget: usize,
}

impl PageRequest {
    /// A page request that may fill a whole response.
    pub fn new(after: Option<String>, limit: usize) -> Self {
        Self {
            after,
            limit,
            byte_budget: MAX_RESPONSE_BYTES,
        }
    }

    /// Returns whether these are more than a page. A page has at least one item, whatever its size.
    fn is_exceeded_by<'a>(&self, found: impl Iterator<Item = &'a Found>) -> bool {
        let (count, response_bytes) = found.fold((0, 0), |(count, sum), found| {
            (count + 1, sum + found.response_bytes)
        });
        count > self.limit || (count > 1 && response_bytes > self.byte_budget)
    }
}

/// A time range, both ends included. Empty if `until` is before `since`.
#[derive(Debug, Clone, Copy)]
pub struct TimeRange {
    /// Start of the range.
    pub since: Timestamp,
    /// End of the range.
    pub until: Timestamp,
}

impl TimeRange {
    /// Returns whether the range includes this time.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.since <= at && at <= self.until
    }

    /// Returns the ULIDs at the ends of the range. ULIDs start with the time.
    fn ulids(self) -> (Ulid, Ulid) {
        let bound = |at, random| EventId::new(at, random).ulid();
        (bound(self.since, 0), bound(self.until, u128::MAX >> 48))
    }
}

/// Maximum number of days that are read concurrently. The newest day is read first and alone,
/// because it usually fills a page.
const MAX_CONCURRENT_DAYS: usize = 8;

impl Table {
    /// Returns a page of a partition of the index `listing`.
    pub(super) async fn listed<T: DeserializeOwned>(
        &self,
        list_pk: &str,
        page_request: &PageRequest,
    ) -> Result<Page<T>, TableError> {
        Ok(page(
            self.newest_of(LISTING, &[list_pk.to_owned()], page_request)
                .await?,
            page_request,
        ))
    }

    /// Returns the keys of a page of several index partitions, merged.
    pub(super) async fn keys_in(
        &self,
        partitions: &[(Index, Vec<String>)],
        page_request: &PageRequest,
    ) -> Result<Page<Key>, TableError> {
        let parts = partitions
            .iter()
            .map(|(index, partitions)| self.newest_of(*index, partitions, page_request));
        let mut found: Vec<Found> = try_join_all(parts).await?.into_iter().flatten().collect();
        found.sort_by(|a, b| b.sort_key.cmp(&a.sort_key));
        Ok(page(found, page_request))
    }

    /// Returns the newest items of these index partitions: all of them, or more than a page.
    async fn newest_of(
        &self,
        index: Index,
        partitions: &[String],
        page_request: &PageRequest,
    ) -> Result<Vec<Found>, TableError> {
        let queries = partitions.iter().map(|partition| {
            let query = self.index(index, partition).scan_index_forward(false);
            let Index { pk, sk, .. } = index;
            match &page_request.after {
                None => query.key_condition_expression(format!("{pk} = :pk")),
                Some(after) => query
                    .key_condition_expression(format!("{pk} = :pk AND {sk} < :after"))
                    .expression_attribute_values(":after", text(after)),
            }
        });
        newest(queries, index.sk, page_request).await
    }

    /// Starts a query of an index partition, without its key condition.
    pub(super) fn index(&self, index: Index, partition: &str) -> QueryFluentBuilder {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(index.name);
        query.expression_attribute_values(":pk", text(partition))
    }

    /// Returns a page of items that are partitioned by day and shard, within `range`. `partition`
    /// builds the partition keys.
    pub(super) async fn by_day<T: DeserializeOwned>(
        &self,
        partition: impl Fn(jiff::civil::Date, u8) -> String,
        range: TimeRange,
        page_request: &PageRequest,
    ) -> Result<Page<T>, TableError> {
        let (oldest, mut newest_id) = range.ulids();
        if let Some(after) = page_request
            .after
            .as_deref()
            .and_then(|after| Ulid::from_string(after).ok())
        {
            newest_id = newest_id.min(Ulid(after.0.saturating_sub(1)));
        }
        let mut found = Vec::new();
        // DynamoDB rejects a range whose ends are reversed.
        if oldest <= newest_id {
            let first_day = key::day(range.since);
            let last_day = key::day(EventId::from_ulid(newest_id).made_at());
            let mut days =
                std::iter::successors(Some(last_day), |day| day.checked_sub(1.day()).ok())
                    .take_while(|day| *day >= first_day)
                    .peekable();
            let mut at_once = 1;
            while days.peek().is_some() && !page_request.is_exceeded_by(found.iter()) {
                let some: Vec<_> = days.by_ref().take(at_once).collect();
                let partitions = some
                    .iter()
                    .flat_map(|day| (0..key::SHARDS).map(|shard| partition(*day, shard)));
                let queries = partitions.map(|pk| self.between(pk, oldest, newest_id));
                found.extend(newest(queries, "sk", page_request).await?);
                at_once = (2 * at_once).min(MAX_CONCURRENT_DAYS);
            }
        }
        Ok(page(found, page_request))
    }

    fn between(&self, pk: String, oldest: Ulid, newest: Ulid) -> QueryFluentBuilder {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .scan_index_forward(false);
        let query = query.key_condition_expression("pk = :pk AND sk BETWEEN :oldest AND :newest");
        let query = query.expression_attribute_values(":pk", text(pk));
        let query = query.expression_attribute_values(":oldest", text(oldest.to_string()));
        query.expression_attribute_values(":newest", text(newest.to_string()))
    }
}
