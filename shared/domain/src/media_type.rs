//! Content types and charsets of third parties' bodies and headers.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, mem::decode_latin1};
use http::{HeaderMap, header::CONTENT_TYPE};

/// The parts of a content type that decide how a body is decoded.
pub(crate) struct MediaType {
    /// Type and subtype in lower case, such as `text/plain`; empty if there is none.
    essence: String,
    /// The `charset` parameter, if it is a known charset.
    pub(crate) charset: Option<&'static Encoding>,
}

impl MediaType {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        let charset = parameters
            .split(';')
            .filter_map(|parameter| parameter.split_once('='))
            .find_map(|(name, value)| {
                let label = value.trim().trim_matches('"');
                name.trim()
                    .eq_ignore_ascii_case("charset")
                    .then(|| Encoding::for_label(label.as_bytes()))
                    .flatten()
            });
        Self {
            essence: essence.trim().to_ascii_lowercase(),
            charset,
        }
    }

    pub(crate) fn is_form(&self) -> bool {
        self.essence == "application/x-www-form-urlencoded"
    }

    /// Whether a body of this type may be JSON. Some senders declare JSON as text/plain, and an
    /// object or array is unlikely to be anything else. `body` has no byte order mark.
    pub(crate) fn may_be_json(&self, body: &[u8]) -> bool {
        let start = body.trim_ascii_start().first();
        let named = self.essence.is_empty()
            || self.essence.ends_with("/json")
            || self.essence.ends_with("+json");
        named || matches!(start, Some(b'{' | b'['))
    }
}

/// Decodes a body as text: by its byte order mark, otherwise by the charset of its content type,
/// otherwise as UTF-8 (JSON always is). `None` if it is invalid. Borrowed if the bytes are
/// unchanged.
pub fn text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<Cow<'a, str>> {
    let (charset, body) = charset(headers, body);
    charset.decode_without_bom_handling_and_without_replacement(body)
}

/// Like [`text`], but replaces invalid bytes by U+FFFD. For bodies that may be cut.
pub fn text_lossy<'a>(headers: &HeaderMap, body: &'a [u8]) -> Cow<'a, str> {
    let (charset, body) = charset(headers, body);
    charset.decode_without_bom_handling(body).0
}

/// Returns the charset of a body, and the body without its byte order mark.
fn charset<'a>(headers: &HeaderMap, body: &'a [u8]) -> (&'static Encoding, &'a [u8]) {
    if let Some((charset, length)) = Encoding::for_bom(body) {
        return (charset, &body[length..]);
    }
    let media = MediaType::of(headers);
    let is_json = || media.may_be_json(body) && std::str::from_utf8(body).is_ok();
    (media.charset.filter(|_| !is_json()).unwrap_or(UTF_8), body)
}

/// Decodes a header value: UTF-8, otherwise Latin-1, which HTTP once specified (RFC 9110, section
/// 5.5).
pub fn field_text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| decode_latin1(bytes), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn bodies_are_decoded_with_their_charset() {
        let utf16: Vec<u8> = "\u{feff}{\"a\": \"é\"}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for (kind, body, expected) in [
            (
                "text/html; charset=windows-1252",
                &b"Jos\xe9 \x80"[..],
                Some("José €"),
            ),
            ("text/plain; charset=ISO-8859-1", b"Jos\xe9", Some("José")),
            ("text/plain; charset=iso-8859-1", "é".as_bytes(), Some("Ã©")),
            (
                "application/json; charset=iso-8859-1",
                "\"é\"".as_bytes(),
                Some("\"é\""),
            ),
            (
                "text/plain; charset=iso-8859-1",
                "{\"a\": \"é\"}".as_bytes(),
                Some("{\"a\": \"é\"}"),
            ),
            ("application/json", &utf16, Some("{\"a\": \"é\"}")),
            ("text/plain", "\u{feff}é".as_bytes(), Some("é")),
            ("text/plain", &utf16, Some("{\"a\": \"é\"}")),
            (
                "text/plain; charset=iso-8859-1",
                &utf16,
                Some("{\"a\": \"é\"}"),
            ),
            ("text/plain; charset=\"x\"", "é".as_bytes(), Some("é")),
            ("text/plain", b"Jos\xe9", None),
            ("text/plain; charset=utf-8", b"Jos\xe9", None),
            ("", b"", Some("")),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            assert_eq!(text(&headers, body).as_deref(), expected, "{kind}");
        }
    }

    #[test]
    fn cut_bodies_are_decoded_as_far_as_possible() {
        let utf16: Vec<u8> = "\u{feff}é日"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        for (kind, body, expected) in [
            ("text/plain", &"é日".as_bytes()[..4], "é\u{fffd}"),
            ("text/plain", &utf16[..5], "é\u{fffd}"),
            (
                "text/plain; charset=Shift_JIS",
                &b"\x93\xfa\x96"[..],
                "日\u{fffd}",
            ),
            ("text/plain; charset=iso-8859-1", b"Jos\xe9", "José"),
            ("", b"", ""),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            assert_eq!(text_lossy(&headers, body), expected, "{kind}");
        }
    }

    #[test]
    fn fields_are_utf8_or_latin1() {
        for (bytes, expected) in [
            (&b"Jos\xe9"[..], "José"),
            ("Zoë".as_bytes(), "Zoë"),
            (b"a", "a"),
        ] {
            assert_eq!(field_text(bytes), expected);
        }
    }
}
