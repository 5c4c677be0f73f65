//! The row of a connected service, with one encrypted document for its settings and its inbound
//! key.

use domain::{
    id::ServiceId,
    inbound::Key as InboundKey,
    secrets::Reveal,
    service::{Service, Settings},
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
    },
};

/// A service with its stored state.
#[derive(Debug, Clone)]
pub struct StoredService {
    /// The service, decrypted.
    pub service: Service,
    /// Key of the inbound URL. None without a user.
    pub key: Option<InboundKey>,
    /// Number of webhooks that send to the service.
    pub webhooks: u32,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ServiceRow {
    id: ServiceId,
    name: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
    /// Number of webhooks that send to the service.
    #[serde(default)]
    webhooks: u32,
    sealed: String,
}

#[derive(Serialize, Deserialize)]
struct ServiceDocument {
    settings: Map<String, Value>,
    key: Option<String>,
}

impl ServiceRow {
    pub(super) async fn seal(
        stored: &StoredService,
        keys: &KeyringCache,
    ) -> Result<Self, TableError> {
        let Service {
            id,
            settings,
            created_at,
            updated_at,
            version,
        } = &stored.service;
        let document = ServiceDocument {
            settings: settings.to_map(Reveal::Full),
            key: stored.key.as_ref().map(|key| key.expose().to_owned()),
        };
        Ok(Self {
            id: *id,
            name: settings.name.clone(),
            created_at: *created_at,
            updated_at: *updated_at,
            version: *version,
            webhooks: stored.webhooks,
            sealed: private(*id).seal_json(&document, keys).await?,
        })
    }

    pub(super) async fn open(self, keys: &KeyringCache) -> Result<StoredService, TableError> {
        let field = private(self.id);
        let document: ServiceDocument = field.open_json(&self.sealed, keys).await?;
        let service = Service {
            id: self.id,
            settings: restored(&field, Settings::restore(document.settings.into()))?,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        };
        Ok(StoredService {
            service,
            key: parse_inbound_key(&field, document.key)?,
            webhooks: self.webhooks,
        })
    }

    pub(super) fn item(&self) -> Result<Item, TableError> {
        let listing = (KIND, self.id.ulid().to_string());
        item(&Key::service(self.id), Some(listing), self)
    }
}

fn private(id: ServiceId) -> EncryptedField {
    EncryptedField::new(KIND, id, "private")
}
