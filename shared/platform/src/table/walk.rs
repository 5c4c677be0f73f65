//! Lists, newest first: one index partition, or partitions by day and shard merged.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::EventId;
use futures::future::try_join_all;
use jiff::{Timestamp, ToSpan};
use serde::de::DeserializeOwned;
use ulid::Ulid;

use super::{Item, Table, TableError, key, text};

/// Some items, newest first, and the sort key of the last one looked at while there may be more.
#[derive(Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins: after this.
    pub next: Option<String>,
}

/// Which part of a list.
#[derive(Debug, Clone)]
pub struct Slice {
    /// Only what is older than this sort key: a former page's `next`.
    pub after: Option<String>,
    /// How many at the most.
    pub limit: usize,
}

/// A span of time, both ends included.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Its begin.
    pub since: Timestamp,
    /// Its end.
    pub until: Timestamp,
}

impl Span {
    /// The sort keys of what was made in the span: ULIDs begin with the time.
    fn ulids(self) -> (String, String) {
        let bound = |at, random| EventId::new(at, random).ulid().to_string();
        (bound(self.since, 0), bound(self.until, u128::MAX >> 48))
    }
}

/// A page stops looking after this many days without finding enough, and says where to go on.
const DAYS_AT_ONCE: usize = 8;

impl Table {
    /// One page of a partition of the index `listing`.
    pub(super) async fn listed<T: DeserializeOwned>(
        &self,
        list_pk: &str,
        slice: &Slice,
    ) -> Result<Page<T>, TableError> {
        self.listed_shards(&[list_pk.to_owned()], slice).await
    }

    /// One page of several partitions of the index `listing`, merged.
    pub(super) async fn listed_shards<T: DeserializeOwned>(
        &self,
        partitions: &[String],
        slice: &Slice,
    ) -> Result<Page<T>, TableError> {
        let reads = partitions.iter().map(|partition| {
            let query = self.client.query().table_name(&self.name).index_name("listing").scan_index_forward(false);
            let query = query.limit(limit(slice.limit + 1)).expression_attribute_values(":pk", text(partition));
            let query = match &slice.after {
                None => query.key_condition_expression("list_pk = :pk"),
                Some(after) => query
                    .key_condition_expression("list_pk = :pk AND list_sk < :after")
                    .expression_attribute_values(":after", text(after)),
            };
            async move { Ok::<_, TableError>(query.send().await?.items.unwrap_or_default()) }
        });
        let items = try_join_all(reads).await?.into_iter().flatten().collect();
        page(items, "list_sk", slice.limit)
    }

    /// One page of what is kept by day and shard, over `span`; `partition` spells the partitions.
    pub(super) async fn by_day<T: DeserializeOwned>(
        &self,
        partition: impl Fn(jiff::civil::Date, u8) -> String,
        span: Span,
        slice: &Slice,
    ) -> Result<Page<T>, TableError> {
        let (oldest, newest) = span.ulids();
        // A cursor names the newest that the last page has shown: the walk begins on that one's day.
        let newest = slice.after.as_ref().map_or(newest.clone(), |after| after.min(&newest).clone());
        let last = Ulid::from_string(&newest).map_or(span.until, |ulid| EventId::from_ulid(ulid).made_at());
        let first_day = key::day(span.since);
        let mut days: Vec<_> = std::iter::successors(Some(key::day(last)), |day| day.checked_sub(1.day()).ok())
            .take_while(|day| *day >= first_day)
            .collect();
        let mut found: Vec<Item> = Vec::new();
        while !days.is_empty() && found.len() <= slice.limit {
            let some: Vec<_> = days.drain(..days.len().min(DAYS_AT_ONCE)).collect();
            let partitions = some.iter().flat_map(|day| (0..key::SHARDS).map(|shard| partition(*day, shard)));
            let reads = partitions.map(|pk| self.newest_of(pk, &oldest, &newest, slice.limit + 1));
            found.extend(try_join_all(reads).await?.into_iter().flatten());
        }
        found.retain(|item| slice.after.is_none() || sort_key(item, "sk") != Some(&newest));
        page(found, "sk", slice.limit)
    }

    async fn newest_of(&self, pk: String, oldest: &str, newest: &str, most: usize) -> Result<Vec<Item>, TableError> {
        let query = self.client.query().table_name(&self.name).consistent_read(true).scan_index_forward(false);
        // One more than asked for: the newest itself may be the cursor's, which is left out.
        let query =
            query.limit(limit(most + 1)).key_condition_expression("pk = :pk AND sk BETWEEN :oldest AND :newest");
        let query = query.expression_attribute_values(":pk", AttributeValue::S(pk));
        let query = query.expression_attribute_values(":oldest", text(oldest));
        Ok(query.expression_attribute_values(":newest", text(newest)).send().await?.items.unwrap_or_default())
    }
}

fn limit(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn sort_key<'a>(item: &'a Item, name: &str) -> Option<&'a String> {
    item.get(name).and_then(|value| value.as_s().ok())
}

fn page<T: DeserializeOwned>(mut items: Vec<Item>, sort: &str, limit: usize) -> Result<Page<T>, TableError> {
    items.sort_by(|a, b| sort_key(b, sort).cmp(&sort_key(a, sort)));
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).and_then(|item| sort_key(item, sort).cloned());
    Ok(Page { items: serde_dynamo::from_items(items)?, next })
}
