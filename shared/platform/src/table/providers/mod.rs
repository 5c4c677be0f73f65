//! Providers. A provider's row, its name, its entry in its channel's partition, the item under its
//! inbound key, the count of its account and the channel's default change in one transaction.

mod default;
mod row;

use std::collections::HashMap;

use domain::{audit::Entry, id::ProviderId, message::Fallback, provider::Provider};

use self::row::ProviderRow;
pub use self::row::StoredProvider;
use super::{
    Condition, Item, Key, Table, TableError, WriteError,
    item::item,
    pagination::{Page, PageRequest},
    transaction::Transaction,
    unreadable::readable,
};
use crate::keyring::KeyringCache;

pub(super) const KIND: &str = "provider";

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
        tx.change_provider_account(None, Some(&stored.provider));
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
        let row = ProviderRow::seal(after, keys).await?;
        let mut tx = self.transaction();
        tx.put_if(row.item()?, Condition::version(old.version));
        tx.rename(name_key(old), name_key(new), new.id);
        tx.change_provider_account(Some(old), Some(new));
        if old.settings.fallback_provider_id != new.settings.fallback_provider_id {
            tx.put(channel_entry(new)?);
        }
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
        tx.change_provider_account(Some(provider), None);
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
        match self.get::<ProviderRow>(&Key::provider(id)).await? {
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
            .get_rows::<ProviderRow>(ids.iter().map(|id| Key::provider(*id)))
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

    /// Returns a provider as a fallback. None if it does not exist or its row is unreadable.
    pub async fn fallback(
        &self,
        id: ProviderId,
        keys: &KeyringCache,
    ) -> Result<Option<Fallback>, TableError> {
        let row = readable(id, self.get::<ProviderRow>(&Key::provider(id)).await)?;
        match row.flatten() {
            Some(row) => row.fallback(keys).await.map(Some),
            None => Ok(None),
        }
    }

    /// Lists providers, newest first.
    pub async fn providers(
        &self,
        page_request: &PageRequest,
        keys: &KeyringCache,
    ) -> Result<Page<StoredProvider>, TableError> {
        let page = self.listed::<ProviderRow>(KIND, page_request).await?;
        page.open(KIND, |row| row.open(keys)).await
    }
}

impl Transaction<'_> {
    /// Writes a new provider, without making it its channel's default and without counting it at its
    /// account.
    pub(super) async fn put_new_provider(
        &mut self,
        stored: &StoredProvider,
        keys: &KeyringCache,
    ) -> Result<(), TableError> {
        let provider = &stored.provider;
        let row = ProviderRow::seal(stored, keys).await?;
        self.put_if(row.item()?, Condition::absent());
        self.claim_name(name_key(provider), provider.id);
        self.put(channel_entry(provider)?);
        self.change_reporter(None, Some(stored), keys).await
    }

    /// Updates the provider counts of the accounts if they differ between `before` and `after`.
    fn change_provider_account(&mut self, before: Option<&Provider>, after: Option<&Provider>) {
        let account = |provider: Option<&Provider>| provider?.settings.auth.account();
        self.move_use(
            account(before),
            account(after),
            Self::count_account_provider,
        );
    }

    /// Adds `change` to the provider's number of campaigns. Fails if the provider does not exist.
    pub(super) fn count_provider_use(&mut self, id: ProviderId, change: i8) {
        self.count(Key::provider(id), "campaigns", change);
    }
}

/// The provider's entry in its channel's partition.
fn channel_entry(provider: &Provider) -> Result<Item, TableError> {
    let mut entry = serde_json::json!({"id": provider.id});
    if let Some(fallback) = provider.settings.fallback_provider_id {
        entry["fallback"] = serde_json::json!(fallback);
    }
    let key = Key::of_channel(provider.settings.channel, provider.id);
    item(&key, None, entry)
}

fn name_key(provider: &Provider) -> Key {
    Key::name(KIND, &provider.settings.name)
}
