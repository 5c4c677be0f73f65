//! The one place that draws randomness, from the operating system.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::id::Id;

use crate::clock;

/// `N` random bytes, fit for keys.
///
/// # Panics
/// When the operating system has no randomness to give: nothing could be named or sealed without.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system's random source");
    bytes
}

/// A new id of this moment.
pub fn id<K>() -> Id<K> {
    Id::new(clock::now(), u128::from_ne_bytes(bytes()))
}

/// 128 random bits as 22 characters of base64url: names one message, so that no copy of another is taken for it.
pub fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<16>())
}

#[cfg(test)]
mod tests {
    use domain::id::EventKind;

    use super::*;

    #[test]
    fn draws_differ() {
        assert_ne!(bytes::<32>(), bytes::<32>());
        assert_ne!(id::<EventKind>(), id::<EventKind>());
        assert_ne!(token(), token());
        assert_eq!(token().len(), 22);
    }
}
