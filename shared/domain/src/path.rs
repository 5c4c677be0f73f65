//! Paths into JSON data, for tags and conditions: `last_reply.author`, `items.0.id` or
//! `items[0].id`.

use std::borrow::Cow;

use serde_json::Value;

use crate::validation::ClientError;

/// A path of one or more segments separated by dots. Segments consist of letters, digits, `_` and
/// `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path(String);

/// Not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a valid field path: use letters, digits, `_` and `-`, with dots between segments"
)]
pub struct ParsePathError(pub String);

impl ClientError for ParsePathError {}

impl Path {
    /// Parses a path. `items[0]` is an alias of `items.0`.
    ///
    /// # Errors
    /// Fails for an empty segment or a character that is not allowed.
    pub fn parse(text: &str) -> Result<Self, ParsePathError> {
        let text = &*dotted(text);
        let valid = text.split('.').all(|segment| {
            !segment.is_empty()
                && segment
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        });
        if valid && text.len() <= 200 {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParsePathError(text.chars().take(200).collect()))
        }
    }

    /// The path as parsed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value at this path. A number is an index into an array.
    pub fn find<'a>(&self, data: &'a Value) -> Option<&'a Value> {
        find(&self.0, data)
    }

    /// The value in an event's `data`. If there is none and the path starts with `data.`, the value
    /// at the rest of the path, because `data` is the field's name in the envelope.
    pub fn find_in_event<'a>(&self, data: &'a Value) -> Option<&'a Value> {
        self.find(data)
            .or_else(|| find(self.0.strip_prefix("data.")?, data))
    }
}

fn find<'a>(path: &str, data: &'a Value) -> Option<&'a Value> {
    path.split('.')
        .try_fold(data, |value, segment| match value {
            Value::Object(map) => map.get(segment),
            Value::Array(items) => segment
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index)),
            _ => None,
        })
}

/// Replaces each `[<digits>]` after a segment with a segment of its own.
fn dotted(text: &str) -> Cow<'_, str> {
    let Some((first, rest)) = text.split_once('[').filter(|(first, _)| !first.is_empty()) else {
        return text.into();
    };
    let mut dotted = first.to_owned();
    for part in rest.split('[') {
        let Some((index, after)) = part.split_once(']') else {
            return text.into();
        };
        let is_index = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
        if !is_index || !(after.is_empty() || after.starts_with('.')) {
            return text.into();
        }
        dotted.extend([".", index, after]);
    }
    dotted.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn bracketed_index_is_a_segment() {
        for (text, path) in [
            ("items[0].a", Some("items.0.a")),
            ("a[1][2]", Some("a.1.2")),
            ("a.b[10]", Some("a.b.10")),
            ("[0]", None),
            ("a[]", None),
            ("a[x]", None),
            ("a[0]b", None),
            ("a[0", None),
            ("a]0[", None),
            ("a[-1]", None),
        ] {
            assert_eq!(
                Path::parse(text).ok().as_ref().map(Path::as_str),
                path,
                "{text}"
            );
        }
    }

    #[test]
    fn event_data_may_be_prefixed_with_data() {
        let find =
            |path: &str, data: Value| Path::parse(path).expect(path).find_in_event(&data).cloned();
        assert_eq!(find("data.a.0", json!({"a": [1]})), Some(json!(1)));
        assert_eq!(
            find("data.a", json!({"a": 1, "data": {"a": 2}})),
            Some(json!(2))
        );
        assert_eq!(find("data.b", json!({"a": 1, "data": {"a": 2}})), None);
        assert_eq!(find("data", json!({"a": 1})), None);
    }

    proptest! {
        #[test]
        fn parse_accepts_any_input(text in "[a-z0-9.\\[\\]{}-]{0,20}") {
            if let Ok(path) = Path::parse(&text) {
                prop_assert_eq!(Path::parse(path.as_str()), Ok(path.clone()));
                prop_assert!(!path.as_str().contains(['[', ']']));
            }
        }
    }
}
