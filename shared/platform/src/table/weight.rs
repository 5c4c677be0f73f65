//! How much room items take in an answer. Lambda answers with at most 6 MB, which hold our answer
//! as a JSON string: its quotes are escaped once more, and those inside of its texts twice.

use aws_sdk_dynamodb::types::AttributeValue;

use super::Item;

/// The most that the items of one answer weigh, in bytes of Lambda's 6 MB. The rest is for what
/// comes beside them, and for what weighs more once it is unsealed.
pub const MOST_WEIGHT: usize = 4_000_000;

/// How many bytes an item takes in an answer, at the most.
pub(super) fn weight(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + 12 + of_value(value))
        .sum()
}

fn of_value(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.bytes().map(of_byte).sum(),
        AttributeValue::M(map) => weight(map),
        AttributeValue::L(list) => list.iter().map(|value| 8 + of_value(value)).sum(),
        AttributeValue::N(digits) => digits.len(),
        _ => 8,
    }
}

/// `"` becomes `\\\"`, and a control character something like `\\u0007`.
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
    fn no_text_takes_more_than_it_weighs() {
        for text in [
            "plain",
            "\"\\\"",
            "\u{0}\u{1f}\n\r\t",
            "é漢\u{1f600}\u{7f}",
            "{\"a\": \"\\u0000\"}",
        ] {
            let item = Item::from([("text".to_owned(), AttributeValue::S(text.to_owned()))]);
            let answer = json!({"text": text}).to_string();
            let in_lambda =
                json!({"body": answer}).to_string().len() - json!({"body": "{}"}).to_string().len();
            assert!(
                in_lambda <= weight(&item),
                "{text}: {in_lambda} > {}",
                weight(&item)
            );
        }
    }
}
