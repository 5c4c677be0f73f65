//! The delivery guarantee, over the fake services: an accepted event is delivered to every webhook
//! that it matches, or its delivery ends with a recorded reason, whatever happens to webhooks,
//! messages and processes in between.

mod costs;
mod deadline;
mod delays;
mod expiry;
mod health;
mod hops;
mod hostile;
mod large;
mod matching;
mod outage;
mod rate_limit;
mod success;
mod sweeper;
mod templates;
mod unreadable;

use domain::id::WebhookId;
use platform::egress::Egress;
use serde_json::json;
use tests::fake::{
    Fake,
    system::{System, allow},
};

/// Starts a separate system.
async fn system() -> System {
    System::new(&Egress::new(allow())).await
}

/// Disables a webhook in the table.
fn disable(fake: &Fake, webhook: WebhookId) {
    let mut state = fake.state();
    let mut row =
        state.table.items()[&(format!("webhook#{webhook}"), "webhook".to_owned())].clone();
    row.insert("enabled".to_owned(), json!({"BOOL": false}));
    state.table.seed(row.into());
}
