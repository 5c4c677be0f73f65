//! Paths into JSON data, for tags and conditions: `last_reply.author`, `items.0.id`,
//! `items[0].id` or `body."data[email]"`.

use serde_json::Value;

use crate::{
    cursor::{BareQuotes, Cursor, Syntax},
    validation::ClientError,
};

/// Maximum length of a path, in bytes.
const MAX: usize = 200;

/// A path of one or more steps separated by dots. A step consists of letters, digits, `_` and `-`,
/// or is quoted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// Steps are quoted only if necessary.
    text: String,
    steps: Vec<String>,
}

/// Not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a valid field path: use letters, digits, `_` and `-`, with dots between segments. \
     Quote a segment with other characters, such as `\"First Name\"`."
)]
pub struct ParsePathError(pub String);

impl ClientError for ParsePathError {}

impl Path {
    /// Parses a path. `items[0]` is an alias of `items.0`. A step in `"` or `'` may contain any
    /// character, with the escape sequences of JSON.
    ///
    /// # Errors
    /// Fails for an empty step that is not quoted, and for a character that is not allowed.
    pub fn parse(text: &str) -> Result<Self, ParsePathError> {
        let mut cursor = Cursor::new(text, Syntax::Plain);
        Self::read(&mut cursor)
            .filter(|_| cursor.position() == text.len())
            .ok_or_else(|| ParsePathError(text.chars().take(MAX).collect()))
    }

    /// Reads the path at the cursor, as far as it goes. `None` if there is none.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let (mut text, mut steps) = (String::new(), Vec::new());
        loop {
            let step = match cursor.quoted(BareQuotes::Excluded) {
                Some(quoted) => quoted.ok()?,
                None => Some(cursor.word(is_plain)).filter(|step| !step.is_empty())?,
            };
            push(&mut text, &mut steps, step);
            while cursor.eat('[') {
                let index = cursor.word(|c| c.is_ascii_digit());
                if index.is_empty() || !cursor.eat(']') {
                    return None;
                }
                push(&mut text, &mut steps, index);
            }
            if text.len() > MAX {
                return None;
            }
            if !cursor.eat('.') {
                return Some(Self { text, steps });
            }
        }
    }

    /// The path in its shortest spelling.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its steps, without quotes; at least one.
    pub(crate) fn steps(&self) -> &[String] {
        &self.steps
    }

    /// The value at this path. A number is an index into an array.
    pub fn find<'a>(&self, data: &'a Value) -> Option<&'a Value> {
        find(&self.steps, data)
    }

    /// The value in an event's `data`. If there is none and the path starts with `data.`, the value
    /// at the rest of the path, because `data` is the field's name in the envelope.
    pub fn find_in_event<'a>(&self, data: &'a Value) -> Option<&'a Value> {
        self.find(data).or_else(|| match &*self.steps {
            [first, rest @ ..] if first == "data" && !rest.is_empty() => find(rest, data),
            _ => None,
        })
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn push(text: &mut String, steps: &mut Vec<String>, step: String) {
    if !steps.is_empty() {
        text.push('.');
    }
    if !step.is_empty() && step.chars().all(is_plain) {
        text.push_str(&step);
    } else {
        text.push_str(&Value::from(&*step).to_string());
    }
    steps.push(step);
}

fn find<'a>(steps: &[String], data: &'a Value) -> Option<&'a Value> {
    let index = |step: &str| {
        step.starts_with(|c: char| c.is_ascii_digit())
            .then(|| step.parse::<usize>().ok())?
    };
    steps.iter().try_fold(data, |value, step| match value {
        Value::Object(map) => map.get(step),
        Value::Array(items) => items.get(index(step)?),
        _ => None,
    })
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
            ("\"a b\"[0]", Some("\"a b\".0")),
        ] {
            assert_eq!(
                Path::parse(text).ok().as_ref().map(Path::as_str),
                path,
                "{text}"
            );
        }
    }

    #[test]
    fn quoted_steps_may_contain_any_character() {
        let data = json!({
            "First Name": "Zoë", "body": {"data[email]": 1, "a.b": {"\"}\\": 2}, "": 3, "é\n": 4},
            "plain": {"x": [5]}, "data": {"a b": 6},
        });
        for (text, shown, value) in [
            (r#""First Name""#, r#""First Name""#, json!("Zoë")),
            ("'First Name'", r#""First Name""#, json!("Zoë")),
            (r#"body."data[email]""#, r#"body."data[email]""#, json!(1)),
            (r#""body".'a.b'."\"}\\""#, r#"body."a.b"."\"}\\""#, json!(2)),
            (r#"body."""#, r#"body."""#, json!(3)),
            (r#"body."\u00e9\n""#, r#"body."é\n""#, json!(4)),
            (r#""plain"."x"[0]"#, "plain.x.0", json!(5)),
            (r#"data."a b""#, r#"data."a b""#, json!(6)),
        ] {
            let path = Path::parse(text).expect(text);
            assert_eq!(path.as_str(), shown);
            assert_eq!(path.find_in_event(&data), Some(&value), "{text}");
        }
        let lists = json!([1, 2]);
        assert_eq!(Path::parse(r#""+1""#).expect("path").find(&lists), None);
        for text in [
            r#""a"#,
            r#""a"b"#,
            r#"a"b""#,
            r#""a" .b"#,
            "'a\"",
            "",
            ".",
            "a.",
            "a b",
            "é",
        ] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
        let long = |length| Path::parse(&format!("'{}'", " ".repeat(length))).is_ok();
        assert_eq!([long(198), long(199)], [true, false]);
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
        fn parse_accepts_any_input(text in prop_oneof!["[a-z0-9.\\[\\]{}-]{0,20}", "(\"[a\\\\n\"\\[ é]{0,5}\"\\.?){1,3}", any::<String>()]) {
            if let Ok(path) = Path::parse(&text) {
                prop_assert_eq!(Path::parse(path.as_str()), Ok(path.clone()));
            }
        }
    }
}
