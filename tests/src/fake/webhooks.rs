//! Webhooks in the system.

use domain::{
    id::WebhookId,
    signature::SigningSecret,
    webhook::{Settings, Webhook},
};
use jiff::Timestamp;
use platform::{clock, random};
use serde_json::{Value, json};

use super::system::{System, allow, entry};

impl System {
    /// Adds a webhook to the receiver's path `name`. It subscribes to events of type `message`
    /// unless `fields` override that.
    ///
    /// # Panics
    /// If the settings are invalid.
    pub async fn webhook(&self, name: &str, fields: Value) -> Webhook {
        let mut settings =
            json!({"name": name, "url": self.receiver.url_of(name), "events": ["message"]});
        settings
            .as_object_mut()
            .expect("an object")
            .extend(fields.as_object().expect("an object").clone());
        let (settings, _) = Settings::parse(settings, &allow()).expect("settings");
        self.at(async {
            let secret = SigningSecret::generated(random::bytes());
            let webhook = Webhook::new(random::id(), settings, secret, clock::now());
            self.table()
                .create_webhook(&webhook, &self.delivery.keys, &[entry(&webhook)])
                .await
                .expect("created");
            webhook
        })
        .await
    }

    /// Changes a stored webhook.
    ///
    /// # Panics
    /// If it does not exist.
    pub async fn change(&self, id: WebhookId, change: impl FnOnce(Webhook, Timestamp) -> Webhook) {
        self.at(async {
            let before = self.stored_webhook(id).await.expect("a webhook");
            let after = change(before.clone(), self.time());
            self.table()
                .update_webhook(&before, &after, &self.delivery.keys, &entry(&after))
                .await
                .expect("changed");
        })
        .await;
    }

    /// Reads a stored webhook.
    ///
    /// # Panics
    /// If the read fails.
    pub async fn stored_webhook(&self, id: WebhookId) -> Option<Webhook> {
        self.at(self.table().webhook(id, &self.delivery.keys))
            .await
            .expect("read")
    }
}
