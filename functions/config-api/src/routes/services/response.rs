//! The response of a service as clients get it: limited in size, without credentials.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    media_type,
    secrets::{mask, redact::Redactor},
    service::Connection,
};
use http::{HeaderMap, header::CONTENT_ENCODING};
use platform::service_client::Authorized;
use serde_json::Value;

use crate::{
    api,
    http::{ApiResult, Problem},
};

/// Maximum size of a service's response body, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 1 << 20;

/// Maximum size of the returned response headers, in bytes. Together with the largest body they
/// stay below Lambda's response limit of 6 MB, even when escaped.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Maximum control characters in a text body. Bodies with more are returned as base64.
const MAX_CONTROL_CHARS: usize = MAX_BODY_BYTES / 4;

/// Response headers that are not returned: they concern the connection or Tieline's authentication.
const OMITTED_HEADERS: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

pub(super) fn view(
    connection: &Connection,
    authorized: &Authorized,
    elapsed_ms: u128,
) -> ApiResult<api::Sent> {
    let Authorized { response, token } = authorized;
    if response.truncated {
        return Err(Problem::bad_gateway(
            "The service's response is larger than 1 MiB.",
        ));
    }
    // Tieline does not request compression, and could not search a compressed body for secrets.
    if !response.body.is_empty() && is_encoded(&response.headers) {
        return Err(Problem::bad_gateway(
            "The service sent a compressed response, which Tieline does not support.",
        ));
    }
    // A service may echo secrets that Tieline sent. Only whole secrets are masked, because clients
    // control the text around them.
    let redactor = Redactor::new(connection.secrets(token.as_ref()));
    let redact = |text: &str| redactor.whole(text);
    let (headers, headers_truncated) = headers(&response.headers, redact);
    // Lambda limits responses to 6 MB, and a control character without a short JSON escape needs 7
    // bytes.
    let long = |byte: &u8| byte.is_ascii_control() && !b"\n\r\t".contains(byte);
    let is_text =
        |text: &Cow<'_, str>| text.bytes().filter(|byte| long(byte)).count() <= MAX_CONTROL_CHARS;
    let text = media_type::text(&response.headers, &response.body).filter(is_text);
    // In another charset or in base64, a secret would not be found.
    if !matches!(text, Some(Cow::Borrowed(_))) {
        let text = String::from_utf8_lossy(&response.body);
        if redact(&text) != text {
            return Err(Problem::bad_gateway(
                "The service's response contains a secret and is not UTF-8 text, so the secret can't be masked.",
            ));
        }
    }
    let (body, body_encoding) = if let Some(text) = text {
        let text = redact(&text);
        let body = domain::json::read(text.as_bytes()).unwrap_or_else(|_| Value::from(text));
        (body, None)
    } else {
        (
            BASE64_STANDARD.encode(&response.body).into(),
            Some("base64"),
        )
    };
    Ok(api::Sent {
        status: response.status.as_u16(),
        headers,
        headers_truncated,
        body,
        body_encoding,
        elapsed_ms: u64::try_from(elapsed_ms).unwrap_or(u64::MAX),
    })
}

/// Whether the body has a content coding such as gzip (RFC 9110, section 8.4).
fn is_encoded(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(CONTENT_ENCODING);
    let is_none = |coding: &[u8]| {
        let coding = coding.trim_ascii();
        coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
    };
    fields
        .iter()
        .any(|field| !field.as_bytes().split(|byte| *byte == b',').all(is_none))
}

/// Returns the headers by name, with repeated ones joined (RFC 9110, section 5.3), and whether some
/// were omitted because they exceed [`MAX_HEADER_BYTES`].
fn headers(
    headers: &HeaderMap,
    redact: impl Fn(&str) -> String,
) -> (BTreeMap<String, String>, bool) {
    let mut map: BTreeMap<String, String> = BTreeMap::new();
    let mut remaining = MAX_HEADER_BYTES;
    for (name, value) in headers {
        if OMITTED_HEADERS.contains(&name.as_str()) {
            continue;
        }
        // A value that is not UTF-8 may contain a secret that is.
        let (lossy, text) = (
            String::from_utf8_lossy(value.as_bytes()),
            media_type::field_text(value.as_bytes()),
        );
        let text = if redact(&lossy) == lossy {
            redact(&text)
        } else {
            redact(&lossy)
        };
        let text = mask::received_header(name.as_str(), &text);
        let Some(left) = remaining.checked_sub(name.as_str().len() + text.len()) else {
            return (map, true);
        };
        remaining = left;
        map.entry(name.to_string())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(&text);
            })
            .or_insert(text);
    }
    (map, false)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(fields: &[(&'static str, &'static [u8])]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static [u8])| {
            (
                http::HeaderName::from_static(name),
                HeaderValue::from_bytes(value).expect("a value"),
            )
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn identity_coding_is_not_encoded() {
        for (coding, packed) in [
            (&b"identity"[..], false),
            (b"Identity", false),
            (b"", false),
            (b"identity, IDENTITY", false),
            (b"gzip", true),
            (b"identity, br", true),
        ] {
            assert_eq!(
                is_encoded(&of(&[("content-encoding", coding)])),
                packed,
                "{coding:?}"
            );
        }
        assert!(!is_encoded(&HeaderMap::new()));
    }

    #[test]
    fn header_values_are_text_without_credentials() {
        let authorized = of(&[
            ("x-name", b"Jos\xe9"),
            ("x-upstream", b"Bearer abc"),
            ("x-session", b"0123456789abcdef0123456789abcdef"),
            ("etag", b"\"0123456789abcdef0123456789abcdef\""),
            ("x-api-key", b"k"),
            ("idempotency-key", b"k-1"),
            ("x-ratelimit-tokens", b"7"),
            ("set-cookie", b"a=b"),
        ]);
        let (shown, cut) = headers(&authorized, str::to_owned);
        let shown: Vec<(&str, &str)> = shown
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let etag = "\"0123456789abcdef0123456789abcdef\"";
        assert_eq!(
            shown,
            [
                ("etag", etag),
                ("idempotency-key", "k-1"),
                ("x-api-key", "•••"),
                ("x-name", "José"),
                ("x-ratelimit-tokens", "7"),
                ("x-session", "•••"),
                ("x-upstream", "Bearer •••")
            ]
        );
        assert!(!cut);
    }

    #[test]
    fn headers_past_the_limit_are_omitted() {
        let long: HeaderMap = (0..1_000_u32)
            .map(|number| {
                let name = format!("x-{number}")
                    .parse::<http::HeaderName>()
                    .expect("a name");
                (
                    name,
                    HeaderValue::from_bytes(&[b'"'; 400]).expect("a value"),
                )
            })
            .collect();
        let (shown, cut) = headers(&long, str::to_owned);
        assert!(
            cut && shown
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>()
                <= MAX_HEADER_BYTES
        );
        assert!(shown.len() > 150);
    }
}
