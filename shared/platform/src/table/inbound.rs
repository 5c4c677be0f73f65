//! Inbound keys: the items that resolve them to a connected service or a provider.
//!
//! What an inbound request needs is stored under the keyed hash of the URL's key, so that one read
//! returns it. It is written with every change of the service or provider.

use domain::{
    callback::{InboundSettings, Mapping, Reader},
    id::{ProviderId, ServiceId, UserId},
    inbound::{Key as InboundKey, Receiver, Verification},
    message::Channel,
    secrets::redact::Secrets,
    validation::Source,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Key, Table, TableError,
    document::{EncryptedField, parse_json, restored},
    item::item,
    providers::{self, StoredProvider},
    services::{self, StoredService},
    transaction::Transaction,
    users::StoredUser,
};
use crate::{encryption::Keyring, keyring::KeyringCache};

/// The owner of an inbound URL.
#[derive(Debug, Clone)]
pub enum KeyOwner {
    /// A connected service and its user.
    Service(Box<Receiver>, Box<StoredUser>),
    /// A provider that sends reports.
    Provider(Box<Reporter>),
}

/// A provider that sends reports and inbound messages.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// The provider's ID.
    pub provider: ProviderId,
    /// Name of the provider; empty if it sends no inbound messages.
    pub name: String,
    /// How its requests are verified.
    pub verification: Verification,
    /// How its requests are read.
    pub reader: Reader,
    /// Secrets to mask in inbound messages; none if it sends none.
    pub secrets: Secrets,
}

/// The service of an inbound key, with its encrypted verification.
#[derive(Serialize, Deserialize)]
struct ReceiverRow {
    service: ServiceId,
    name: String,
    user: UserId,
    sealed: String,
}

/// The provider of an inbound key.
#[derive(Serialize, Deserialize)]
struct ReporterRow {
    provider: ProviderId,
    channel: Channel,
    /// JSON text of the mapping, if it sends reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    callback: Option<String>,
    /// JSON text of the settings for inbound messages, if it sends any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inbound: Option<String>,
    /// Name, if it sends inbound messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The encrypted [`ReporterSecrets`], if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

/// What is secret about a provider's requests.
#[derive(Default, Serialize, Deserialize)]
struct ReporterSecrets {
    /// The verification, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verification: Option<Value>,
    /// Secrets to mask in inbound messages, if it sends any. They are stored here, because the
    /// inbound function can't read providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    masked: Option<Secrets>,
}

impl ReceiverRow {
    /// Returns the row of a service. None without a user.
    async fn seal(stored: &StoredService, keys: &KeyringCache) -> Result<Option<Self>, TableError> {
        let (id, settings) = (stored.service.id, &stored.service.settings);
        let Some(user) = settings.user_id else {
            return Ok(None);
        };
        let document = settings.verification.to_value();
        Ok(Some(Self {
            service: id,
            name: settings.name.clone(),
            user,
            sealed: of_service(id).seal_json(&document, keys).await?,
        }))
    }

    async fn open(self, keys: &KeyringCache) -> Result<Receiver, TableError> {
        let field = of_service(self.service);
        let document = field.open_json(&self.sealed, keys).await?;
        Ok(Receiver {
            service: self.service,
            name: self.name,
            user: self.user,
            verification: restored(&field, Verification::restore(document))?,
        })
    }
}

fn of_service(id: ServiceId) -> EncryptedField {
    EncryptedField::new(services::KIND, id, "verification")
}

fn of_provider(id: ProviderId) -> EncryptedField {
    EncryptedField::new(providers::KIND, id, "verification")
}

impl ReporterRow {
    /// Returns the row of a provider. None if it has no callback URL.
    async fn seal(
        stored: &StoredProvider,
        keys: &KeyringCache,
    ) -> Result<Option<Self>, TableError> {
        let (id, settings) = (stored.provider.id, &stored.provider.settings);
        if !settings.has_callback_url() {
            return Ok(None);
        }
        let mapping = settings
            .callback
            .as_ref()
            .and_then(|callback| callback.mapping.as_ref());
        let inbound = settings.inbound.as_ref();
        let secrets = ReporterSecrets {
            verification: match settings.verification() {
                Verification::None => None,
                verification => Some(verification.to_value()),
            },
            masked: inbound.map(|_| stored.secrets()),
        };
        let sealed = if secrets.verification.is_some() || inbound.is_some() {
            Some(of_provider(id).seal_json(&secrets, keys).await?)
        } else {
            None
        };
        Ok(Some(Self {
            provider: id,
            channel: settings.channel,
            callback: mapping.map(|mapping| mapping.to_value().to_string()),
            inbound: inbound.map(|inbound| inbound.to_value().to_string()),
            name: inbound.map(|_| settings.name.clone()),
            sealed,
        }))
    }

