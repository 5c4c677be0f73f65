//! Signatures of outgoing and inbound requests by Standard Webhooks 1.0 (symmetric, HMAC-SHA256).
//!
//! [`sign`] creates the value of `webhook-signature`. Receivers verify it over
//! `<webhook-id>.<webhook-timestamp>.<body>` with any Standard Webhooks library.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::validation::ClientError;

const PREFIX: &str = "whsec_";

/// A webhook's signing secret: 24 to 75 characters whose bytes are the key, or `whsec_` and the
/// base64 of a key of 24 to 64 bytes. Its `Debug` output hides it.
#[derive(Debug, Clone)]
pub struct SigningSecret {
    text: SecretString,
    key: SecretSlice<u8>,
}

/// Why a text is not a signing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// A plain text that is too short or too long.
    #[error("must have 24 to 75 characters, or be whsec_ and the base64 of 24 to 64 bytes")]
    Length,
    /// A key that is too short or too long.
    #[error("must contain 24 to 64 bytes after whsec_")]
    KeyLength,
    /// Invalid base64 after `whsec_`.
    #[error("must be base64 (RFC 4648, with padding) after whsec_")]
    Base64,
    /// Line breaks and other characters that are not allowed in headers.
    #[error("must not contain control characters")]
    Control,
    /// Only white space, probably left out by mistake.
    #[error("must not be blank")]
    Blank,
    /// `v1,whsec_…`, ` whsec_…`: read as plain text, it would never verify.
    #[error("must start with whsec_ if it contains it. Remove the text before whsec_.")]
    Prefix,
    /// A key that can be guessed.
    #[error("must have at least {MIN_ISSUED} characters")]
    Short,
}

impl ClientError for SecretError {}

/// Minimum length of a secret issued by a third party, in characters.
const MIN_ISSUED: usize = 8;

/// Rejects invalid secrets of any scheme: blanks, fewer than 8 characters, text before `whsec_`.
pub fn check_issued(secret: &SecretString) -> Result<(), SecretError> {
    let text = secret.expose_secret();
    check_plausible(text)?;
    if text.chars().count() < MIN_ISSUED {
        Err(SecretError::Short)
    } else {
        Ok(())
    }
}

/// Rejects blanks, and text before `whsec_`.
pub(crate) fn check_plausible(text: &str) -> Result<(), SecretError> {
    match text.find(PREFIX) {
        Some(1..) => Err(SecretError::Prefix),
        _ if !text.is_empty() && text.trim().is_empty() => Err(SecretError::Blank),
        _ => Ok(()),
    }
}

impl SigningSecret {
    /// Parses a signing secret.
    ///
    /// # Errors
    /// Fails if the key is too short, too long or not valid base64.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        check_plausible(text)?;
        let key = match text.strip_prefix(PREFIX) {
            Some(encoded) => {
                let key =
                    SecretSlice::from(BASE64.decode(encoded).map_err(|_| SecretError::Base64)?);
                if !(24..=64).contains(&key.expose_secret().len()) {
                    return Err(SecretError::KeyLength);
                }
                key
            }
            None if !(24..=75).contains(&text.chars().count()) => return Err(SecretError::Length),
            None if text.chars().any(char::is_control) => return Err(SecretError::Control),
            None => text.as_bytes().to_vec().into(),
        };
        Ok(Self {
            text: text.into(),
            key,
        })
    }

    /// A stored secret, or one issued by a third party, of any length. Its bytes are the key,
    /// unless it has the form that [`SigningSecret::parse`] decodes.
    pub fn issued(secret: &SecretString) -> Self {
        let text = secret.expose_secret();
        Self::parse(text).unwrap_or_else(|_| Self {
            text: text.into(),
            key: text.as_bytes().to_vec().into(),
        })
    }

    /// Creates a secret from random bytes, which must come from the system's generator.
    pub fn generated(random: [u8; 32]) -> Self {
        Self {
            text: format!("{PREFIX}{}", BASE64.encode(random)).into(),
            key: random.to_vec().into(),
        }
    }

    /// The secret as text, for encryption, for the one response that shows it, or for a webhook
    /// that sends the secret itself.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

/// Returns the value of `webhook-signature`: `v1,<base64>` for each secret, separated by spaces.
/// Two secrets sign during the overlap after a rotation. `timestamp_seconds` is the Unix time in
/// `webhook-timestamp`.
pub fn sign(id: &str, timestamp_seconds: i64, body: &[u8], secrets: &[&SigningSecret]) -> String {
    let signed = [format!("{id}.{timestamp_seconds}.").as_bytes(), body].concat();
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| signature(&signed, secret))
        .collect();
    signatures.join(" ")
}

