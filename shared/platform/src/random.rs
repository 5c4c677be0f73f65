//! The only module that draws randomness, from the operating system.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::id::Id;

use crate::clock;

/// Returns `N` random bytes, suitable for keys.
///
/// # Panics
///
/// If the operating system's random source fails. No ID or key could be created without it.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[cfg(feature = "test-clock")]
    if SEED.try_with(|seed| draw(seed, &mut bytes)).is_ok() {
        return bytes;
    }
    getrandom::fill(&mut bytes).expect("the operating system's random source");
    bytes
}

/// Creates an ID with the current time.
pub fn id<K>() -> Id<K> {
    Id::new(clock::now(), u128::from_ne_bytes(bytes()))
}

/// Returns 128 random bits as 22 characters of base64url. Identifies one queue message, so that
/// duplicates of others are not mistaken for it.
pub fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<16>())
}

#[cfg(feature = "test-clock")]
tokio::task_local! {
    static SEED: std::cell::Cell<u64>;
}

/// Runs `work` with a generator seeded with `seed`, for reproducible tests. Tasks that it spawns
/// use real randomness.
#[cfg(feature = "test-clock")]
pub async fn seeded<F: Future>(seed: u64, work: F) -> F::Output {
    SEED.scope(seed.into(), work).await
}

/// `SplitMix64` (Steele, Lea, Flood 2014).
#[cfg(feature = "test-clock")]
fn draw(seed: &std::cell::Cell<u64>, bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(8) {
        seed.set(seed.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mixed = (seed.get() ^ (seed.get() >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
    }
}

#[cfg(test)]
mod tests {
    use domain::id::EventKind;

    use super::*;

    #[test]
    fn random_values_differ() {
        assert_ne!(bytes::<32>(), bytes::<32>());
        assert_ne!(id::<EventKind>(), id::<EventKind>());
        assert_ne!(token(), token());
        assert_eq!(token().len(), 22);
    }
}
