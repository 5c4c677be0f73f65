//! JSON as third parties write it.
//!
//! [`read`] takes what a strict reader refuses although it is legal JSON (RFC 8259) or common
//! practice:
//! - a byte order mark in front, and UTF-16 that has one;
//! - an unpaired surrogate such as `\ud83d`, the remains of an emoji that was cut in half: it
//!   becomes U+FFFD;
//! - numbers that no integer of 64 bits and no double holds with all their digits: each becomes a
//!   string of its digits.
//!
//! The last one is a string, and not `serde_json`'s `arbitrary_precision`, because that feature
//! changes every number of the whole program into a map as soon as it passes `#[serde(flatten)]`,
//! and compares `1.0` and `1.00` as different.
//!
//! A document that has none of this costs one parse and a look at every nineteenth byte.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use serde::de::IgnoredAny;
use serde_json::Value;

/// The fewest digits, the decimal point included, of a number that may not fit: `i64` holds all of
/// 18, and a decimal number of 17 digits is taken for a double.
const SHORTEST_RISKY: usize = 19;
/// Significant digits that a decimal number may have and still count as a double: the most that a
/// program prints for one.
const DOUBLE_DIGITS: usize = 17;

/// Reads a document. The error is that of the strict reader, unless the document is too deep: it is
/// read no further, and what the strict reader refuses before that may be legal.
pub fn read(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let bytes = without_bom(bytes);
    let strict = serde_json::from_slice(&bytes);
    if strict.is_ok() && !may_lose_digits(&bytes) {
        return strict;
    }
    match std::str::from_utf8(&bytes).ok().and_then(repaired) {
        Some(text) => serde_json::from_str(&text).or_else(|error| {
            if is_too_deep(&error) {
                Err(error)
            } else {
                strict
            }
        }),
        None => strict,
    }
}

/// Whether a document was refused for its depth alone.
pub fn is_too_deep(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("recursion limit exceeded")
}

/// The bytes as UTF-8, without a byte order mark.
fn without_bom(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some((encoding, length)) = Encoding::for_bom(bytes) else {
        return bytes.into();
    };
    let rest = &bytes[length..];
    if encoding == UTF_8 {
        return rest.into();
    }
    let decoded = encoding.decode_without_bom_handling_and_without_replacement(rest);
    decoded.map_or(Cow::Borrowed(bytes), |text| {
        text.into_owned().into_bytes().into()
    })
}

/// Whether there is a run of digits so long that a number with it may not fit. Such a run covers
/// one of the bytes looked at.
fn may_lose_digits(bytes: &[u8]) -> bool {
    let part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'.');
    (SHORTEST_RISKY - 1..bytes.len())
        .step_by(SHORTEST_RISKY)
        .any(|at| {
            let before = bytes[..at].iter().rev().take_while(part).count();
            part(&&bytes[at])
                && before + bytes[at..].iter().take_while(part).count() >= SHORTEST_RISKY
        })
}

/// The document with unpaired surrogates replaced and long numbers quoted; `None` where there is
/// nothing to mend.
fn repaired(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    let mut in_string = false;
    while at < bytes.len() {
        let (end, mended) = match bytes[at] {
            b'"' => {
                in_string = !in_string;
                (at + 1, None)
            }
            b'\\' if in_string => escape(&bytes[at..])
                .map_or((at + 2, None), |(length, mended)| (at + length, mended)),
            b'-' | b'0'..=b'9' if !in_string => {
                let part =
                    |byte: &&u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                let end = at + bytes[at..].iter().take_while(part).count();
                (
                    end,
                    loses_digits(&text[at..end]).then(|| format!("\"{}\"", &text[at..end])),
                )
            }
            _ => (at + 1, None),
        };
        if let Some(mended) = mended {
            out.push_str(&text[copied..at]);
            out.push_str(&mended);
            copied = end;
        }
        at = end;
    }
    (copied > 0).then(|| out + &text[copied..])
}

/// The length of the `\u` escape at the start of `bytes`, a pair of surrogates taken together, and
/// what replaces it where it is an unpaired one. `None`: another kind of escape.
fn escape(bytes: &[u8]) -> Option<(usize, Option<String>)> {
    let unit = unit(bytes)?;
    let pair = || self::unit(&bytes[6..]).is_some_and(|low| (0xdc00..0xe000).contains(&low));
    match unit {
        0xd800..0xdc00 if pair() => Some((12, None)),
        0xd800..0xe000 => Some((6, Some("\\ufffd".to_owned()))),
        _ => Some((6, None)),
    }
}

/// The UTF-16 code unit of a `\uXXXX`.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes
        .strip_prefix(b"\\u")?
        .get(..4)
        .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Whether a reader that knows integers of 64 bits and doubles cannot give back the digits of a
