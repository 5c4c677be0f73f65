//! HMACs over received data (RFC 2104), and the generic scheme with a signature in a header.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::HeaderName;
use secrecy::{ExposeSecret as _, SecretString};

/// Hash function of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are self-explanatory")]
pub enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// Encoding of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal, upper or lower case.
    Hex,
    /// Base64 (RFC 4648, section 4), with or without padding.
    Base64,
}

/// A signature over the body, sent in a header.
#[derive(Debug, Clone)]
pub struct Hmac {
    /// Key.
    pub secret: SecretString,
    /// Header name.
    pub header: HeaderName,
    /// Hash function.
    pub algorithm: Algorithm,
    /// Encoding of the signature.
    pub encoding: Encoding,
    /// Text before the signature, such as `sha256=`.
    pub prefix: String,
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Algorithm {
    /// Whether `signature` is the HMAC of the concatenated `parts`. Runs in constant time.
    pub(super) fn verifies(self, secret: &SecretString, parts: &[&[u8]], signature: &[u8]) -> bool {
        match self {
            Self::Sha1 => verifies::<hmac::Hmac<sha1::Sha1>>(secret, parts, signature),
            Self::Sha256 => verifies::<hmac::Hmac<sha2::Sha256>>(secret, parts, signature),
            Self::Sha512 => verifies::<hmac::Hmac<sha2::Sha512>>(secret, parts, signature),
        }
    }
}

fn verifies<M: hmac::Mac + hmac::KeyInit>(
    secret: &SecretString,
    parts: &[&[u8]],
    signature: &[u8],
) -> bool {
    let mut mac = <M as hmac::KeyInit>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("HMAC accepts keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(signature).is_ok()
}

impl Encoding {
    /// Decodes a signature.
    pub(super) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex if text.len().is_multiple_of(2) => {
                text.as_bytes().chunks(2).map(hex).collect()
            }
            Self::Hex => None,
            Self::Base64 => BASE64.decode(text).ok(),
        }
    }
}

/// Value of two hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |digit: &u8| {
        char::from(*digit)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some(digit(&digits[0])? << 4 | digit(&digits[1])?)
}
