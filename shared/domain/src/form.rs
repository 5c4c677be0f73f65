//! Forms and queries (`application/x-www-form-urlencoded`) as third parties write them, in any
//! charset.
//!
//! Percent-encoding encodes bytes without declaring their charset. They are decoded with the
//! charset that the sender declares (in the content type or a field of the form, see [`read`]),
//! otherwise as UTF-8. Nothing is replaced: the caller can preserve undecodable data as bytes.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use percent_encoding::{CONTROLS, percent_decode, percent_encode};
use serde_json::{Map, Value, json};

/// Form fields that declare the charset: HTML's own, and the one of `PayPal` and others.
const CHARSET_FIELDS: [&[u8]; 2] = [b"_charset_", b"charset"];

/// Parses a form into names with a text, or with a list of texts for a repeated name. `charset` is
/// the one declared by the content type. `None` if no declared charset can decode the form.
pub fn read(bytes: &[u8], charset: Option<&'static Encoding>) -> Option<Map<String, Value>> {
    let pairs: Vec<_> = pairs(bytes).collect();
    let declared: Vec<_> = charset.into_iter().chain(own_charset(&pairs)).collect();
    let utf8 = declared.is_empty().then_some(UTF_8);
    declared
        .into_iter()
        .chain(utf8)
        .find_map(|charset| decode(&pairs, charset))
}

/// Parses the query of a URL like a form. Undecodable names and values stay percent-encoded.
pub fn query(text: &str) -> Map<String, Value> {
    pair_by_pair(text.as_bytes(), None)
}

/// Parses a form in which only some pairs matter: like [`read`], or, if that fails, each name and
/// value separately. Undecodable ones stay percent-encoded.
pub(crate) fn pair_by_pair(bytes: &[u8], charset: Option<&'static Encoding>) -> Map<String, Value> {
    if let Some(map) = read(bytes, charset) {
        return map;
    }
    let readable = |raw: &[u8]| {
        let unescaped = unescape(raw);
        let decoded = charset
            .into_iter()
            .chain([UTF_8])
            .find_map(|charset| text_of(&unescaped, charset));
        decoded.unwrap_or_else(|| percent_encode(raw, CONTROLS).to_string())
    };
    collect(raw_pairs(bytes).map(|(name, value)| (readable(name), readable(value))))
}

/// Decodes bytes with a charset; `None` if they are invalid.
fn text_of(bytes: &[u8], charset: &'static Encoding) -> Option<String> {
    charset
        .decode_without_bom_handling_and_without_replacement(bytes)
        .map(Cow::into_owned)
}

type Pair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

fn pairs(bytes: &[u8]) -> impl Iterator<Item = Pair<'_>> {
    raw_pairs(bytes).map(|(name, value)| (unescape(name), unescape(value)))
}

fn raw_pairs(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    bytes
        .split(|byte| *byte == b'&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let end = piece
                .iter()
                .position(|byte| *byte == b'=')
                .unwrap_or(piece.len());
            (&piece[..end], piece.get(end + 1..).unwrap_or_default())
        })
}

fn unescape(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.contains(&b'+') {
        return percent_decode(bytes).into();
    }
    let spaced: Vec<u8> = bytes
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced).collect::<Vec<u8>>().into()
}

