//! Excerpts of long texts, for responses of limited size.

use serde_json::Value;

/// Maximum size of one text in a preview, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;

/// Maximum size of one text in the response of a Lambda function, in bytes. The response is itself
/// a JSON string, so that quotes take 4 bytes and control characters 7.
const MAX_ESCAPED: usize = 4 * MAX_TEXT;

/// The first part of `text` that fits; `None` if all of it does.
pub fn of_text(text: &str) -> Option<&str> {
    let mut escaped = 0;
    let cut = text.char_indices().find(|(at, c)| {
        escaped += match c {
            '"' | '\\' => 4,
            '\0'..='\u{1f}' => 7,
            c => c.len_utf8(),
        };
        at + c.len_utf8() > MAX_TEXT || escaped > MAX_ESCAPED
    });
    cut.map(|(at, _)| &text[..at])
}

/// The first part of a value that fits: of a string itself, or of another value's compact JSON;
/// `None` if all of it does.
pub fn of_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => of_text(text).map(str::to_owned),
        Value::Array(_) | Value::Object(_) => of_text(&value.to_string()).map(str::to_owned),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        for (text, length) in [
            ("a".repeat(MAX_TEXT), None),
            ("a".repeat(MAX_TEXT + 1), Some(MAX_TEXT)),
            ("é".repeat(MAX_TEXT), Some(MAX_TEXT)),
            (format!("a{}", "é".repeat(MAX_TEXT / 2)), Some(MAX_TEXT - 1)),
            ("\"".repeat(MAX_TEXT), None),
            ("\u{1}".repeat(MAX_TEXT), Some(MAX_ESCAPED / 7)),
            (String::new(), None),
        ] {
            assert_eq!(of_text(&text).map(str::len), length);
            assert_eq!(of_value(&json!(text)).map(|cut| cut.len()), length);
        }
        assert_eq!(of_value(&json!([1, "x"])), None);
        assert_eq!(
            of_value(&json!(["x".repeat(MAX_TEXT)])).map(|cut| cut.len()),
            Some(MAX_TEXT)
        );
    }
}
