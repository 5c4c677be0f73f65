//! The functions, each as a new process with empty memory.

use axum::Router;
use platform::{aws::Aws, egress::Egress, keyring::KeyringCache, queue::Queue, table::Table};

use super::{Fake, sqs::Name, system::allow};

/// Public URL of config-api, and of delivery for its own requests.
const API_URL: &str = "https://tieline.example.com";

/// Public URL of the inbound function.
pub const PUBLIC_URL: &str = "https://hooks.example.com";

/// The clients of one process. They share one retry quota, like the SDK's clients.
#[derive(Debug)]
pub struct Clients(Aws);

impl Clients {
    /// Returns the clients of a new process.
    pub fn new(fake: &Fake) -> Self {
        Self(fake.aws())
    }

    /// Returns the table.
    pub fn table(&self) -> Table {
        Table::new(self.0.dynamodb(), "table", 30)
    }

    /// Returns an empty cache of the keyring.
    pub fn keys(&self) -> KeyringCache {
        KeyringCache::new(self.0.secrets_manager(), "keyring".to_owned())
    }

    /// Returns a queue.
    pub fn queue(&self, name: Name) -> Queue {
        Queue::new(self.0.sqs(), name.url())
    }
}

/// Starts config-api.
pub fn config_api(fake: &Fake) -> Router {
    let clients = Clients::new(fake);
    config_api::router(config_api::Clients {
        table: clients.table(),
        keys: clients.keys(),
        events: clients.queue(Name::Events),
        deliveries: clients.queue(Name::Deliveries),
        public_url: API_URL.to_owned(),
        allow: allow(),
    })
}

/// Starts the rotation function.
pub fn rotation(fake: &Fake) -> rotation::App {
    let clients = Clients::new(fake);
    rotation::App {
        table: clients.table(),
        keys: clients.keys(),
        events: clients.queue(Name::Events),
    }
}

/// Starts the inbound function.
pub fn inbound(fake: &Fake) -> inbound::App {
    let clients = Clients::new(fake);
    inbound::App {
        table: clients.table(),
        keys: clients.keys(),
        events: clients.queue(Name::Events),
        deliveries: clients.queue(Name::Deliveries),
        public_url: PUBLIC_URL.to_owned(),
    }
}

/// Starts the sweeper.
pub fn sweeper(fake: &Fake, table: Table) -> sweeper::App {
    let clients = Clients::new(fake);
    sweeper::App {
        table,
        events: clients.queue(Name::Events),
        deliveries: clients.queue(Name::Deliveries),
        retries: clients.queue(Name::Retries),
        dead: clients.queue(Name::Dead),
    }
}

/// Starts dispatch and delivery.
pub fn workers(fake: &Fake, egress: &Egress) -> (dispatch::App, delivery::App) {
    let clients = Clients::new(fake);
    let dispatch = dispatch::App {
        table: clients.table(),
        events: clients.queue(Name::Events),
        deliveries: clients.queue(Name::Deliveries),
        retries: clients.queue(Name::Retries),
        dead: clients.queue(Name::Dead),
    };
    let delivery = delivery::App {
        table: dispatch.table.clone(),
        keys: clients.keys(),
        egress: egress.clone(),
        deliveries: clients.queue(Name::Deliveries),
        retries: clients.queue(Name::Retries),
        events: clients.queue(Name::Events),
        dead: clients.queue(Name::Dead),
        public_url: API_URL.to_owned(),
    };
    (dispatch, delivery)
}
