//! The row of a connected service, with one encrypted document for its settings and its inbound
//! key.

use domain::{
    id::ServiceId,
    inbound::Key as InboundKey,
    resource::Resource,
    service::{Service, Settings},
};
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

pub(super) type ServiceRow = Resource<ServiceId, SealedService>;

#[derive(Serialize, Deserialize)]
pub(super) struct SealedService {
    name: String,
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

/// Returns the item of a service.
pub(super) async fn seal(stored: &StoredService, keys: &KeyringCache) -> Result<Item, TableError> {
    let service = &stored.service;
    let document = ServiceDocument {
        settings: service.settings.to_map(),
        key: stored.key.as_ref().map(|key| key.expose().to_owned()),
    };
    let row: ServiceRow = service.with_settings(SealedService {
        name: service.settings.name.clone(),
        webhooks: stored.webhooks,
        sealed: private(service.id).seal_json(&document, keys).await?,
    });
    let listing = (KIND, service.id.ulid().to_string());
    item(&Key::service(service.id), Some(listing), row)
}

/// Decrypts a service.
pub(super) async fn open(
    row: ServiceRow,
    keys: &KeyringCache,
) -> Result<StoredService, TableError> {
    let field = private(row.id);
    let document: ServiceDocument = field.open_json(&row.settings.sealed, keys).await?;
    let settings = restored(&field, Settings::restore(document.settings.into()))?;
    Ok(StoredService {
        service: row.with_settings(settings),
        key: parse_inbound_key(&field, document.key)?,
        webhooks: row.settings.webhooks,
    })
}

fn private(id: ServiceId) -> EncryptedField {
    EncryptedField::new(KIND, id, "private")
}
