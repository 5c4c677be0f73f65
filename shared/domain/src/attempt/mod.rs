//! Attempts: outcome, record, and the protocol of the queue messages that request them.
//!
//! Deliveries and messages share the protocol. **A row names the single queue message that it waits
//! for**, by the number of the attempt and a random token ([`Progress`]). Recording attempt *n*
//! stores its token, and the number and token of the next attempt. An arriving queue message is
//! therefore one of three:
//!
//! - The awaited one ([`Arrival::Attempt`]).
//! - One whose attempt is recorded but whose follow-up may have been lost in a crash
//!   ([`Arrival::FollowUp`]).
//! - A stale copy ([`Arrival::Stale`]).
//!
//! A repeated follow-up sends its message under a new token, which becomes the awaited one. Two
//! messages with the same token would both run to the end of the schedule, and each attempt would
//! be made twice.

mod outcome;
mod progress;
mod record;
mod request;

pub use self::{
    outcome::{Failure, Outcome},
    progress::{Arrival, NextAttempt, Progress},
    record::{Attempt, Requested},
    request::{AttemptRequest, AttemptToken, Due, Task},
};
