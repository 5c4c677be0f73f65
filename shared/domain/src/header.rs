//! Headers that clients add to outgoing requests: allowed names and values, and which values are
//! secrets.

use http::HeaderName;

use crate::validation::ClientError;

/// Why a header is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not a token (RFC 9110, section 5.6.2).
    #[error("must be a header name: letters, digits and hyphens")]
    Syntax,
    /// A header for framing, routing or signing, which clients must not set.
    #[error("is a header that can't be set")]
    Reserved,
    /// Longer than [`NAME_LIMIT`].
    #[error("must be a name of at most {NAME_LIMIT} characters")]
    LongName,
    /// A control character other than a tab.
    #[error("must not contain control characters other than tabs")]
    Characters,
    /// Longer than [`VALUE_LIMIT`].
    #[error("must have at most {VALUE_LIMIT} bytes")]
    Long,
}

impl ClientError for HeaderError {}

/// Maximum length of a name, in bytes.
pub const NAME_LIMIT: usize = 100;
/// Maximum length of a value, in bytes.
pub const VALUE_LIMIT: usize = 4096;

/// Names that affect framing, routing or the apparent sender, or request a response in which
/// secrets could not be found.
const RESERVED: [&str; 12] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Prefixes of such names. `webhook-` is for signatures (Standard Webhooks 1.0), `tieline-` for
/// Tieline.
const RESERVED_PREFIXES: [&str; 5] = ["proxy-", "tieline-", "webhook-", "x-amzn-", "x-forwarded-"];

/// Returns the lower-case name if clients may set the header.
///
/// # Errors
/// Fails for a reserved, malformed or too long name.
pub fn check_name(name: &str) -> Result<HeaderName, HeaderError> {
    if name.len() > NAME_LIMIT {
        return Err(HeaderError::LongName);
    }
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::Syntax)?;
    let text = name.as_str();
    if RESERVED.contains(&text)
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| text.starts_with(prefix))
    {
        return Err(HeaderError::Reserved);
    }
    Ok(name)
}

/// Validates a value. Non-ASCII text is sent as UTF-8 (`obs-text`, RFC 9110, section 5.5).
///
/// # Errors
/// Fails for control characters other than tabs, and above [`VALUE_LIMIT`].
pub fn check_value(value: &str) -> Result<(), HeaderError> {
    if value.len() > VALUE_LIMIT {
        return Err(HeaderError::Long);
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        Err(HeaderError::Characters)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn allowed_names_pass() {
        for name in [
            "Accept",
            "Authorization",
            "Content-Type",
            "User-Agent",
            "X-Api-Key",
            "x_custom",
            "Accept-Language",
            &"x".repeat(NAME_LIMIT),
            "X-Forwarded",
            "X-Amz-Date",
            "Hosts",
            "webhooks-x",
            "Web.Hook!",
        ] {
            assert_eq!(
                check_name(name).expect(name).as_str(),
                name.to_ascii_lowercase()
            );
        }
    }

    #[test]
    fn reserved_and_invalid_names_are_rejected() {
        for name in [
            "Accept-Encoding",
            "Range",
            "Host",
            "hOST",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "TE",
            "Trailer",
            "Upgrade",
            "Expect",
            "Keep-Alive",
            "Forwarded",
            "X-Forwarded-For",
            "x-forwarded-",
            "X-Amzn-Trace-Id",
            "Proxy-Authorization",
            "proxy-connection",
            "Webhook-Id",
            "webhook-signature",
            "WEBHOOK-anything",
            "Tieline-Hops",
            "tieline-x",
        ] {
            assert_eq!(check_name(name), Err(HeaderError::Reserved), "{name}");
        }
        for name in [
            "", " ", "a b", "a:", "a\r\nb", "a\0", "é", "Host ", "(x)", "a\"b", "{tag}",
        ] {
            assert_eq!(check_name(name), Err(HeaderError::Syntax), "{name:?}");
        }
        assert_eq!(
            check_name(&"x".repeat(NAME_LIMIT + 1)),
            Err(HeaderError::LongName)
        );
    }

    #[test]
    fn values_without_control_characters_pass() {
        for value in ["", " a\tb~", "Bearer x", "Büro \u{200b}", &"a".repeat(4096)] {
            assert_eq!(check_value(value), Ok(()), "{value:?}");
        }
        for value in ["a\r\nb", "\n", "\0", "\x1f", "\x7f", "é\u{85}"] {
            assert_eq!(
                check_value(value),
                Err(HeaderError::Characters),
                "{value:?}"
            );
        }
        assert_eq!(check_value(&"a".repeat(4097)), Err(HeaderError::Long));
    }

    proptest! {
        #[test]
        fn accepted_headers_can_be_sent(name in "\\PC{0,12}", value in "\\PC{0,40}") {
            if let Ok(parsed) = check_name(&name) {
                prop_assert!(parsed.as_str().eq_ignore_ascii_case(&name));
            }
            if check_value(&value).is_ok() {
                prop_assert!(http::HeaderValue::from_bytes(value.as_bytes()).is_ok());
            }
        }
    }
}
