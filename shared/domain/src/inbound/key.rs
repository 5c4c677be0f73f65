//! Key of an inbound URL. The key alone grants access to the URL.

use secrecy::{ExposeSecret, SecretString};
use ulid::Ulid;

use crate::id::UserId;

/// For a service: 22 random base64url characters (128 bits) and the ULID of the user that the URL
/// was created for, so that one read finds the service and whether the user is active. For a
/// provider, which has no user: 44 random characters. Lookups use a keyed hash only. Anyone who
/// knows the key can send requests, so it is a secret.
#[derive(Debug, Clone)]
pub struct Key {
    text: SecretString,
    user: Option<UserId>,
}

const RANDOM: usize = 22;

impl Key {
    /// Creates a key for `user`; `random` is 22 random base64url characters.
    pub fn new(random: &str, user: UserId) -> Self {
        Self {
            text: format!("{random}{}", user.ulid()).into(),
            user: Some(user),
        }
    }

    /// Creates a key for a provider's reports; `random` is twice 22 random base64url characters.
    pub fn of_provider(random: [&str; 2]) -> Self {
        Self {
            text: random.concat().into(),
            user: None,
        }
    }

    /// Parses the last segment of an inbound URL. Rejects malformed keys without a read.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        if text.len() == 2 * RANDOM {
            return legal(text).then(|| Self {
                text: text.into(),
                user: None,
            });
        }
        let (random, ulid) = text.split_at_checked(RANDOM)?;
        let user = Ulid::from_string(ulid).ok().map(UserId::from_ulid)?;
        // Only the canonical form: a ULID can be spelled in several ways.
        (legal(random) && user.ulid().to_string() == ulid).then(|| Self {
            text: text.into(),
            user: Some(user),
        })
    }

    /// The key as it appears in the URL. A secret.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// User that a service's URL was created for. It is a hint for the lookup.
    pub const fn user(&self) -> Option<UserId> {
        self.user
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn key_round_trips_and_other_text_is_rejected() {
        let user = UserId::from_ulid(Ulid::from_parts(1_790_000_000_000, 7));
        let key = Key::new("AbCdEfGhIjKlMnOpQrSt-_", user);
        assert_eq!(key.expose().len(), 48);
        let read = Key::parse(key.expose()).expect("a key");
        assert_eq!((read.user(), read.expose()), (Some(user), key.expose()));
        let of_provider = Key::of_provider(["AbCdEfGhIjKlMnOpQrSt-_"; 2]);
        let read = Key::parse(of_provider.expose()).expect("a key");
        assert_eq!((read.user(), read.expose().len()), (None, 44));
        assert!(Key::parse(&of_provider.expose().replace('-', "/")).is_none());
        let lower = key.expose().to_lowercase();
        for text in [
            "",
            "a",
            &lower,
            &key.expose()[1..],
            &format!("{}0", key.expose()),
            &key.expose().replace('-', "/"),
        ] {
            assert!(Key::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parse_accepts_any_text(text in "\\PC{0,60}", random in "[A-Za-z0-9_-]{22}", bits: u128) {
            let _ = Key::parse(&text);
            let user = UserId::from_ulid(Ulid::from(bits));
            prop_assert_eq!(Key::parse(Key::new(&random, user).expose()).and_then(|key| key.user()), Some(user));
        }
    }
}
