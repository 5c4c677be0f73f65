//! JSON pointers (RFC 6901) into a provider's documents, for its ID and status.

use std::fmt;

use serde_json::Value;

use crate::validation::{Validated, ValidationErrors, string};

/// Maximum length of a pointer, and of an ID or status that it points to, in bytes.
const MAX_BYTES: usize = 255;

/// A JSON pointer, such as `/result/message_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(String);

/// Not a JSON pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a JSON pointer (RFC 6901) of at most {MAX_BYTES} bytes, such as /result/id. Every segment starts with `/`, \
     and `~` is only allowed in `~0` and `~1`."
)]
pub struct ParsePointerError;

impl Pointer {
    /// Parses a pointer with at least one segment: a whole document is neither an ID nor a status.
    pub fn parse(text: &str) -> Result<Self, ParsePointerError> {
        let escapes = text
            .split('~')
            .skip(1)
            .all(|rest| rest.starts_with(['0', '1']));
        let legal = text.starts_with('/')
            && text.len() <= MAX_BYTES
            && escapes
            && !text.chars().any(char::is_control);
        if legal {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParsePointerError)
        }
    }

    /// Parses a pointer from a document field.
    pub fn read(value: Value) -> Validated<Self> {
        Self::parse(&string(value)?).map_err(|error| ValidationErrors::here(error.to_string()))
    }

    /// The pointer as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value at this pointer.
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        document.pointer(&self.0)
    }

    /// How many elements the longest list on the way to this pointer has besides the one on the way.
    pub fn others(&self, document: &Value) -> usize {
        let ends = self.0.match_indices('/').map(|(end, _)| &self.0[..end]);
        ends.filter_map(|end| document.pointer(end)?.as_array())
            .map(|list| list.len().saturating_sub(1))
            .max()
            .unwrap_or(0)
    }

    /// The string or number at this pointer, as text of 1 to 255 bytes without control characters.
    pub fn text(&self, document: &Value) -> Option<String> {
        let text = match self.find(document)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        ((1..=MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control))
            .then_some(text)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn pointers_start_with_a_slash() {
        for text in ["/", "/a", "/a/0/b", "/a~1b/c~0d", "/é", "//"] {
            assert_eq!(Pointer::parse(text).expect(text).as_str(), text);
        }
        for text in [
            "",
            "a",
            "a/b",
            "/~",
            "/~2",
            "/a~",
            "/\n",
            &format!("/{}", "a".repeat(255)),
        ] {
            assert_eq!(Pointer::parse(text), Err(ParsePointerError), "{text:?}");
        }
    }

    #[test]
    fn other_elements_of_lists_are_counted() {
        let document = json!({
            "one": [{"id": 1}], "three": [{"id": 1}, {"id": 2, "list": [1, 2, 3, 4, 5]}, 3],
            "none": [], "last": [1, 2],
        });
        for (pointer, others) in [
            ("/one/0/id", 0),
            ("/three/0/id", 2),
            ("/three/1/list/0", 4),
            ("/none/0/id", 0),
            ("/last", 0),
            ("/missing/0", 0),
        ] {
            let found = Pointer::parse(pointer).expect(pointer).others(&document);
            assert_eq!(found, others, "{pointer}");
        }
    }

    #[test]
    fn only_strings_and_numbers_are_ids() {
        let document = json!({
            "id": "a", "n": 12, "f": 1.5, "empty": "", "long": "x".repeat(256), "just": "x".repeat(255), "line": "a\nb",
            "null": null, "list": [{"id": 7}], "a/b": "slash", "m~n": "tilde", "": "nameless",
        });
        for (pointer, expected) in [
            ("/id", Some("a")),
            ("/n", Some("12")),
            ("/f", Some("1.5")),
            ("/list/0/id", Some("7")),
            ("/a~1b", Some("slash")),
            ("/m~0n", Some("tilde")),
            ("/", Some("nameless")),
            ("/list/00/id", None),
            ("/list/-", None),
            ("/list", None),
            ("/empty", None),
            ("/long", None),
            ("/line", None),
            ("/null", None),
            ("/none", None),
        ] {
            assert_eq!(
                Pointer::parse(pointer)
                    .expect(pointer)
                    .text(&document)
                    .as_deref(),
                expected,
                "{pointer}"
            );
        }
        let just = Pointer::parse("/just").expect("pointer");
        assert_eq!(just.text(&document).map(|text| text.len()), Some(255));
    }

    proptest! {
        #[test]
        fn any_key_can_be_pointed_to(key in "\\P{Cc}{0,20}", text in "\\PC{0,300}") {
            let pointer = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
            let mut document = json!({});
            document[&key] = json!("found");
            let found = Pointer::parse(&pointer).expect("pointer").text(&document);
            prop_assert_eq!(found.as_deref(), Some("found"));
            if let Ok(pointer) = Pointer::parse(&text) {
                let _ = pointer.text(&document);
            }
        }
    }
}
