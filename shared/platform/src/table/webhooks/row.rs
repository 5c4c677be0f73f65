//! The row of a webhook: its unencrypted state, and one encrypted document with its settings and
//! signing secrets. A copy of the table reveals names and states, but no URLs, headers or secrets.

use domain::{
    delivery::CancelledUntil,
    id::WebhookId,
    pattern::Pattern,
    secrets::origin::SecretOrigins,
    signature::SigningSecret,
    webhook::{MissingSecrets, Settings, SigningSecrets, State, Webhook},
};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::KIND;
use crate::{
    keyring::KeyringCache,
    table::{
        Item, Key, TableError,
        document::{EncryptedField, restored},
        item::item,
    },
};

/// A webhook's row: the unencrypted state and the encrypted rest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WebhookRow {
    id: WebhookId,
    name: String,
    enabled: bool,
    events: Vec<Pattern>,
    #[serde(flatten)]
    state: State,
    sealed: String,
}

#[derive(Serialize, Deserialize)]
struct WebhookDocument {
    settings: Map<String, Value>,
    secret: String,
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "previous"
    )]
    previous: Vec<(String, Timestamp)>,
    #[serde(default, skip_serializing_if = "SecretOrigins::is_empty")]
    secret_origins: SecretOrigins,
    #[serde(default, skip_serializing_if = "MissingSecrets::is_empty")]
    missing: MissingSecrets,
}

impl WebhookRow {
    pub(super) async fn seal(webhook: &Webhook, keys: &KeyringCache) -> Result<Self, TableError> {
        let previous = webhook.secrets.previous.iter();
        // What is empty is the default. Rows of up to 1 KB cost one write unit.
        let mut settings = webhook.settings.to_map();
        settings.retain(|_, value| ![Value::Null, json!([]), json!({})].contains(value));
        let document = WebhookDocument {
            settings,
            secret: webhook.secrets.current.expose().to_owned(),
            previous: previous
                .map(|(secret, until)| (secret.expose().to_owned(), *until))
                .collect(),
            secret_origins: webhook.secret_origins.clone(),
            missing: webhook.missing.clone(),
        };
        Ok(Self {
            id: webhook.id,
            name: webhook.settings.name.clone(),
            enabled: webhook.settings.enabled,
            events: webhook.settings.events.clone(),
            state: webhook.state.clone(),
            sealed: private(webhook.id).seal_json(&document, keys).await?,
        })
    }

    /// Decrypts the webhook.
    pub async fn open(self, keys: &KeyringCache) -> Result<Webhook, TableError> {
        let field = private(self.id);
        let document: WebhookDocument = field.open_json(&self.sealed, keys).await?;
        // A URL that an older allow-list permitted must still load. It is checked again when
        // sending.
        let settings = restored(&field, Settings::restore(document.settings.into()))?;
        let secret = |text: String| SigningSecret::issued(&text.into());
        let previous = document.previous.into_iter();
        let secrets = SigningSecrets {
            current: secret(document.secret),
            previous: previous
                .map(|(text, until)| (secret(text), until))
                .collect(),
        };
        Ok(Webhook {
            id: self.id,
            settings,
            secrets,
            state: self.state,
            secret_origins: document.secret_origins,
            missing: document.missing,
        })
    }

    pub(super) fn item(&self) -> Result<Item, TableError> {
        let listing = (KIND, self.id.ulid().to_string());
        item(&Key::webhook(self.id), Some(listing), self)
    }

    pub(super) fn id(&self) -> WebhookId {
        self.id
    }

    /// Returns until when queued deliveries are cancelled.
    pub fn cancelled_until(&self) -> CancelledUntil {
        CancelledUntil::of(self.enabled, self.state.stopped_at)
    }
}

/// Parses the rotated secrets: a list, or the single one of older rows.
fn previous<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(String, Timestamp)>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Previous {
        One((String, Timestamp)),
        Many(Vec<(String, Timestamp)>),
    }
    Ok(match Previous::deserialize(deserializer)? {
        Previous::One(one) => vec![one],
        Previous::Many(many) => many,
    })
}

fn private(id: WebhookId) -> EncryptedField {
    EncryptedField::new(KIND, id, "private")
}
