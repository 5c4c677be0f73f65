//! Size of items in a response. Lambda limits a response to 6 MB, which contain the body as a JSON
//! string: its quotes are escaped once more, and those inside of strings twice.

use aws_sdk_dynamodb::types::AttributeValue;

use super::Item;

/// Maximum size of the items of one response, in bytes. The rest of Lambda's 6 MB is for other
/// fields, and for values that grow when they are decrypted.
pub const MAX_RESPONSE_BYTES: usize = 4_000_000;

/// Attribute for the size in a response of what an item refers to.
const REFERRED: &str = "response_bytes";

/// Returns an upper bound for the size of an item in a response, in bytes, with what it refers to.
pub(super) fn response_bytes(item: &Item) -> usize {
    let referred = item.get(REFERRED).and_then(|bytes| bytes.as_n().ok());
    let own: usize = item
        .iter()
        .map(|(name, value)| name.len() + 12 + of_value(value))
        .sum();
    own + referred.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

/// Returns an upper bound for the size of a text in a response, in bytes.
pub(super) fn text_bytes(text: &str) -> usize {
    text.bytes().map(of_byte).sum()
}

fn of_value(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text_bytes(text),
        AttributeValue::M(map) => response_bytes(map),
        AttributeValue::L(list) => list.iter().map(|value| 8 + of_value(value)).sum(),
        AttributeValue::N(digits) => digits.len(),
        _ => 8,
    }
}

/// `"` becomes `\\\"`, and a control character becomes for example `\\u0007`.
fn of_byte(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' => 4,
        0..0x20 => 7,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn size_is_an_upper_bound() {
        for text in [
            "plain",
            "\"\\\"",
            "\u{0}\u{1f}\n\r\t",
            "é漢\u{1f600}\u{7f}",
            "{\"a\": \"\\u0000\"}",
        ] {
            let item = Item::from([("text".to_owned(), AttributeValue::S(text.to_owned()))]);
            let response = json!({"text": text}).to_string();
            let in_lambda = json!({"body": response}).to_string().len()
                - json!({"body": "{}"}).to_string().len();
            assert!(
                in_lambda <= response_bytes(&item),
                "{text}: {in_lambda} > {}",
                response_bytes(&item)
            );
        }
    }
}
