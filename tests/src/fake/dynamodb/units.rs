//! Capacity units that calls consume, by DynamoDB's rules
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>).

use std::ops::AddAssign;

use serde_json::Value;

use super::Item;

/// Consumed capacity.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    /// Read units, doubled: an eventually consistent read of 4 KB counts 1.
    pub half_reads: usize,
    /// Write units, those of the indexes included.
    pub writes: usize,
}

impl AddAssign for Units {
    fn add_assign(&mut self, other: Self) {
        self.half_reads += other.half_reads;
        self.writes += other.writes;
    }
}

/// Returns the units of a read of this many bytes.
pub(super) fn read(bytes: usize, consistent: bool) -> Units {
    let half_reads = bytes.div_ceil(4096).max(1) * if consistent { 2 } else { 1 };
    Units {
        half_reads,
        writes: 0,
    }
}

/// Returns the units of a write that replaces `before` by `after`. A transaction doubles those of
/// the table.
pub(super) fn write(before: Option<&Item>, after: Option<&Item>, transaction: bool) -> Units {
    let bytes = before.map_or(0, size).max(after.map_or(0, size));
    let table = kilobytes(bytes) * if transaction { 2 } else { 1 };
    let indexes = INDEXES.iter().map(|index| index.write(before, after));
    Units {
        half_reads: 0,
        writes: table + indexes.sum::<usize>(),
    }
}

/// An index of the template.
struct Index {
    partition: &'static str,
    sort: &'static str,
    /// The projected attributes besides keys. `None` is all.
    projected: Option<&'static [&'static str]>,
}

const INDEXES: [Index; 2] = [
    Index {
        partition: "list_pk",
        sort: "list_sk",
        projected: None,
    },
    Index {
        partition: "status_pk",
        sort: "status_sk",
        projected: Some(&["awaited"]),
    },
];

impl Index {
    fn write(&self, before: Option<&Item>, after: Option<&Item>) -> usize {
        let [before, after] = [before, after].map(|item| item.and_then(|item| self.entry(item)));
        match (before, after) {
            (None, None) => 0,
            (Some(entry), None) | (None, Some(entry)) => kilobytes(size(&entry)),
            (Some(before), Some(after)) if before == after => 0,
            (Some(before), Some(after)) if self.key(&before) == self.key(&after) => {
                kilobytes(size(&before).max(size(&after)))
            }
            (Some(before), Some(after)) => kilobytes(size(&before)) + kilobytes(size(&after)),
        }
    }

    fn key<'a>(&self, item: &'a Item) -> [Option<&'a Value>; 2] {
        [item.get(self.partition), item.get(self.sort)]
    }

    /// Returns what the index stores of an item.
    fn entry(&self, item: &Item) -> Option<Item> {
        let [Some(_), Some(_)] = self.key(item) else {
            return None;
        };
        let stored = |name: &str| {
            let keys = ["pk", "sk", self.partition, self.sort];
            self.projected
                .is_none_or(|projected| keys.contains(&name) || projected.contains(&name))
        };
        let stored = item.iter().filter(|(name, _)| stored(name));
        Some(
            stored
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }
}

fn kilobytes(bytes: usize) -> usize {
    bytes.div_ceil(1024).max(1)
}

/// Returns the size of an item in bytes: its names and values.
pub(super) fn size(item: &Item) -> usize {
    let attributes = item.iter();
    attributes
        .map(|(name, value)| name.len() + of_value(value))
        .sum()
}

fn of_value(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|tagged| tagged.iter().next()) else {
        return 1;
    };
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => text.len(),
        ("N", Value::String(digits)) => digits.len().div_ceil(2) + 1,
        ("B", Value::String(base64)) => base64.len() / 4 * 3,
        ("M", Value::Object(map)) => 3 + map.len() + size(map),
        ("L", Value::Array(list)) => {
            3 + list.iter().map(|value| 1 + of_value(value)).sum::<usize>()
        }
        ("SS", Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::len).sum(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(value: &Value) -> Item {
        value.as_object().cloned().expect("an item")
    }

    #[test]
    fn sizes_follow_the_documented_rules() {
        for (attribute, bytes) in [
            (json!({"S": "four"}), 4),
            (json!({"N": "12345"}), 4),
            (json!({"B": "AAAA"}), 3),
            (json!({"BOOL": true}), 1),
            (json!({"NULL": true}), 1),
            (json!({"L": [{"S": "ab"}, {"BOOL": true}]}), 3 + 3 + 2),
            (json!({"M": {"a": {"S": "b"}}}), 3 + 1 + 2),
        ] {
            assert_eq!(
                size(&item(&json!({"name": attribute}))),
                4 + bytes,
                "{attribute}"
            );
        }
    }

    #[test]
    fn writes_count_the_larger_item_and_changed_index_entries() {
        let text = |bytes| json!({"S": "x".repeat(bytes)});
        let small = item(&json!({"pk": text(9), "sk": text(9)}));
        let large = item(&json!({"pk": text(9), "sk": text(9), "data": text(1100)}));
        let listed = item(
            &json!({"pk": text(9), "sk": text(9), "list_pk": text(9), "list_sk": text(9), "data": text(1100)}),
        );
        let awaited = item(
            &json!({"pk": text(9), "sk": text(9), "status_pk": text(9), "status_sk": text(9), "data": text(1100)}),
        );
        for (before, after, transaction, units) in [
            (None, Some(&small), false, 1),
            (None, Some(&small), true, 2),
            (None, Some(&large), false, 2),
            (Some(&large), Some(&small), false, 2),
            (Some(&large), None, false, 2),
            (None, Some(&listed), false, 4),
            (None, Some(&listed), true, 6),
            (Some(&listed), Some(&listed), false, 2),
            (Some(&listed), Some(&large), false, 4),
            (None, Some(&awaited), false, 3),
        ] {
            assert_eq!(write(before, after, transaction).writes, units);
        }
        assert_eq!(read(0, false).half_reads, 1);
        assert_eq!(read(4097, true).half_reads, 4);
    }
}
