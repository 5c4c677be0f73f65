//! JSON as third parties write it.
//!
//! [`read`] accepts what a strict parser rejects although it is valid JSON (RFC 8259) or common
//! practice:
//! - A leading byte order mark, and UTF-16 with one.
//! - Unpaired surrogates such as `\ud83d`, the remains of a truncated emoji. They become U+FFFD.
//! - Numbers that neither a 64-bit integer nor a double represents with all digits. They become
//!   strings of their digits.
//!
//! `serde_json`'s `arbitrary_precision` is no alternative: it turns every number in the whole
//! program into a map when it passes `#[serde(flatten)]`, and treats `1.0` and `1.00` as different.
//!
//! A document without any of this costs one parse and a check of every nineteenth byte.

use std::{borrow::Cow, fmt};

use encoding_rs::{Encoding, UTF_8};
use serde::{
    Deserializer as _,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Deserializer, Map, Value};

/// Minimum number of digits, including the decimal point, of a number that may lose digits. `i64`
/// represents any 18 digits, and a decimal number of 17 digits counts as a double.
const MIN_RISKY_DIGITS: usize = 19;
/// Maximum number of significant digits of a decimal number that counts as a double. No program
/// prints more for one.
const DOUBLE_DIGITS: usize = 17;

/// Parses a document. The error is the strict parser's, unless the document is too deep: parsing
/// stops there, and what the strict parser rejects before may be valid.
pub fn read(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let bytes = without_bom(bytes);
    let strict = serde_json::from_slice(&bytes);
    if strict.is_ok() && !may_lose_digits(&bytes) {
        return strict;
    }
    match std::str::from_utf8(&bytes).ok().and_then(repair) {
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

/// The members of an object whose end is missing or invalid, up to there. A number at the end may
/// be cut. Empty if the document is no object.
pub fn members_of_part(bytes: &[u8]) -> Map<String, Value> {
    let bytes = without_bom(bytes);
    // The last character may be cut.
    let text = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let repaired = repair(text);
    let mut members = Map::new();
    let mut parser = Deserializer::from_str(repaired.as_deref().unwrap_or(text));
    // The error is where the part ends.
    let _ = parser.deserialize_map(Members(&mut members));
    members
}

/// Stores the members of an object as they are parsed.
struct Members<'a>(&'a mut Map<String, Value>);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry()? {
            self.0.insert(name, value);
        }
        Ok(())
    }
}

/// Whether a document was rejected only because of its depth.
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

/// Whether there is a run of digits long enough for a number that may lose digits. Such a run
/// includes one of the checked bytes.
fn may_lose_digits(bytes: &[u8]) -> bool {
    let part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'.');
    (MIN_RISKY_DIGITS - 1..bytes.len())
        .step_by(MIN_RISKY_DIGITS)
        .any(|at| {
            let before = bytes[..at].iter().rev().take_while(part).count();
            part(&&bytes[at])
                && before + bytes[at..].iter().take_while(part).count() >= MIN_RISKY_DIGITS
        })
}

/// The document with unpaired surrogates replaced and long numbers quoted; `None` if nothing
/// changes.
fn repair(text: &str) -> Option<String> {
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

/// Length of the `\u` escape (or surrogate pair) at the start of `bytes`, and the replacement of an
/// unpaired surrogate. `None` for any other escape.
fn escape(bytes: &[u8]) -> Option<(usize, Option<String>)> {
    let unit = unit(bytes)?;
    let pair = || self::unit(&bytes[6..]).is_some_and(|low| (0xdc00..0xe000).contains(&low));
    match unit {
        0xd800..0xdc00 if pair() => Some((12, None)),
        0xd800..0xe000 => Some((6, Some("\\ufffd".to_owned()))),
        _ => Some((6, None)),
    }
}

/// UTF-16 code unit of a `\uXXXX` escape.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes
        .strip_prefix(b"\\u")?
        .get(..4)
        .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Whether a parser with 64-bit integers and doubles loses digits of a number.
fn loses_digits(number: &str) -> bool {
    // Invalid numbers are left for the parser to reject.
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
    fn part_of_an_object_has_its_complete_members() {
        for (part, members) in [
            (r#"{"a": "b", "c": {"d": [1"#, json!({"a": "b"})),
            (r#"{"a": "b", "c": "d"#, json!({"a": "b"})),
            (r#"{"a": "b", "c": "d""#, json!({"a": "b", "c": "d"})),
            ("\u{feff}{\"a\": \"\\ud83d\", \"b", json!({"a": "\u{fffd}"})),
            (r#"{"a": "b"} rest"#, json!({"a": "b"})),
            (r#"{"a": "b", c}"#, json!({"a": "b"})),
            (r#"["a"#, json!({})),
            ("<html>", json!({})),
            ("", json!({})),
        ] {
            assert_eq!(
                Value::Object(members_of_part(part.as_bytes())),
                members,
                "{part}"
            );
        }
        let cut = &r#"{"a": "b", "c": "é"#.as_bytes()[..17];
        assert_eq!(Value::Object(members_of_part(cut)), json!({"a": "b"}));
    }

    #[test]
    fn valid_json_is_parsed() {
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
    fn invalid_json_is_rejected() {
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
        // A valid document that is too deep is rejected for its depth, whatever precedes that.
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
        fn plain_json_is_unchanged(document in documents()) {
            for text in [document.to_string(), format!("{document:#}")] {
                prop_assert_eq!(read(text.as_bytes()).expect("JSON"), serde_json::from_str::<Value>(&text).expect("JSON"));
            }
        }

        #[test]
        fn unpaired_surrogates_are_replaced(units in prop::collection::vec(prop_oneof![any::<u16>(), 0xd7f0_u16..0xe010], 0..20)) {
            let text = units.iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat();
            prop_assert_eq!(read(format!("[\"{text}\"]").as_bytes()).expect("JSON"), json!([String::from_utf16_lossy(&units)]));
        }

        #[test]
        fn numbers_keep_their_value_or_digits(number in "-?(0|[1-9][0-9]{0,30})([.][0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", pad in " {0,20}") {
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
        fn read_accepts_any_input(bytes in prop::collection::vec(any::<u8>(), 0..60), text in r#"(\\u[dD][89c-f]..|["\\\[\]{}:,0-9eE.+-]|\PC){0,30}"#) {
            let _ = read(&bytes);
            let _ = read(text.as_bytes());
        }
    }
}
