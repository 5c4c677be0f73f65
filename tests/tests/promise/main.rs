//! The delivery promise, over the fake services: an accepted event gets to every webhook that matched it, or its delivery
//! ends with its history, whatever becomes of webhooks, messages and processes meanwhile.

mod deadline;
mod expiry;
mod health;
mod hops;
mod hostile;
mod matching;
mod outage;
mod pace;
mod sweeper;
mod unreadable;

use platform::egress::Egress;
use tests::fake::world::{World, allow};

/// A world of a test's own.
async fn world() -> World {
    World::new(&Egress::new(allow())).await
}
