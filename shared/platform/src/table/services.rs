//! Connected services, and the items under their inbound keys.
//!
//! A service's settings and its inbound key are one encrypted document. Its row counts the webhooks
//! that send to it. The data that an inbound request needs is stored under the keyed hash of the
//! key, so that one read returns the service and its verification. It is written in the same
//! transaction as the service.

use domain::{
    account::Account,
    audit::Entry,
    id::{ServiceId, UserId},
    inbound::{Key as InboundKey, Verification},
    secrets::Reveal,
    service::{Connection, Service, Settings},
};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Condition, Item, Key, Table, TableError, WriteError,
    item::item,
    pagination::{Page, PageRequest},
    transaction::Transaction,
};
use crate::{
    document::{describe_json_error, describe_validation_errors},
    encryption::AadContext,
    keyring::KeyringCache,
};

const KIND: &str = "service";

#[derive(Serialize, Deserialize)]
struct Row {
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
struct Private {
    settings: Map<String, Value>,
    key: Option<String>,
}

/// A service with its stored state.
#[derive(Debug, Clone)]
pub struct StoredService {
    /// The service.
    pub service: Service,
    /// Key of the inbound URL. None without a user.
    pub key: Option<InboundKey>,
    /// Number of webhooks that send to the service.
    pub webhooks: u32,
}

/// The service and verification of an inbound key.
#[derive(Serialize, Deserialize)]
pub(super) struct ReceiverRow {
    pub(super) service: ServiceId,
    pub(super) name: String,
    pub(super) user: UserId,
    sealed: String,
}

impl ReceiverRow {
    pub(super) async fn open(&self, keys: &KeyringCache) -> Result<Verification, TableError> {
        let service = self.service;
        let document = keys
            .open(place(&service.to_string(), "verification"), &self.sealed)
            .await?;
        let unreadable =
            |what: String| TableError::Document(format!("verification of {service}: {what}"));
        let value = serde_json::from_str(document.expose_secret())
            .map_err(|error| unreadable(describe_json_error(&error)))?;
        Verification::restore(value)
            .map_err(|problems| unreadable(describe_validation_errors(&problems)))
    }
}

impl Row {
    async fn seal(stored: &StoredService, keys: &KeyringCache) -> Result<Self, TableError> {
        let StoredService {
            service:
                Service {
                    id,
                    settings,
                    created_at,
                    updated_at,
                    version,
                },
            key,
            webhooks,
        } = stored;
        let key = key.as_ref().map(|key| key.expose().to_owned());
        let document = json(&Private {
            settings: settings.to_map(Reveal::Full),
            key,
        })?;
        let sealed = keys
            .get()
            .await?
            .seal(place(&id.to_string(), "private"), &document);
        let (created_at, updated_at, version, webhooks) =
            (*created_at, *updated_at, *version, *webhooks);
        Ok(Self {
            id: *id,
            name: settings.name.clone(),
            created_at,
            updated_at,
            version,
            webhooks,
            sealed,
        })
    }

