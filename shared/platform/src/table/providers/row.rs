//! The row of a provider, with one encrypted document for its settings and its inbound key.

use domain::{
    id::ProviderId,
    inbound::Key as InboundKey,
    message::{Channel, Fallback},
    provider::{Provider, Settings},
    secrets::{origin::SecretOrigins, redact::Secrets},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::KIND;
use crate::{
    keyring::KeyringCache,
    table::{
        Item, Key, TableError,
        document::{EncryptedField, parse_inbound_key, restored},
        item::item,
        unreadable::readable,
    },
};

/// A provider with its stored state.
#[derive(Debug, Clone)]
pub struct StoredProvider {
    /// The provider, decrypted.
    pub provider: Provider,
    /// Key of the callback URL for status reports.
    pub key: Option<InboundKey>,
    /// Number of campaigns that use the provider.
    pub campaigns: u32,
}

impl StoredProvider {
    /// The secrets to mask in text from the provider.
    pub fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        // Anyone who knows the callback URL can report, unless there is a verification.
        self.key.iter().for_each(|key| secrets.add(key.expose()));
        secrets.extend(&self.provider.secrets());
        secrets
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ProviderRow {
    pub(super) id: ProviderId,
    name: String,
    channel: Channel,
    /// Whether this is its channel's default. Authoritative over the encrypted document.
    default: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    pub(super) version: u64,
    /// Number of campaigns that use the provider.
    #[serde(default)]
    campaigns: u32,
    /// Its fallback, which is found even if the settings can't be decrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fallback: Option<ProviderId>,
    sealed: String,
}

#[derive(Serialize, Deserialize)]
struct ProviderDocument {
    settings: Map<String, Value>,
    key: Option<String>,
    #[serde(default, skip_serializing_if = "SecretOrigins::is_empty")]
    secret_origins: SecretOrigins,
}

impl ProviderRow {
    pub(super) async fn seal(
        stored: &StoredProvider,
        keys: &KeyringCache,
    ) -> Result<Self, TableError> {
        let Provider {
            id,
            settings,
            created_at,
            updated_at,
            version,
            secret_origins,
        } = &stored.provider;
        let document = ProviderDocument {
            settings: settings.to_map(),
            key: stored.key.as_ref().map(|key| key.expose().to_owned()),
            secret_origins: secret_origins.clone(),
        };
        Ok(Self {
            id: *id,
            name: settings.name.clone(),
            channel: settings.channel,
            default: settings.default,
            created_at: *created_at,
            updated_at: *updated_at,
            version: *version,
            campaigns: stored.campaigns,
            fallback: settings.fallback_provider_id,
            sealed: private(*id).seal_json(&document, keys).await?,
        })
    }

    pub(super) async fn open(self, keys: &KeyringCache) -> Result<StoredProvider, TableError> {
        let field = private(self.id);
        let mut document: ProviderDocument = field.open_json(&self.sealed, keys).await?;
        document
            .settings
            .insert("default".to_owned(), self.default.into());
        let provider = Provider {
            id: self.id,
            settings: restored(&field, Settings::restore(document.settings.into()))?,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
            secret_origins: document.secret_origins,
        };
        Ok(StoredProvider {
            provider,
            key: parse_inbound_key(&field, document.key)?,
            campaigns: self.campaigns,
        })
    }

    /// The provider as a fallback. If its settings are unreadable, it has no default sender.
    pub(super) async fn fallback(self, keys: &KeyringCache) -> Result<Fallback, TableError> {
        let (id, name, fallback_provider_id) = (self.id, self.name.clone(), self.fallback);
        let opened = readable(id, self.open(keys).await)?;
        Ok(Fallback {
            id,
            name,
            from: opened.and_then(|stored| stored.provider.settings.from),
            from_before: None,
            fallback_provider_id,
        })
    }

    /// The next version of the row, without the default.
    pub(super) fn without_default(self, now: Timestamp) -> Self {
        Self {
            default: false,
            updated_at: now,
            version: self.version + 1,
            ..self
        }
    }

    pub(super) fn item(&self) -> Result<Item, TableError> {
        let listing = (KIND, self.id.ulid().to_string());
        item(&Key::provider(self.id), Some(listing), self)
    }
}

fn private(id: ProviderId) -> EncryptedField {
    EncryptedField::new(KIND, id, "private")
}
