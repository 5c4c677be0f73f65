//! Dispatch and delivery through crashes, duplicates and errors: each accepted event reaches one
//! final status for each matching webhook.

mod batches;
mod points;
mod schedule;
mod stopped;
mod tokens;

use platform::egress::Egress;
use tests::fake::system::{System, allow};

/// A separate system for one test.
async fn system() -> System {
    System::new(&egress()).await
}

fn egress() -> Egress {
    Egress::new(allow())
}
