//! Access tokens of credentials: `tl_live_`, 43 base62 characters of 256 random bits, and 6 of
//! their CRC-32.
//!
//! The prefix lets secret scanners recognize a token. The checksum detects typos before any read.
//! It is no proof of validity: that requires a lookup in the table.

use secrecy::{ExposeSecret as _, SecretString};

const PREFIX: &str = "tl_live_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Number of characters for 256 bits: 62^43 is the first power above 2^256.
const BODY: usize = 43;
/// Number of characters for 32 bits: 62^6 is the first power above 2^32.
const CHECKSUM: usize = 6;

/// A well-formed token. Its `Debug` output hides it.
#[derive(Debug, Clone)]
pub struct Token(SecretString);

/// Not a token. The error does not reveal which part is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a token")]
pub struct ParseTokenError;

impl Token {
    /// Creates a token from random bytes, which must come from the system's generator.
    pub fn from_random(random: [u8; 32]) -> Self {
        let body = base62(random, BODY);
        let checksum = checksum(&body);
        Self(format!("{PREFIX}{body}{checksum}").into())
    }

    /// Parses a token: prefix, length, alphabet and checksum must match, with nothing around it.
    ///
    /// # Errors
    /// Fails without revealing which part is wrong.
    pub fn parse(text: &str) -> Result<Self, ParseTokenError> {
        let (body, sum) = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_at_checked(BODY))
            .ok_or(ParseTokenError)?;
        let valid = body.bytes().all(|byte| byte.is_ascii_alphanumeric()) && sum == checksum(body);
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(ParseTokenError)
        }
    }

    /// The token itself, for hashing or for the one response that shows it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The last 4 characters, for people to distinguish tokens.
    pub fn hint(&self) -> &str {
        let text = self.expose();
        &text[text.len() - 4..]
    }
}

fn checksum(body: &str) -> String {
    base62(crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECKSUM)
}

/// The big-endian number as `width` base62 digits, most significant first, by schoolbook division
/// by 62.
fn base62<const N: usize>(mut number: [u8; N], width: usize) -> String {
    let mut digits = vec![0; width];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0;
        for byte in &mut number {
            let dividend = rest << 8 | u16::from(*byte);
            // The remainder is below 62, so the quotient is below 256.
            *byte = u8::try_from(dividend / 62).unwrap_or(u8::MAX);
            rest = dividend % 62;
        }
        *digit = ALPHABET[usize::from(rest)];
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Generated with Python: `int.from_bytes`, repeated `divmod(n, 62)` and `zlib.crc32`.
    const VECTORS: [([u8; 32], &str); 3] = [
        (
            [0; 32],
            "tl_live_00000000000000000000000000000000000000000002CZclj",
        ),
        (
            [255; 32],
            "tl_live_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp13sRzl1",
        ),
        (
            *b"0123456789abcdefghijklmnopqrstuv",
            "tl_live_BQWeEnktNXfuByH0yGsvGYuTK4Z3u8cP3rUHgHIsBCI2HItA8",
        ),
    ];

    #[test]
    fn known_tokens_match() {
        for (random, text) in VECTORS {
            let token = Token::from_random(random);
            assert_eq!(token.expose(), text);
            assert_eq!(token.hint(), &text[text.len() - 4..]);
            assert!(!format!("{token:?}").contains(text));
        }
        assert_eq!(base62(u32::MAX.to_be_bytes(), CHECKSUM), "4gfFC3");
    }

    #[test]
    fn malformed_tokens_are_rejected() {
        let text = VECTORS[2].1;
        let wrong = [
            String::new(),
            PREFIX.to_owned(),
            text[1..].to_owned(),
            text[..text.len() - 1].to_owned(),
            format!("{text}0"),
            format!(" {text}"),
            text.to_uppercase(),
            text.replace("live", "test"),
            format!("{PREFIX}{}", "é".repeat(30)),
        ];
        for wrong in wrong {
            assert_eq!(
                Token::parse(&wrong).map(|_| ()),
                Err(ParseTokenError),
                "{wrong}"
            );
        }
    }

    proptest! {
        #[test]
        fn token_round_trips(random: [u8; 32]) {
            let token = Token::from_random(random);
            prop_assert_eq!(token.expose().len(), PREFIX.len() + BODY + CHECKSUM);
            let read = Token::parse(token.expose()).expect("token");
            prop_assert_eq!(read.expose(), token.expose());
        }

        #[test]
        fn one_wrong_character_is_rejected(random: [u8; 32], at in 0usize..57, with: char) {
            let token = Token::from_random(random);
            let mut text: Vec<char> = token.expose().chars().collect();
            prop_assume!(text[at] != with);
            text[at] = with;
            prop_assert!(Token::parse(&String::from_iter(text)).is_err());
        }

        #[test]
        fn one_wrong_letter_or_digit_is_rejected(random: [u8; 32], at in 0usize..57, with in 0usize..62) {
            let mut text = Token::from_random(random).expose().as_bytes().to_vec();
            prop_assume!(text[at] != ALPHABET[with]);
            text[at] = ALPHABET[with];
            prop_assert!(Token::parse(&String::from_utf8(text).expect("ascii")).is_err());
        }

        #[test]
        fn parse_accepts_any_text(text: String) {
            let text = format!("{PREFIX}{text}");
            prop_assert!(Token::parse(&text).is_err());
        }
    }
}