fn own_charset(pairs: &[Pair<'_>]) -> Option<&'static Encoding> {
    let label = |field: &&[u8]| {
        pairs
            .iter()
            .find(|(name, _)| **name == **field)
            .map(|(_, value)| value)
    };
    CHARSET_FIELDS
        .iter()
        .filter_map(label)
        .find_map(|label| Encoding::for_label(label))
}

fn decode(pairs: &[Pair<'_>], charset: &'static Encoding) -> Option<Map<String, Value>> {
    let texts: Option<Vec<_>> = pairs
        .iter()
        .map(|(name, value)| Some((text_of(name, charset)?, text_of(value, charset)?)))
        .collect();
    texts.map(|texts| collect(texts.into_iter()))
}

fn collect(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, text) in pairs {
        match map.get_mut(&name) {
            None => {
                map.insert(name, text.into());
            }
            Some(Value::Array(values)) => values.push(text.into()),
            Some(value) => *value = json!([value.take(), text]),
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use encoding_rs::WINDOWS_1252;
    use proptest::prelude::*;
    use url::form_urlencoded;

    use super::*;

    #[test]
    fn form_is_decoded_with_its_charset() {
        for (form, charset, expected) in [
            (
                "a=1&b=x+y&a=%C3%A9&a=3&c&&d=1%2B1",
                None,
                Some(json!({"a": ["1", "é", "3"], "b": "x y", "c": "", "d": "1+1"})),
            ),
            ("name=Jos%E9", None, None),
            (
                "name=Jos%E9",
                Some(WINDOWS_1252),
                Some(json!({"name": "José"})),
            ),
            ("name=Jos%E9", Some(UTF_8), None),
            (
                "name=Jos%E9&_charset_=windows-1252",
                None,
                Some(json!({"name": "José", "_charset_": "windows-1252"})),
            ),
            (
                "charset=windows-1252&name=Jos%E9+%80",
                None,
                Some(json!({"name": "José €", "charset": "windows-1252"})),
            ),
            (
                "charset=windows-1252&name=Jos%E9",
                Some(UTF_8),
                Some(json!({"name": "José", "charset": "windows-1252"})),
            ),
            (
                "charset=x&name=%C3%A9",
                None,
                Some(json!({"name": "é", "charset": "x"})),
            ),
            (
                "charset=Shift_JIS&a=%93%FA%96%7B",
                None,
                Some(json!({"charset": "Shift_JIS", "a": "日本"})),
            ),
            (
                "%E9=1&charset=iso-8859-1",
                None,
                Some(json!({"é": "1", "charset": "iso-8859-1"})),
            ),
            ("", None, Some(json!({}))),
        ] {
            assert_eq!(
                read(form.as_bytes(), charset).map(Value::Object),
                expected,
                "{form}"
            );
        }
        assert_eq!(
            read(b"a=Jos\xe9", Some(WINDOWS_1252)).map(Value::Object),
            Some(json!({"a": "José"}))
        );
    }

    #[test]
    fn query_keeps_undecodable_parts_encoded() {
        for (text, expected) in [
            ("name=Jos%C3%A9&a=x+y", json!({"name": "José", "a": "x y"})),
            (
                "name=Jos%E9&a=x+y&a=%C3%A9",
                json!({"name": "Jos%E9", "a": ["x y", "é"]}),
            ),
            (
                "name=Jos%E9&charset=windows-1252",
                json!({"name": "José", "charset": "windows-1252"}),
            ),
            ("", json!({})),
        ] {
            assert_eq!(Value::Object(query(text)), expected, "{text}");
        }
    }

    #[test]
    fn form_with_an_undecodable_pair_keeps_the_others() {
        for (form, charset, expected) in [
            (
                &b"id=SM1&text=Jos%E9"[..],
                None,
                json!({"id": "SM1", "text": "Jos%E9"}),
            ),
            (
                b"id=SM1&text=Jos\xe9+x",
                None,
                json!({"id": "SM1", "text": "Jos%E9+x"}),
            ),
            (
                b"id=SM1&text=Jos%E9",
                Some(WINDOWS_1252),
                json!({"id": "SM1", "text": "José"}),
            ),
            (
                b"id=SM1&a=%FD&b=%C3%A9",
                Some(encoding_rs::SHIFT_JIS),
                json!({"id": "SM1", "a": "%FD", "b": "ﾃｩ"}),
            ),
        ] {
            assert_eq!(
                Value::Object(pair_by_pair(form, charset)),
                expected,
                "{expected}"
            );
        }
    }

    proptest! {
        #[test]
        fn serialized_forms_are_parsed(pairs in prop::collection::vec(("[a-z]{1,3}", ".*"), 0..6)) {
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            let map = read(form.as_bytes(), None).expect("UTF-8");
            for (name, value) in &pairs {
                let found = &map[name];
                prop_assert!(*found == json!(value) || found.as_array().is_some_and(|all| all.contains(&json!(value))));
            }
            prop_assert_eq!(query(&form), map);
        }

        #[test]
        fn read_accepts_any_input(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "(%[0-9a-f]{2}|[&=+]|\\PC){0,20}") {
            let _ = read(&bytes, None);
            let _ = query(&text);
        }
    }
}
