//! The partition of each channel: its providers with their fallbacks, and the default.
//!
//! The default is marked in the provider's row and in its channel's partition. It moves between
//! providers in one transaction, so that a channel never has two. Finding a message's provider
//! takes at most two strongly consistent reads.

use domain::{
    audit::Entry,
    id::ProviderId,
    message::Channel,
    provider::{Provider, fallback::Fallbacks},
};
use serde::{Deserialize, Serialize};

use super::{KIND, row::ProviderRow};
use crate::{
    clock,
    keyring::KeyringCache,
    table::{
        Condition, Key, Table, TableError, WriteError,
        item::{item, text},
        key,
        transaction::Transaction,
    },
};

/// Tries for a change of the default that conflicts with another one.
const MAX_TRIES: u32 = 5;

/// An entry in a channel's partition: a provider or the default.
#[derive(Serialize, Deserialize)]
struct ChannelEntry {
    sk: String,
    id: ProviderId,
    #[serde(default)]
    fallback: Option<ProviderId>,
}

impl Table {
    /// Returns the input of [`domain::provider::choose`]: the provider `wanted` by ID or name.
    /// Otherwise the channel's default, or enough of the channel's providers to tell whether there
    /// is more than one.
    pub async fn provider_candidates(
        &self,
        wanted: Option<&str>,
        channel: Channel,
        keys: &KeyringCache,
    ) -> Result<Vec<Provider>, TableError> {
        let ids = if let Some(wanted) = wanted {
            let named = self.id_by_name(&Key::name(KIND, wanted)).await?;
            wanted.parse().ok().into_iter().chain(named).collect()
        } else {
            let entries: Vec<ChannelEntry> = self.all(&key::channel(channel)).await?;
            let default = entries.iter().find(|entry| entry.sk == key::DEFAULT);
            default.map_or_else(
                || entries.iter().map(|entry| entry.id).take(2).collect(),
                |default| vec![default.id],
            )
        };
        let found = self.providers_of(&ids, keys).await?.into_values();
        Ok(found.map(|stored| stored.provider).collect())
    }

    /// Returns the providers of a channel, each with its fallback.
    pub async fn fallbacks(&self, channel: Channel) -> Result<Fallbacks, TableError> {
        let entries: Vec<ChannelEntry> = self.all(&key::channel(channel)).await?;
        let providers = entries.into_iter().filter(|entry| entry.sk != key::DEFAULT);
        Ok(providers.map(|entry| (entry.id, entry.fallback)).collect())
    }

    /// Executes the transaction of a provider together with the writes that change its channel's
    /// default.
    pub(super) async fn commit_with_default(
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
        let previous = self.get::<ChannelEntry>(&key).await?.map(|entry| entry.id);
        let unchanged = previous.map_or_else(Condition::absent, |id| {
            Condition::that("#id = :id", [(":id", text(id.to_string()))])
        });
        let entry = item(&key, None, serde_json::json!({"id": provider.id}))?;
        tx.put_if(entry, unchanged);
        if let Some(row) = match previous {
            Some(previous) => self.get::<ProviderRow>(&Key::provider(previous)).await?,
            None => None,
        } {
            let other = row.clone().without_default(clock::now());
            tx.put_if(other.item()?, Condition::version(row.version));
            tx.audit(&moved(row.id))?;
        }
        Ok(())
    }
}
