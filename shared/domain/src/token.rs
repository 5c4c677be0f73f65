//! The access tokens of credentials: `tl_live_`, 43 base62 characters of 256 random bits, and 6 of
//! their CRC-32.
//!
//! In come random bytes or text from a header; out comes a token whose checksum holds. The prefix
//! lets scanners of leaked secrets recognise one, and the checksum refuses a typo before anything
//! is read. It proves nothing: whether a token is anybody's is for the table to say.

use secrecy::{ExposeSecret as _, SecretString};

const PREFIX: &str = "tl_live_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters for 256 bits: 62^43 is the first power above 2^256.
const BODY: usize = 43;
/// Characters for 32 bits: 62^6 is the first power above 2^32.
const CHECKSUM: usize = 6;

/// A well-formed token. Its `Debug` hides it.
#[derive(Debug, Clone)]
pub struct Token(SecretString);

/// The text is no token; which part of it is wrong is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a token")]
pub struct NotAToken;

impl Token {
    /// The token of these random bytes, which must come from the system's generator.
    pub fn from_random(random: [u8; 32]) -> Self {
        let body = base62(random, BODY);
        let checksum = checksum(&body);
        Self(format!("{PREFIX}{body}{checksum}").into())
    }

    /// The token that `text` is: the right prefix, length, alphabet and checksum, with nothing
    /// around it.
    pub fn parse(text: &str) -> Result<Self, NotAToken> {
        let (body, sum) = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_at_checked(BODY))
            .ok_or(NotAToken)?;
        let valid = body.bytes().all(|byte| byte.is_ascii_alphanumeric()) && sum == checksum(body);
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(NotAToken)
        }
    }

    /// The token itself, to be hashed or shown once.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The last 4 characters, by which a person tells tokens apart.
    pub fn hint(&self) -> &str {
        let text = self.expose();
        &text[text.len() - 4..]
    }
}

fn checksum(body: &str) -> String {
    base62(crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECKSUM)
}

/// The big-endian number in `width` base62 digits, the most significant first: schoolbook division
/// by 62.
fn base62<const N: usize>(mut number: [u8; N], width: usize) -> String {
    let mut digits = vec![0; width];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0;
        for byte in &mut number {
            let dividend = rest << 8 | u16::from(*byte);
            // The rest is below 62, so the quotient is below 256.
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

    /// Made with Python: `int.from_bytes`, repeated `divmod(n, 62)` and `zlib.crc32`.
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
    fn vectors() {
        for (random, text) in VECTORS {
            let token = Token::from_random(random);
            assert_eq!(token.expose(), text);
            assert_eq!(token.hint(), &text[text.len() - 4..]);
            assert!(!format!("{token:?}").contains(text));
        }
        assert_eq!(base62(u32::MAX.to_be_bytes(), CHECKSUM), "4gfFC3");
    }

    #[test]
    fn what_only_resembles_a_token_is_refused() {
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
            assert_eq!(Token::parse(&wrong).map(|_| ()), Err(NotAToken), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_token_reads_back(random: [u8; 32]) {
            let token = Token::from_random(random);
            prop_assert_eq!(token.expose().len(), PREFIX.len() + BODY + CHECKSUM);
            let read = Token::parse(token.expose()).expect("token");
            prop_assert_eq!(read.expose(), token.expose());
        }

        #[test]
        fn one_wrong_character_is_refused(random: [u8; 32], at in 0usize..57, with: char) {
            let token = Token::from_random(random);
            let mut text: Vec<char> = token.expose().chars().collect();
            prop_assume!(text[at] != with);
            text[at] = with;
            prop_assert!(Token::parse(&String::from_iter(text)).is_err());
        }

        #[test]
        fn one_wrong_letter_or_digit_is_refused(random: [u8; 32], at in 0usize..57, with in 0usize..62) {
            let mut text = Token::from_random(random).expose().as_bytes().to_vec();
            prop_assume!(text[at] != ALPHABET[with]);
            text[at] = ALPHABET[with];
            prop_assert!(Token::parse(&String::from_utf8(text).expect("ascii")).is_err());
        }

        #[test]
        fn no_text_panics(text: String) {
            let text = format!("{PREFIX}{text}");
            prop_assert!(Token::parse(&text).is_err());
        }
    }
}
