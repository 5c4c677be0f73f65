//! Providers, the default provider of each channel, and the items under the keys of callback URLs.
//!
//! A provider's settings and its inbound key are one encrypted document. The default is marked,
//! unencrypted, in the provider's row and in its channel's partition. It moves between providers in
//! one transaction, so that a channel never has two. Finding a message's provider takes at most two
//! strongly consistent reads. A provider's row counts its campaigns.

use std::collections::HashMap;

use domain::{
    audit::Entry,
    id::ProviderId,
    inbound::Key as InboundKey,
    message::Channel,
    provider::{Provider, Settings},
    secrets::{Reveal, origin::SecretOrigins},
};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Condition, Item, Key, Table, TableError, WriteError,
    inbound::ReporterRow,
    item::{item, text},
    key,
    pagination::{Page, PageRequest},
    transaction::Transaction,
};
use crate::{
    clock,
    document::{describe_json_error, describe_validation_errors},
    encryption::AadContext,
    keyring::KeyringCache,
};

pub(super) const KIND: &str = "provider";
/// Tries for a change of the default that conflicts with another one.
const MAX_TRIES: u32 = 5;

#[derive(Clone, Serialize, Deserialize)]
struct Row {
    id: ProviderId,
    name: String,
    channel: Channel,
    /// Whether this is its channel's default. Authoritative over the encrypted document.
    default: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
    /// Number of campaigns that use the provider.
    #[serde(default)]
    campaigns: u32,
    sealed: String,
}

#[derive(Serialize, Deserialize)]
struct Private {
    settings: Map<String, Value>,
    key: Option<String>,
    #[serde(default, skip_serializing_if = "SecretOrigins::is_empty")]
    secret_origins: SecretOrigins,
}

/// An entry in a channel's partition: a provider or the default.
#[derive(Serialize, Deserialize)]
struct Member {
    sk: String,
    id: ProviderId,
}

/// A provider with its stored state.
#[derive(Debug, Clone)]
pub struct StoredProvider {
    /// The provider.
    pub provider: Provider,
    /// Key of the callback URL for status reports.
    pub key: Option<InboundKey>,
    /// Number of campaigns that use the provider.
    pub campaigns: u32,
}

impl Row {
    async fn seal(stored: &StoredProvider, keys: &KeyringCache) -> Result<Self, TableError> {
        let StoredProvider {
            provider,
            key,
            campaigns,
        } = stored;
        let Provider {
            id,
            settings,
            created_at,
            updated_at,
            version,
            secret_origins,
        } = provider;
        let private = Private {
            settings: settings.to_map(Reveal::Full),
            key: key.as_ref().map(|key| key.expose().to_owned()),
            secret_origins: secret_origins.clone(),
        };
        let document = serde_json::to_string(&private)
            .map_err(|error| TableError::Document(error.to_string()))?;
        let sealed = keys.get().await?.seal(place(&id.to_string()), &document);
        Ok(Self {
            id: *id,
            name: settings.name.clone(),
            channel: settings.channel,
            default: settings.default,
            created_at: *created_at,
            updated_at: *updated_at,
            version: *version,
            campaigns: *campaigns,
            sealed,
        })
    }

    async fn open(self, keys: &KeyringCache) -> Result<StoredProvider, TableError> {
        let Self {
            id,
            default,
            created_at,
            updated_at,
            version,
            campaigns,
            sealed,
            name: _,
            channel: _,
        } = self;
        let document = keys.open(place(&id.to_string()), &sealed).await?;
        let unreadable = |what: String| TableError::Document(format!("provider {id}: {what}"));
        let Private {
            mut settings,
            key,
            secret_origins,
        } = serde_json::from_str(document.expose_secret())
            .map_err(|error| unreadable(describe_json_error(&error)))?;
        settings.insert("default".to_owned(), default.into());
        let settings = Settings::restore(settings.into())
            .map_err(|problems| unreadable(describe_validation_errors(&problems)))?;
        let parsed = |key: String| {
            InboundKey::parse(&key).ok_or_else(|| unreadable("its inbound key".to_owned()))
        };
        let provider = Provider {
            id,
            settings,
            created_at,
            updated_at,
            version,
            secret_origins,
        };
        Ok(StoredProvider {
            provider,
            key: key.map(parsed).transpose()?,
            campaigns,
        })
    }