    async fn open(self, keys: &KeyringCache) -> Result<Reporter, TableError> {
        let field = of_provider(self.provider);
        let document = format!("callback of {}", self.provider);
        let parsed = |text: Option<String>| {
            let value = text.map(|text| parse_json(&document, &text));
            value.transpose()
        };
        let mapping = parsed(self.callback)?.map(|value| Mapping::parse(value, self.channel));
        let inbound =
            parsed(self.inbound)?.map(|value| InboundSettings::read(value, Source::Table));
        let ReporterSecrets {
            verification,
            masked,
        } = match self.sealed {
            Some(sealed) => field.open_json(&sealed, keys).await?,
            None => ReporterSecrets::default(),
        };
        let verification = verification.map(Verification::restore).transpose();
        Ok(Reporter {
            provider: self.provider,
            name: self.name.unwrap_or_default(),
            verification: restored(&field, verification)?.unwrap_or(Verification::None),
            reader: Reader {
                channel: self.channel,
                mapping: restored(&document, mapping.transpose())?,
                inbound: restored(&document, inbound.transpose())?,
            },
            secrets: masked.unwrap_or_default(),
        })
    }
}

impl Table {
    /// Resolves an inbound key. One read if the service's user is unchanged, because the item names
    /// the user.
    pub async fn resolve_inbound_key(
        &self,
        key: &InboundKey,
        keys: &KeyringCache,
    ) -> Result<Option<KeyOwner>, TableError> {
        let hashed = hashed(key, &*keys.get().await?);
        let of_user = key.user().map(Key::user);
        let wanted: Vec<Key> = [Some(hashed.clone()), of_user.clone()]
            .into_iter()
            .flatten()
            .collect();
        let mut items = self.get_all(&wanted).await?;
        let Some(row) = items.remove(&hashed) else {
            return Ok(None);
        };
        if row.contains_key("provider") {
            let row: ReporterRow = serde_dynamo::from_item(row)?;
            let reporter = Box::new(row.open(keys).await?);
            return Ok(Some(KeyOwner::Provider(reporter)));
        }
        let row: ReceiverRow = serde_dynamo::from_item(row)?;
        let holder = match of_user.and_then(|of_user| items.remove(&of_user)) {
            Some(item) if Some(row.user) == key.user() => Some(StoredUser::from_item(item)?),
            _ => self.user(row.user).await?,
        };
        let receiver = row.open(keys).await?;
        // A user with services can't be deleted.
        Ok(holder.map(|holder| KeyOwner::Service(Box::new(receiver), Box::new(holder))))
    }
}

impl Transaction<'_> {
    /// Writes the item under a service's inbound key.
    pub(super) async fn change_receiver(
        &mut self,
        before: Option<&StoredService>,
        after: Option<&StoredService>,
        keys: &KeyringCache,
    ) -> Result<(), TableError> {
        let row = match after {
            Some(after) => ReceiverRow::seal(after, keys).await?,
            None => None,
        };
        let key = |stored: Option<&StoredService>| stored.and_then(|stored| stored.key.clone());
        let ring = keys.get().await?;
        self.move_inbound_key(&ring, key(before), key(after).zip(row))
    }

    /// Writes the item under a provider's inbound key.
    pub(super) async fn change_reporter(
        &mut self,
        before: Option<&StoredProvider>,
        after: Option<&StoredProvider>,
        keys: &KeyringCache,
    ) -> Result<(), TableError> {
        let row = match after {
            Some(after) => ReporterRow::seal(after, keys).await?,
            None => None,
        };
        let key = |stored: Option<&StoredProvider>| stored.and_then(|stored| stored.key.clone());
        let ring = keys.get().await?;
        self.move_inbound_key(&ring, key(before), key(after).zip(row))
    }

    /// Writes `row` under the key `after`, and deletes the item of the key `before` if that is
    /// another one.
    fn move_inbound_key(
        &mut self,
        ring: &Keyring,
        before: Option<InboundKey>,
        after: Option<(InboundKey, impl Serialize)>,
    ) -> Result<(), TableError> {
        let old = before.map(|key| hashed(&key, ring));
        let new = after.map(|(key, row)| (hashed(&key, ring), row));
        if let Some(old) = old.filter(|old| new.as_ref().is_none_or(|(new, _)| old != new)) {
            self.delete(old);
        }
        if let Some((new, row)) = new {
            self.put(item(&new, None, row)?);
        }
        Ok(())
    }
}

fn hashed(key: &InboundKey, ring: &Keyring) -> Key {
    Key::inbound(&ring.token_key(key.expose()))
}
