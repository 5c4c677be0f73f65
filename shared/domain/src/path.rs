//! Paths into JSON data, as tags and conditions write them: `last_reply.author`, `items.0.id`.

use serde_json::Value;

/// A path of one or more segments, separated by dots; each of letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path(String);

/// The text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a field path: use letters, digits, `_` and `-`, with dots between the steps")]
pub struct NotAPath(pub String);

impl Path {
    /// The path that `text` writes.
    pub fn parse(text: &str) -> Result<Self, NotAPath> {
        let valid = text.split('.').all(|segment| {
            !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        });
        if valid && text.len() <= 200 {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAPath(text.chars().take(200).collect()))
        }
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands there; a whole number steps into an array. `None` when there is nothing.
    pub fn find<'a>(&self, data: &'a Value) -> Option<&'a Value> {
        self.0.split('.').try_fold(data, |value, segment| match value {
            Value::Object(map) => map.get(segment),
            Value::Array(items) => segment.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        })
    }
}