    fn item(&self) -> Result<Item, TableError> {
        item(
            &Key::provider(self.id),
            Some((KIND, self.id.ulid().to_string())),
            self,
        )
    }
}

fn place(id: &str) -> AadContext<'_> {
    AadContext {
        resource: KIND,
        id,
        field: "private",
    }
}

impl Table {
    /// Creates a provider. `moved` makes the audit entry for the previous default.
    pub async fn create_provider(
        &self,
        stored: &StoredProvider,
        keys: &KeyringCache,
        entry: &Entry,
        moved: impl Fn(ProviderId) -> Entry,
    ) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.put_new_provider(stored, keys).await?;
        tx.audit(entry)?;
        self.commit_with_default(tx, None, Some(&stored.provider), moved)
            .await
    }

    /// Replaces a provider unless it has changed since it was read. The channel must be the same.
    pub async fn update_provider(
        &self,
        before: &StoredProvider,
        after: &StoredProvider,
        keys: &KeyringCache,
        entry: &Entry,
        moved: impl Fn(ProviderId) -> Entry,
    ) -> Result<(), WriteError> {
        let (old, new) = (&before.provider, &after.provider);
        let mut tx = self.transaction();
        tx.put_if(
            Row::seal(after, keys).await?.item()?,
            Condition::version(old.version),
        );
        tx.rename(name_key(old), name_key(new), new.id);
        tx.audit(entry)?;
        tx.change_reporter(Some(before), Some(after), keys).await?;
        self.commit_with_default(tx, Some(old), Some(new), moved)
            .await
    }

    /// Deletes a provider that no campaign uses, unless it has changed since it was read.
    pub async fn delete_provider(
        &self,
        stored: &StoredProvider,
        keys: &KeyringCache,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let provider = &stored.provider;
        let mut tx = self.transaction();
        tx.delete_if(
            Key::provider(provider.id),
            Condition::version(provider.version),
        );
        tx.delete(name_key(provider));
        tx.delete(Key::of_channel(provider.settings.channel, provider.id));
        tx.audit(entry)?;
        tx.change_reporter(Some(stored), None, keys).await?;
        self.commit_with_default(tx, Some(provider), None, |_| entry.clone())
            .await
    }

    /// Returns a provider.
    pub async fn provider(
        &self,
        id: ProviderId,
        keys: &KeyringCache,
    ) -> Result<Option<StoredProvider>, TableError> {
        match self.get::<Row>(&Key::provider(id)).await? {
            Some(row) => row.open(keys).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns the provider with this name, ignoring case.
    pub async fn provider_named(
        &self,
        name: &str,
        keys: &KeyringCache,
    ) -> Result<Option<StoredProvider>, TableError> {
        match self.id_by_name(&Key::name(KIND, name)).await? {
            Some(id) => self.provider(id, keys).await,
            None => Ok(None),
        }
    }

    /// Returns those of these providers that exist.
    pub async fn providers_of(
        &self,
        ids: &[ProviderId],
        keys: &KeyringCache,
    ) -> Result<HashMap<ProviderId, StoredProvider>, TableError> {
        let rows = self
            .get_rows::<Row>(ids.iter().map(|id| Key::provider(*id)))
            .await?;
        let opened = Page {
            items: rows.collect(),
            next: None,
            response_bytes: 0,
        }
        .open(KIND, |row| row.open(keys))
        .await?;
        Ok(opened
            .items
            .into_iter()
            .map(|stored| (stored.provider.id, stored))
            .collect())
    }

    /// Lists providers, newest first.
    pub async fn providers(
        &self,
        page_request: &PageRequest,
        keys: &KeyringCache,
    ) -> Result<Page<StoredProvider>, TableError> {
        let page = self.listed::<Row>(KIND, page_request).await?;
        page.open(KIND, |row| row.open(keys)).await
    }

    /// Returns the input of [`domain::provider::choose`]: the provider `wanted` by ID or name.
    /// Otherwise the channel's default, or enough of the channel's providers to tell whether there
    /// is more than one.
    pub async fn candidates(
        &self,
        wanted: Option<&str>,
        channel: Channel,
        keys: &KeyringCache,
    ) -> Result<Vec<Provider>, TableError> {
        let ids = if let Some(wanted) = wanted {
            let named = self.get::<Member>(&Key::name(KIND, wanted)).await?;
            wanted
                .parse()
                .ok()
                .into_iter()
                .chain(named.map(|member| member.id))
                .collect()
        } else {
            let members: Vec<Member> = self.all(&key::channel(channel)).await?;
            let default = members
                .iter()
                .find(|member| member.sk == key::DEFAULT)
                .map(|member| member.id);
            default.map_or_else(
                || members.iter().map(|member| member.id).take(2).collect(),
                |id| vec![id],
            )
        };
        Ok(self
            .providers_of(&ids, keys)
            .await?
            .into_values()
            .map(|stored| stored.provider)
            .collect())
    }

    /// Executes the transaction of a provider together with the writes that change its channel's
    /// default.
    async fn commit_with_default(
        &self,
        tx: Transaction<'_>,
        before: Option<&Provider>,
        after: Option<&Provider>,
        moved: impl Fn(ProviderId) -> Entry,
    ) -> Result<(), WriteError> {
        for _ in 0..MAX_TRIES {
            let mut all = tx.clone();
            self.change_default(&mut all, before, after, &moved).await?;
            match all.try_commit().await? {
                Ok(()) => return Ok(()),
                // Another provider became the default in the meantime.
                Err(index) if index >= tx.len() => {}
                Err(index) => return Err(tx.error(index).await?),
            }
        }
        Err(WriteError::Changed)
    }

    async fn change_default(
        &self,
        tx: &mut Transaction<'_>,
        before: Option<&Provider>,
        after: Option<&Provider>,
        moved: impl Fn(ProviderId) -> Entry,
    ) -> Result<(), TableError> {
        let is_default = |provider: Option<&Provider>| {
            provider.is_some_and(|provider| provider.settings.default)
        };
        let Some(provider) = after
            .or(before)
            .filter(|_| is_default(before) != is_default(after))
        else {
            return Ok(());
        };
        let key = Key::default_of(provider.settings.channel);
        if !is_default(after) {
            tx.delete(key);
            return Ok(());
        }
        let previous = self.get::<Member>(&key).await?.map(|member| member.id);
        let unchanged = previous.map_or_else(Condition::absent, |id| {
            Condition::that("#id = :id", [(":id", text(id.to_string()))])
        });
        tx.put_if(
            item(&key, None, serde_json::json!({"id": provider.id}))?,
            unchanged,
        );
        if let Some(row) = match previous {
            Some(previous) => self.get::<Row>(&Key::provider(previous)).await?,
            None => None,
        } {
            let other = Row {
                default: false,
                updated_at: clock::now(),
                version: row.version + 1,
                ..row.clone()
            };
            tx.put_if(other.item()?, Condition::version(row.version));
            tx.audit(&moved(row.id))?;
        }
        Ok(())
    }
}

impl Transaction<'_> {
    /// Writes a new provider, without making it its channel's default.
    pub(super) async fn put_new_provider(
        &mut self,
        stored: &StoredProvider,
        keys: &KeyringCache,
    ) -> Result<(), TableError> {
        let provider = &stored.provider;
        self.put_if(Row::seal(stored, keys).await?.item()?, Condition::absent());
        self.claim_name(name_key(provider), provider.id);
        self.put(item(
            &Key::of_channel(provider.settings.channel, provider.id),
            None,
            serde_json::json!({"id": provider.id}),
        )?);
        self.change_reporter(None, Some(stored), keys).await
    }

    /// Adds `change` to the provider's number of campaigns. Fails if the provider does not exist.
    pub(super) fn count_provider_use(&mut self, id: ProviderId, change: i8) {
        self.count(Key::provider(id), "campaigns", change);
    }

    async fn change_reporter(
        &mut self,
        before: Option<&StoredProvider>,
        after: Option<&StoredProvider>,
        keys: &KeyringCache,
    ) -> Result<(), TableError> {
        let ring = keys.get().await?;
        let row = after.and_then(
            |StoredProvider {
                 provider: Provider { id, settings, .. },
                 ..
             }| {
                let callback = settings.callback.as_ref()?.to_value().to_string();
                Some(ReporterRow {
                    provider: *id,
                    channel: settings.channel,
                    callback,
                })
            },
        );
        let key = |stored: Option<&StoredProvider>| stored.and_then(|stored| stored.key.clone());
        self.move_inbound_key(&ring, key(before).as_ref(), key(after).as_ref().zip(row))
    }
}

fn name_key(provider: &Provider) -> Key {
    Key::name(KIND, &provider.settings.name)
}
