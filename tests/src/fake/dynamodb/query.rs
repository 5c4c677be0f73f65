//! Queries of the table and its indexes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Table, bytes, units};
use crate::fake::{
    AwsError,
    expression::{Expression, Item},
};

/// Maximum number of bytes that one page of a query reads.
const MAX_PAGE_BYTES: usize = 1024 * 1024;

impl Table {
    pub(super) fn query(&mut self, request: &Value) -> Result<Value, AwsError> {
        let (of_index, sort) = match request
            .get("IndexName")
            .map(|name| name.as_str().expect("a name"))
        {
            None => ("pk", "sk"),
            Some("listing") => ("list_pk", "list_sk"),
            Some("status") => ("status_pk", "status_sk"),
            Some(index) => panic!("there is no index {index}"),
        };
        if sort != "sk" && request["ConsistentRead"] == true {
            return Err(AwsError::new("ValidationException"));
        }
        let wanted = Expression::of(request, "KeyConditionExpression").expect("a key condition");
        let candidates: Box<dyn Iterator<Item = &Item>> = match wanted.partition() {
            Some(pk) if sort == "sk" => {
                let of_it = self.items.range((pk.to_owned(), String::new())..);
                Box::new(
                    of_it
                        .take_while(move |((partition, _), _)| partition == pk)
                        .map(|(_, item)| item),
                )
            }
            Some(pk) => Box::new(self.items.values().filter(move |item| {
                item.get(of_index)
                    .is_some_and(|partition| partition["S"] == pk)
            })),
            None => Box::new(self.items.values()),
        };
        let mut found: Vec<&Item> = candidates.filter(|item| wanted.holds(Some(item))).collect();
        let place = |item: &Item| {
            [sort, "pk", "sk"].map(|name| item[name]["S"].as_str().unwrap_or_default().to_owned())
        };
        found.sort_by_key(|item| place(item));
        if request["ScanIndexForward"] == false {
            found.reverse();
        }
        if let Some(start) = request["ExclusiveStartKey"].as_object() {
            let seen = found.iter().position(|item| place(item) == place(start));
            found.drain(..=seen.expect("pages begin after an item that is there"));
        }
        let limit = request["Limit"]
            .as_u64()
            .map_or(usize::MAX, |limit| usize::try_from(limit).expect("small"));
        let full = |sum: &mut usize, item: &&Item| {
            *sum += item.values().map(bytes).sum::<usize>();
            Some(*sum > MAX_PAGE_BYTES)
        };
        let most = 1 + found.iter().scan(0, full).take_while(|full| !full).count();
        let limit = limit.min(most);
        found.truncate(limit);
        let bytes = found.iter().map(|item| units::size(item)).sum();
        let used = units::read(bytes, request["ConsistentRead"] == true);
        let projected =
            |name: &str| ["pk", "sk", "status_pk", "status_sk", "awaited"].contains(&name);
        let asked = request["ProjectionExpression"].as_str();
        let asked =
            |name: &str| asked.is_none_or(|names| names.split(", ").any(|asked| asked == name));
        let shown = found.iter().map(|item| {
            let shown = item
                .iter()
                .filter(|(name, _)| asked(name) && (sort != "status_sk" || projected(name)));
            shown
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect::<Item>()
        });
        let mut response = json!({"Items": shown.collect::<Vec<_>>(), "Count": found.len()});
        // Even if nothing follows: DynamoDB stops at the limit without checking.
        if let Some(last) = found.last().filter(|_| found.len() == limit) {
            let key = BTreeSet::from(["pk", "sk", of_index, sort]).into_iter();
            response["LastEvaluatedKey"] = key
                .map(|name| (name.to_owned(), last[name].clone()))
                .collect();
        }
        self.units += used;
        Ok(response)
    }
}
