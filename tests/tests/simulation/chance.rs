//! Random choices, drawn from the seed of the simulation so that they are reproducible.

use platform::random;

/// A number below `end`.
pub(super) fn below(end: u64) -> u64 {
    u64::from_le_bytes(random::bytes()) % end.max(1)
}

/// A number from `low` to `high`.
pub(super) fn between(low: u64, high: u64) -> u64 {
    low + below(high - low + 1)
}

/// Returns true with a probability of `rate` in ten thousand.
pub(super) fn happens(rate: u64) -> bool {
    rate > 0 && below(10_000) < rate
}

/// One of these items.
pub(super) fn one_of<T: Clone>(list: &[T]) -> T {
    let at = usize::try_from(below(list.len() as u64)).expect("small");
    list[at].clone()
}
