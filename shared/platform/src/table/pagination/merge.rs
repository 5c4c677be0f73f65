//! Merging of partitions: each is read until no item of the page can be missing.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use futures::future::try_join_all;
use serde::de::DeserializeOwned;

use super::{Page, PageRequest};
use crate::table::{
    Item, TableError,
    item::{is_live, text_of},
    response_size::response_bytes,
    unreadable,
};

/// An item, its size in a response, and its sort key.
pub(super) struct Found {
    pub(super) sort_key: String,
    pub(super) response_bytes: usize,
    item: Item,
}

/// A query that is read page by page.
struct Partition<'a> {
    query: QueryFluentBuilder,
    /// Name of the sort key.
    sort: &'a str,
    found: Vec<Found>,
    /// Where DynamoDB stopped.
    stopped_at: Option<Item>,
}

impl<'a> Partition<'a> {
    async fn open(query: QueryFluentBuilder, sort: &'a str) -> Result<Self, TableError> {
        let mut partition = Self {
            query,
            sort,
            found: Vec::new(),
            stopped_at: None,
        };
        partition.read().await?;
        Ok(partition)
    }

    async fn read(&mut self) -> Result<(), TableError> {
        let response = self
            .query
            .clone()
            .set_exclusive_start_key(self.stopped_at.take())
            .send()
            .await?;
        let found = response
            .items
            .unwrap_or_default()
            .into_iter()
            .filter(is_live);
        let place = |item| Found {
            sort_key: text_of(&item, self.sort).unwrap_or_default(),
            response_bytes: response_bytes(&item),
            item,
        };
        self.found.extend(found.map(place));
        self.stopped_at = response.last_evaluated_key;
        Ok(())
    }

    /// Items older than this have not been read.
    fn edge(&self) -> Option<String> {
        text_of(self.stopped_at.as_ref()?, self.sort)
    }
}

/// Returns the newest items of these queries, merged: all of them, or more than a page.
pub(super) async fn newest(
    queries: impl Iterator<Item = QueryFluentBuilder>,
    sort: &str,
    page_request: &PageRequest,
) -> Result<Vec<Found>, TableError> {
    // One item more than requested shows whether there is a next page.
    let most = i32::try_from(page_request.limit + 1).unwrap_or(i32::MAX);
    let mut partitions =
        try_join_all(queries.map(|query| Partition::open(query.limit(most), sort))).await?;
    loop {
        // Down to the newest edge, no partition has unread items.
        let edge = partitions.iter().filter_map(Partition::edge).max();
        let whole = |found: &Found| edge.as_ref().is_none_or(|edge| found.sort_key >= *edge);
        let settled = partitions
            .iter()
            .flat_map(|partition| &partition.found)
            .filter(|found| whole(found));
        if edge.is_none() || page_request.is_exceeded_by(settled) {
            let all = partitions.into_iter().flat_map(|partition| partition.found);
            let mut settled: Vec<Found> = all.filter(whole).collect();
            settled.sort_by(|a, b| b.sort_key.cmp(&a.sort_key));
            return Ok(settled);
        }
        let behind = partitions
            .iter_mut()
            .filter(|partition| partition.edge() == edge);
        try_join_all(behind.map(Partition::read)).await?;
    }
}

/// Returns as many of these sorted items as fit a page, at least one. Omits unreadable ones.
pub(super) fn page<T: DeserializeOwned>(
    mut found: Vec<Found>,
    page_request: &PageRequest,
) -> Page<T> {
    let fits = |response_bytes: &mut usize, found: &Found| {
        *response_bytes += found.response_bytes;
        (*response_bytes <= page_request.byte_budget).then_some(())
    };
    let fitting = found
        .iter()
        .take(page_request.limit)
        .scan(0, fits)
        .count()
        .max(1);
    let more = found.len() > fitting;
    found.truncate(fitting);
    let next = found
        .last()
        .filter(|_| more)
        .map(|found| found.sort_key.clone());
    let response_bytes = found.iter().map(|found| found.response_bytes).sum();
    let items = found
        .into_iter()
        .filter_map(|found| unreadable::from_item(found.item))
        .collect();
    Page {
        items,
        next,
        response_bytes,
    }
}
