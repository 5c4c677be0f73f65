//! Connected services in the system.

use domain::{
    account::Account,
    id::UserId,
    inbound::Key,
    service::{Service, Settings},
    user::{self, Role, User},
};
use platform::{
    clock, random,
    table::{audit, services::StoredService},
};
use serde_json::{Value, json};

use super::system::{System, allow};

impl System {
    /// Adds an active user.
    ///
    /// # Panics
    /// If the ID is already in use.
    pub async fn user(&self, id: UserId) {
        let settings = user::Settings {
            name: id.to_string(),
            email: None,
            role: Role::Member,
            active: true,
        };
        let entry = audit::entry(
            domain::audit::Actor::System,
            "user.created",
            &id,
            Vec::new(),
        );
        let user = User::new(id, settings, self.time());
        self.at(self.delivery.table.create_user(&user, &entry))
            .await
            .expect("created");
    }

    /// Adds a service at `server_url`, for the user of the inbound key if there is one.
    ///
    /// # Panics
    /// If the settings are invalid.
    pub async fn service(
        &self,
        server_url: &str,
        key: Option<Key>,
        authorization: Value,
        verification: Value,
    ) -> StoredService {
        let settings = json!({
            "name": "CRM", "server_url": server_url, "verification": verification,
            "user_id": key.as_ref().and_then(Key::user).map(|user| user.to_string()),
            "account": {"name": "CRM", "authorization": authorization},
        });
        self.at(async {
            let fresh = random::id();
            let (settings, account) = Settings::parse(settings, &allow(), fresh).expect("settings");
            let account = Account::new(fresh, account.expect("an account"), clock::now());
            let stored = StoredService {
                service: Service::new(random::id(), settings, clock::now()),
                key,
                webhooks: 0,
            };
            let entry = audit::entry(
                domain::audit::Actor::System,
                "service.created",
                &stored.service.id,
                Vec::new(),
            );
            let (table, keys) = (&self.delivery.table, &self.delivery.keys);
            table
                .create_service(&stored, Some(&account), keys, &[entry])
                .await
                .expect("created");
            stored
        })
        .await
    }

    /// Assigns a service to another user. Its inbound key is unchanged.
    ///
    /// # Panics
    /// If the service does not exist.
    pub async fn hand_over(&self, before: &StoredService, user: UserId) {
        let settings = Settings {
            user_id: Some(user),
            ..before.service.settings.clone()
        };
        let after = StoredService {
            service: before.service.clone().changed(settings, self.time()),
            ..before.clone()
        };
        let (table, keys) = (&self.delivery.table, &self.delivery.keys);
        self.at(table.update_service(before, &after, None, keys, &[]))
            .await
            .expect("changed");
    }
}
