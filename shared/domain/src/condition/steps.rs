//! The bound on what one webhook's conditions may cost for one event.

use std::cell::Cell;

/// Steps of one evaluation. A step takes about 2 ns in an optimized build, so that a whole
/// evaluation stays below 5 ms.
const MAX_STEPS: u64 = 2_000_000;

/// Counter of the steps that are left for an evaluation.
#[derive(Debug)]
pub(super) struct Steps(Cell<u64>);

/// The evaluation was ended: it would take more than 5 ms. Such an event does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the conditions take too long for this event")]
pub struct TooCostly;

impl Steps {
    /// All steps of one evaluation.
    pub(super) fn new() -> Self {
        Self(Cell::new(MAX_STEPS))
    }

    /// Takes `count` steps.
    pub(super) fn spend(&self, count: usize) -> Result<(), TooCostly> {
        let left = self.0.get().checked_sub(count as u64).ok_or(TooCostly)?;
        self.0.set(left);
        Ok(())
    }
}
