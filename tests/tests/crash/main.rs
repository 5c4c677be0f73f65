//! Dispatch and delivery, as they run in production, through crashes, copies and refusals: whatever
//! happens on the way, each accepted event gets to one end at each webhook that matched.

mod batches;
mod points;
mod schedule;
mod stopped;
mod tokens;

use platform::egress::Egress;
use tests::fake::system::{System, allow};

/// A system of a test's own.
async fn system() -> System {
    System::new(&egress()).await
}

fn egress() -> Egress {
    Egress::new(allow())
}