/// number.
fn loses_digits(number: &str) -> bool {
    // What is no number stays as it is, for the reader to refuse.
    if serde_json::from_str::<IgnoredAny>(number).is_err() {
        return false;
    }
    let Some(mantissa) = number
        .split(['e', 'E'])
        .next()
        .filter(|mantissa| number.contains('.') || *mantissa != number)
    else {
        return number.parse::<i64>().is_err() && number.parse::<u64>().is_err();
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').len() > DOUBLE_DIGITS || number.parse().is_ok_and(f64::is_infinite)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn legal_json_is_read() {
        for (text, expected) in [
            ("\u{feff}{\"a\": 1}", json!({"a": 1})),
            (r#"{"a": "ok \ud83d"}"#, json!({"a": "ok \u{fffd}"})),
            (r#"{"\ude00": "\ud83d\ude00"}"#, json!({"\u{fffd}": "😀"})),
            (
                r#"["\ud83d\ud83d\ude00", "\ud83dA", "\ud83d\n", "\\ud83d"]"#,
                json!(["\u{fffd}😀", "\u{fffd}A", "\u{fffd}\n", "\\ud83d"]),
            ),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551616", json!("18446744073709551616")),
            ("-9223372036854775809", json!("-9223372036854775809")),
            (
                "[12345678901234567890123, 1]",
                json!(["12345678901234567890123", 1]),
            ),
            (
                r#"{"12345678901234567890123": "12345678901234567890123"}"#,
                json!({"12345678901234567890123": "12345678901234567890123"}),
            ),
            ("1e400", json!("1e400")),
            (
                r#"{"a": [-1.5E+999], "b": "1e400"}"#,
                json!({"a": ["-1.5E+999"], "b": "1e400"}),
            ),
            ("123456789012345678.99", json!("123456789012345678.99")),
            (
                "0.1000000000000000055511151231257827",
                json!("0.1000000000000000055511151231257827"),
            ),
            ("0.10000000000000001", json!(0.1)),
            ("100000000000000000000.0", json!(1e20)),
            ("0.00000000000000000000000001", json!(1e-26)),
            ("1e3", json!(1000.0)),
        ] {
            assert_eq!(read(text.as_bytes()).expect(text), expected, "{text}");
        }
        let utf16: Vec<u8> = "\u{feff}{\"a\": \"é\"}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(read(&utf16).expect("UTF-16"), json!({"a": "é"}));
    }

    #[test]
    fn what_is_not_json_is_refused_as_ever() {
        for text in [
            "",
            "{",
            "\"\\ud83d",
            "\"\\ud8",
            "\"\\",
            "[1e400",
            "01e400",
            "1e400.5",
            "-",
            "1-1",
            "{\"a\": \\ud83d}",
        ] {
            let strict = serde_json::from_str::<Value>(text).expect_err(text);
            assert_eq!(
                read(text.as_bytes()).expect_err(text).to_string(),
                strict.to_string()
            );
        }
        // A document that is legal and too deep is refused for its depth, whatever stands before
        // that.
        for before in ["1", "1e400", "\"\\ud83d\""] {
            let deep = format!("[{before}, {}{}]", "[".repeat(200), "]".repeat(200));
            assert!(
                is_too_deep(&read(deep.as_bytes()).expect_err("too deep")),
                "{before}"
            );
        }
        assert!(read(b"\"\xff\"").is_err() && read(b"\xff\xfe\"").is_err());
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
            "[0-9.]{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn plain_json_is_read_as_it_is(document in documents()) {
            for text in [document.to_string(), format!("{document:#}")] {
                prop_assert_eq!(read(text.as_bytes()).expect("JSON"), serde_json::from_str::<Value>(&text).expect("JSON"));
            }
        }

        #[test]
        fn any_utf16_is_read_with_its_surrogates_replaced(units in prop::collection::vec(prop_oneof![any::<u16>(), 0xd7f0_u16..0xe010], 0..20)) {
            let text = units.iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat();
            prop_assert_eq!(read(format!("[\"{text}\"]").as_bytes()).expect("JSON"), json!([String::from_utf16_lossy(&units)]));
        }

        #[test]
        fn any_number_keeps_its_value_or_its_digits(number in "-?(0|[1-9][0-9]{0,30})([.][0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", pad in " {0,20}") {
            match read(format!("{pad}{number}").as_bytes()).expect("JSON") {
                Value::String(text) => prop_assert_eq!(text, number),
                value => {
                    prop_assert_eq!(value.as_f64(), number.parse().ok());
                    let shown = value.to_string();
                    prop_assert!(number.contains(['.', 'e', 'E']) || number == "-0" || shown == number);
                }
            }
        }

        #[test]
        fn anything_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60), text in r#"(\\u[dD][89c-f]..|["\\\[\]{}:,0-9eE.+-]|\PC){0,30}"#) {
            let _ = read(&bytes);
            let _ = read(text.as_bytes());
        }
    }
}
