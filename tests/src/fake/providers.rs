//! Providers of messages in the system.

use domain::{
    audit::Actor,
    inbound::Key,
    provider::{KeyPolicy, Provider, Settings},
};
use platform::{
    random,
    table::{audit, providers::StoredProvider},
};
use serde_json::json;

use super::system::{System, allow};

impl System {
    /// Adds an SMS provider that sends to the receiver's path `name` and reports deliveries.
    ///
    /// # Panics
    /// If the name is already in use.
    pub async fn provider(&self, name: &str) -> StoredProvider {
        let settings = json!({
            "name": name, "provider_id": name, "channel": "sms", "send_url": self.receiver.url_of(name), "api_key": "k",
            "secret_key": "s",
            "callback": {"id_pointer": "/id", "status_pointer": "/status", "statuses": {"delivered": "delivered"}},
        });
        let settings = Settings::parse(settings, &allow(), KeyPolicy::Required).expect("settings");
        self.at(async {
            let provider = Provider::new(random::id(), settings, self.time());
            let key = Some(Key::of_provider([&random::token(), &random::token()]));
            let stored = StoredProvider {
                provider,
                key,
                campaigns: 0,
            };
            let entry = audit::entry(
                Actor::System,
                "provider.created",
                &stored.provider.id,
                Vec::new(),
            );
            let (table, keys) = (&self.delivery.table, &self.delivery.keys);
            table
                .create_provider(&stored, keys, &entry, |_| entry.clone())
                .await
                .expect("created");
            stored
        })
        .await
    }
}
