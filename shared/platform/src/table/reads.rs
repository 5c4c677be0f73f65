//! Reads of single items, many items, and whole partitions. All are strongly consistent, and all
//! treat expired items as missing.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::KeysAndAttributes};
use futures::future::try_join_all;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Item, Key, Table, TableError,
    item::{is_live, key_of, text, text_of},
    unreadable,
};

/// Maximum number of keys per `BatchGetItem` (DynamoDB's limit).
const MAX_BATCH_KEYS: usize = 100;

/// The item of a name in use.
#[derive(Deserialize)]
struct NameRow<I> {
    id: I,
}

impl Table {
    /// Returns an item.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        key: &Key,
    ) -> Result<Option<T>, TableError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .consistent_read(true);
        let found = request.send().await?.item.filter(is_live);
        Ok(found.map(serde_dynamo::from_item).transpose()?)
    }

    /// Returns the ID of the resource with this name.
    pub(super) async fn id_by_name<I: DeserializeOwned>(
        &self,
        name: &Key,
    ) -> Result<Option<I>, TableError> {
        Ok(self.get::<NameRow<I>>(name).await?.map(|row| row.id))
    }

    /// Returns the IDs of the resources of a kind with these names, by lower-case name.
    pub(super) async fn ids_by_name<I: DeserializeOwned>(
        &self,
        kind: &str,
        names: &[String],
    ) -> Result<BTreeMap<String, I>, TableError> {
        let keys: Vec<Key> = names.iter().map(|name| Key::name(kind, name)).collect();
        let mut found = self.get_all(&keys).await?;
        let pairs = names
            .iter()
            .zip(keys)
            .filter_map(|(name, key)| Some((name.to_lowercase(), found.remove(&key)?)));
        pairs
            .map(|(name, item)| Ok((name, serde_dynamo::from_item::<_, NameRow<I>>(item)?.id)))
            .collect()
    }

    /// Returns the rows of these keys, in any order. Omits missing and unreadable ones.
    pub(super) async fn get_rows<T: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item = Key>,
    ) -> Result<impl Iterator<Item = T>, TableError> {
        let keys: Vec<Key> = keys.into_iter().collect();
        let items = self.get_all(&keys).await?.into_values();
        Ok(items.filter_map(unreadable::from_item))
    }

    /// Returns the items of these keys. Omits missing ones.
    pub(super) async fn get_all(&self, keys: &[Key]) -> Result<HashMap<Key, Item>, TableError> {
        let mut distinct: Vec<&Key> = keys.iter().collect();
        distinct.sort_by(|a, b| (&a.pk, &a.sk).cmp(&(&b.pk, &b.sk)));
        distinct.dedup();
        let batches = distinct.chunks(MAX_BATCH_KEYS);
        let items = try_join_all(batches.map(|keys| self.get_batch(keys))).await?;
        Ok(items
            .into_iter()
            .flatten()
            .filter(is_live)
            .filter_map(|item| Some((key_of(&item)?, item)))
            .collect())
    }

    async fn get_batch(&self, keys: &[&Key]) -> Result<Vec<Item>, TableError> {
        let mut left: Vec<_> = keys.iter().map(|key| key.attributes()).collect();
        let mut items = Vec::with_capacity(left.len());
        // DynamoDB returns at most 16 MB and lists the unprocessed keys.
        while !left.is_empty() {
            let wanted = KeysAndAttributes::builder()
                .consistent_read(true)
                .set_keys(Some(left))
                .build()
                .map_err(|error| TableError::Request(error.to_string()))?;
            let request = self.client.batch_get_item();
            let response = request.request_items(&self.name, wanted).send().await?;
            let found = response.responses.unwrap_or_default();
            let before = items.len();
            items.extend(found.into_values().flatten());
            let unread = response.unprocessed_keys.unwrap_or_default();
            left = unread.into_values().flat_map(|rest| rest.keys).collect();
            if items.len() == before && !left.is_empty() {
                return Err(TableError::Request(
                    "throttled: no key of a batch was processed".to_owned(),
                ));
            }
        }
        Ok(items)
    }

    /// Starts a query of a partition, in sort-key order.
    pub(super) fn partition(&self, pk: &str) -> QueryFluentBuilder {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true);
        query
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(pk))
    }

    /// Returns all items of a partition in sort-key order, without unreadable ones.
    pub(super) async fn all<T: DeserializeOwned>(&self, pk: &str) -> Result<Vec<T>, TableError> {
        let items = all_items(self.partition(pk)).await?;
        Ok(items
            .into_iter()
            .filter(is_live)
            .filter_map(unreadable::from_item)
            .collect())
    }

    /// Returns the sort keys of a partition's items.
    pub(super) async fn sort_keys(&self, pk: &str) -> Result<Vec<String>, TableError> {
        let items = all_items(self.partition(pk).projection_expression("sk")).await?;
        Ok(items
            .iter()
            .filter_map(|item| text_of(item, "sk"))
            .collect())
    }
}

/// Returns all items of a query, whatever the number of its pages.
pub(super) async fn all_items(query: QueryFluentBuilder) -> Result<Vec<Item>, TableError> {
    let pages = query.into_paginator().items().send();
    Ok(pages.collect::<Result<_, _>>().await?)
}