/// Whether one of `signatures`, the value of `webhook-signature`, was made with `secret`.
/// `timestamp` is the value of `webhook-timestamp`; the caller checks that it is recent. Runs in
/// constant time.
pub fn verifies(
    id: &str,
    timestamp: &str,
    body: &[u8],
    signatures: &str,
    secret: &SigningSecret,
) -> bool {
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let expected = signature(&signed, secret);
    signatures
        .split(' ')
        .any(|given| given.as_bytes().ct_eq(expected.as_bytes()).into())
}

fn signature(signed: &[u8], secret: &SigningSecret) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.key.expose_secret())
        .expect("HMAC accepts keys of any length");
    mac.update(signed);
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    const BODY: &[u8] = br#"{"type":"chat","data":{}}"#;

    fn headers(signature: &str, timestamp: i64) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).expect("header");
        HeaderMap::from_iter([
            (http::HeaderName::from_static("webhook-id"), value("evt_1")),
            (
                http::HeaderName::from_static("webhook-timestamp"),
                value(&timestamp.to_string()),
            ),
            (
                http::HeaderName::from_static("webhook-signature"),
                value(signature),
            ),
        ])
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the public verifier compares with the system's clock"
    )]
    fn public_verifier_accepts_signatures() {
        let generated = SigningSecret::generated([7; 32]);
        let plain = SigningSecret::parse("a plain secret of 24 ch.").expect("secret");
        let by_generated = standardwebhooks::Webhook::new(generated.expose()).expect("verifier");
        let by_plain =
            standardwebhooks::Webhook::from_bytes(plain.expose().into()).expect("verifier");
        let now = jiff::Timestamp::now().as_second();
        let both = headers(&sign("evt_1", now, BODY, &[&generated, &plain]), now);
        let one = headers(&sign("evt_1", now, BODY, &[&generated]), now);
        let later = headers(&sign("evt_1", now, BODY, &[&generated]), now + 1);
        for (verifier, headers, body, expected) in [
            (&by_generated, &one, BODY, true),
            (&by_generated, &both, BODY, true),
            (&by_plain, &both, BODY, true),
            (&by_plain, &one, BODY, false),
            (&by_generated, &one, b"{}".as_slice(), false),
            (&by_generated, &later, BODY, false),
        ] {
            assert_eq!(verifier.verify(body, headers).is_ok(), expected);
        }
    }

    /// Example from the reference libraries of the specification.
    #[test]
    fn known_signature_matches() {
        let secret =
            SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("secret");
        assert_eq!(
            sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                br#"{"test": 2432232314}"#,
                &[&secret]
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn secrets_have_two_forms() {
        let encoded = |bytes: usize| format!("{PREFIX}{}", BASE64.encode(vec![1; bytes]));
        for right in [
            "x".repeat(24),
            "x".repeat(75),
            "é".repeat(24),
            encoded(24),
            encoded(64),
        ] {
            assert_eq!(
                SigningSecret::parse(&right).expect("secret").expose(),
                right
            );
        }
        for (wrong, why) in [
            (String::new(), SecretError::Length),
            ("x".repeat(23), SecretError::Length),
            ("x".repeat(76), SecretError::Length),
            (format!("{}\n", "x".repeat(30)), SecretError::Control),
            (encoded(23), SecretError::KeyLength),
            (encoded(65), SecretError::KeyLength),
            (PREFIX.to_owned(), SecretError::KeyLength),
            (format!("{PREFIX}{}", "!".repeat(32)), SecretError::Base64),
            (" ".repeat(30), SecretError::Blank),
            (format!("v1,{}", encoded(24)), SecretError::Prefix),
            (format!(" {}", encoded(24)), SecretError::Prefix),
        ] {
            assert_eq!(
                SigningSecret::parse(&wrong).map(|_| ()),
                Err(why),
                "{wrong}"
            );
        }
        let issued = |text: &str| {
            SigningSecret::issued(&text.into())
                .key
                .expose_secret()
                .to_vec()
        };
        for (text, key) in [
            ("short", b"short".to_vec()),
            (&encoded(24), vec![1; 24]),
            (&encoded(1), encoded(1).into()),
        ] {
            assert_eq!(issued(text), key, "{text}");
        }
        let secret = SigningSecret::generated([7; 32]);
        assert_eq!(
            SigningSecret::parse(secret.expose())
                .expect("secret")
                .key
                .expose_secret(),
            [7; 32]
        );
        assert!(
            !format!("{secret:?}").contains(secret.expose())
                && !format!("{secret:?}").contains('7')
        );
    }
}
