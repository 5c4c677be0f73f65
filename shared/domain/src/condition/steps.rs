//! Limit on the cost of one webhook's conditions per event.

use std::cell::Cell;

/// Maximum number of steps of one evaluation. A step takes about 2 ns in an optimized build, so
/// that an evaluation takes less than 5 ms.
const MAX_STEPS: u64 = 2_000_000;

/// Steps left for an evaluation.
#[derive(Debug)]
pub(super) struct Steps(Cell<u64>);

/// The evaluation would take more than 5 ms. Such an event does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the conditions take too long for this event")]
pub struct TooCostly;

impl Steps {
    /// The full budget of one evaluation.
    pub(super) fn new() -> Self {
        Self(Cell::new(MAX_STEPS))
    }

    /// Uses up `count` steps.
    pub(super) fn spend(&self, count: usize) -> Result<(), TooCostly> {
        let left = self.0.get().checked_sub(count as u64).ok_or(TooCostly)?;
        self.0.set(left);
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn spent(&self) -> u64 {
        MAX_STEPS - self.0.get()
    }
}