    async fn open(self, keys: &KeyringCache) -> Result<StoredService, TableError> {
        let Self {
            id,
            created_at,
            updated_at,
            version,
            webhooks,
            sealed,
            name: _,
        } = self;
        let document = keys
            .open(place(&id.to_string(), "private"), &sealed)
            .await?;
        let unreadable = |what: String| TableError::Document(format!("service {id}: {what}"));
        let Private { settings, key } = serde_json::from_str(document.expose_secret())
            .map_err(|error| unreadable(describe_json_error(&error)))?;
        let settings = Settings::restore(settings.into())
            .map_err(|problems| unreadable(describe_validation_errors(&problems)))?;
        let service = Service {
            id,
            settings,
            created_at,
            updated_at,
            version,
        };
        let parsed = |key: String| {
            InboundKey::parse(&key).ok_or_else(|| unreadable("its inbound key".to_owned()))
        };
        Ok(StoredService {
            service,
            key: key.map(parsed).transpose()?,
            webhooks,
        })
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, TableError> {
    serde_json::to_string(value).map_err(|error| TableError::Document(error.to_string()))
}

fn place<'a>(id: &'a str, field: &'a str) -> AadContext<'a> {
    AadContext {
        resource: KIND,
        id,
        field,
    }
}

impl Table {
    /// Creates a service, optionally with a new account.
    pub async fn create_service(
        &self,
        stored: &StoredService,
        account: Option<&Account>,
        keys: &KeyringCache,
        entries: &[Entry],
    ) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.put_if(service_item(stored, keys).await?, Condition::absent());
        tx.claim_name(name_key(&stored.service), stored.service.id);
        tx.change_service_uses(None, Some(stored), account, keys)
            .await?;
        for entry in entries {
            tx.audit(entry)?;
        }
        tx.commit().await
    }

    /// Replaces a service unless it has changed since it was read.
    pub async fn update_service(
        &self,
        before: &StoredService,
        after: &StoredService,
        account: Option<&Account>,
        keys: &KeyringCache,
        entries: &[Entry],
    ) -> Result<(), WriteError> {
        let (old, new) = (&before.service, &after.service);
        let mut tx = self.transaction();
        tx.put_if(
            service_item(after, keys).await?,
            Condition::version(old.version),
        );
        tx.rename(name_key(old), name_key(new), new.id);
        tx.change_service_uses(Some(before), Some(after), account, keys)
            .await?;
        for entry in entries {
            tx.audit(entry)?;
        }
        tx.commit().await
    }

    /// Deletes a service unless it has changed since it was read.
    pub async fn delete_service(
        &self,
        stored: &StoredService,
        keys: &KeyringCache,
        entry: Entry,
    ) -> Result<(), WriteError> {
        let service = &stored.service;
        let mut tx = self.transaction();
        tx.delete_if(
            Key::service(service.id),
            Condition::version(service.version),
        );
        tx.delete(name_key(service));
        tx.change_service_uses(Some(stored), None, None, keys)
            .await?;
        tx.audit(&entry)?;
        tx.commit().await
    }

    /// Returns a service.
    pub async fn service(
        &self,
        id: ServiceId,
        keys: &KeyringCache,
    ) -> Result<Option<StoredService>, TableError> {
        match self.get::<Row>(&Key::service(id)).await? {
            Some(row) => row.open(keys).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns the service with this name, ignoring case.
    pub async fn service_named(
        &self,
        name: &str,
        keys: &KeyringCache,
    ) -> Result<Option<StoredService>, TableError> {
        match self.id_by_name(&Key::name(KIND, name)).await? {
            Some(id) => self.service(id, keys).await,
            None => Ok(None),
        }
    }

    /// Lists services, newest first.
    pub async fn services(
        &self,
        page_request: &PageRequest,
        keys: &KeyringCache,
    ) -> Result<Page<StoredService>, TableError> {
        let page = self.listed::<Row>(KIND, page_request).await?;
        page.open(KIND, |row| row.open(keys)).await
    }

    /// Returns a service with the account that authenticates its requests.
    pub async fn connection(
        &self,
        id: ServiceId,
        keys: &KeyringCache,
    ) -> Result<Option<Connection>, TableError> {
        // An account in use can't be deleted. If it is missing, the service has been assigned
        // another one.
        for _ in 0..2 {
            let Some(StoredService { service, .. }) = self.service(id, keys).await? else {
                return Ok(None);
            };
            if let Some(used) = self.account(service.settings.account_id, keys).await? {
                return Ok(Some(Connection {
                    service,
                    account: used.account,
                }));
            }
        }
        Err(TableError::Document(format!(
            "the account of {id} does not exist"
        )))
    }
}

impl Transaction<'_> {
    /// Adds `change` to the service's number of webhooks. Fails if the service does not exist.
    pub(super) fn count_service_use(&mut self, id: ServiceId, change: i8) {
        self.count(Key::service(id), "webhooks", change);
    }

    /// Writes what depends on a service: the counts of its account and user, and the item under
    /// its inbound key. Creates `new_account`, if there is one.
    async fn change_service_uses(
        &mut self,
        before: Option<&StoredService>,
        after: Option<&StoredService>,
        new_account: Option<&Account>,
        keys: &KeyringCache,
    ) -> Result<(), TableError> {
        self.change_account(before, after, new_account, keys)
            .await?;
        self.change_user(before, after);
        self.change_receiver(before, after, keys).await
    }

    async fn change_account(
        &mut self,
        before: Option<&StoredService>,
        after: Option<&StoredService>,
        new_account: Option<&Account>,
        keys: &KeyringCache,
    ) -> Result<(), TableError> {
        let account = |stored: Option<&StoredService>| {
            stored.map(|stored| stored.service.settings.account_id)
        };
        let (old, new) = (account(before), account(after));
        if old == new {
            return Ok(());
        }
        if let Some(old) = old {
            self.count_account_use(old, -1);
        }
        match (new, new_account) {
            (Some(_), Some(account)) => self.put_new_account(account, 1, keys).await?,
            (Some(new), None) => self.count_account_use(new, 1),
            (None, _) => {}
        }
        Ok(())
    }

    fn change_user(&mut self, before: Option<&StoredService>, after: Option<&StoredService>) {
        let user = |stored: Option<&StoredService>| {
            stored.and_then(|stored| stored.service.settings.user_id)
        };
        let (old, new) = (user(before), user(after));
        if old != new {
            if let Some(old) = old {
                self.count_service(old, -1);
            }
            if let Some(new) = new {
                self.count_service(new, 1);
            }
        }
    }

    async fn change_receiver(
        &mut self,
        before: Option<&StoredService>,
        after: Option<&StoredService>,
        keys: &KeyringCache,
    ) -> Result<(), TableError> {
        let ring = keys.get().await?;
        let row = after.and_then(
            |StoredService {
                 service: Service { id, settings, .. },
                 ..
             }| {
                let document = settings.verification.to_value(Reveal::Full).to_string();
                let sealed = ring.seal(place(&id.to_string(), "verification"), &document);
                Some(ReceiverRow {
                    service: *id,
                    name: settings.name.clone(),
                    user: settings.user_id?,
                    sealed,
                })
            },
        );
        let key = |stored: Option<&StoredService>| stored.and_then(|stored| stored.key.clone());
        self.move_inbound_key(&ring, key(before).as_ref(), key(after).as_ref().zip(row))
    }
}

async fn service_item(stored: &StoredService, keys: &KeyringCache) -> Result<Item, TableError> {
    let listing = Some((KIND, stored.service.id.ulid().to_string()));
    item(
        &Key::service(stored.service.id),
        listing,
        Row::seal(stored, keys).await?,
    )
}

fn name_key(service: &Service) -> Key {
    Key::name(KIND, &service.settings.name)
}
