//! Campaigns, and the writes of an import.
//!
//! A campaign contains no secrets, so its row is not encrypted. The rows of its providers count it,
//! so that none of them can be deleted in the meantime.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    audit::Entry,
    campaign::{Campaign, Existing, import::Names},
    id::{AccountId, CampaignId, ProviderId},
};

use super::{
    Condition, Item, Key, Table, TableError, WriteError, Written,
    item::item,
    pagination::{Page, PageRequest},
    providers,
    transaction::Transaction,
};
use crate::keyring::KeyringCache;

const KIND: &str = "campaign";

impl Table {
    /// Creates a campaign.
    pub async fn create_campaign(
        &self,
        campaign: &Campaign,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.put_new_campaign(campaign)?;
        tx.audit(entry)?;
        tx.count_campaign(None, Some(campaign));
        tx.commit().await
    }

    /// Replaces a campaign unless it has changed since it was read.
    pub async fn update_campaign(
        &self,
        before: &Campaign,
        after: &Campaign,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.put_if(campaign_item(after)?, Condition::version(before.version));
        tx.rename(name_key(before), name_key(after), after.id);
        tx.audit(entry)?;
        tx.count_campaign(Some(before), Some(after));
        tx.commit().await
    }

    /// Deletes a campaign unless it has changed since it was read.
    pub async fn delete_campaign(
        &self,
        campaign: &Campaign,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.delete_if(
            Key::campaign(campaign.id),
            Condition::version(campaign.version),
        );
        tx.delete(name_key(campaign));
        tx.audit(entry)?;
        tx.count_campaign(Some(campaign), None);
        tx.commit().await
    }

    /// Returns a campaign.
    pub async fn campaign(&self, id: CampaignId) -> Result<Option<Campaign>, TableError> {
        self.get(&Key::campaign(id)).await
    }

    /// Returns the campaign with this name, ignoring case.
    pub async fn campaign_named(&self, name: &str) -> Result<Option<Campaign>, TableError> {
        match self.id_by_name(&Key::name(KIND, name)).await? {
            Some(id) => self.campaign(id).await,
            None => Ok(None),
        }
    }

    /// Lists campaigns, newest first.
    pub async fn campaigns(
        &self,
        page_request: &PageRequest,
    ) -> Result<Page<Campaign>, TableError> {
        self.listed(KIND, page_request).await
    }

    /// Returns the resources that have these names.
    pub async fn resources_named(
        &self,
        names: &Names,
        keys: &KeyringCache,
    ) -> Result<Existing, TableError> {
        let campaigns = self.ids_by_name(KIND, &names.campaigns).await?;
        let providers: BTreeMap<String, ProviderId> =
            self.ids_by_name(providers::KIND, &names.providers).await?;
        let rows = self
            .providers_of(&providers.values().copied().collect::<Vec<_>>(), keys)
            .await?;
        let mut accounts = BTreeMap::new();
        for name in &names.accounts {
            if let Some(used) = self.account_named(name, keys).await? {
                accounts.insert(name.to_lowercase(), used.account);
            }
        }
        let channel = |id: ProviderId| {
            rows.get(&id)
                .map(|stored| (id, stored.provider.settings.channel))
        };
        let providers = providers
            .into_iter()
            .filter_map(|(name, id)| Some((name, channel(id)?)))
            .collect();
        Ok(Existing {
            campaigns,
            providers,
            accounts,
        })
    }

    /// Creates everything that an import adds, or nothing. New providers already have their count
    /// of campaigns. Returns `Changed` if a name was taken, or a reused provider deleted, in the
    /// meantime.
    pub async fn import(
        &self,
        campaign: Option<&Campaign>,
        new: &[providers::StoredProvider],
        keys: &KeyringCache,
        entries: &[Entry],
    ) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        let mut accounts = BTreeMap::<AccountId, i8>::new();
        for stored in new {
            tx.put_new_provider(stored, keys).await?;
            if let Some(account) = stored.provider.settings.auth.account() {
                *accounts.entry(account).or_default() += 1;
            }
        }
        for (account, providers) in accounts {
            tx.count_account_provider(account, providers);
        }
        if let Some(campaign) = campaign {
            tx.put_new_campaign(campaign)?;
            let reused = campaign
                .settings
                .providers()
                .filter(|id| new.iter().all(|stored| stored.provider.id != *id));
            for id in reused {
                tx.count_provider_use(id, 1);
            }
        }
        for entry in entries {
            tx.audit(entry)?;
        }
        if tx.is_empty() {
            return Ok(());
        }
        match tx.commit_if().await? {
            Written::Yes => Ok(()),
            Written::ConditionFailed => Err(WriteError::Changed),
        }
    }
}

impl Transaction<'_> {
    /// Writes a new campaign, without counting it at its providers.
    fn put_new_campaign(&mut self, campaign: &Campaign) -> Result<(), TableError> {
        self.put_if(campaign_item(campaign)?, Condition::absent());
        self.claim_name(name_key(campaign), campaign.id);
        Ok(())
    }

    /// Updates the campaign counts of the providers that differ between `before` and `after`.
    fn count_campaign(&mut self, before: Option<&Campaign>, after: Option<&Campaign>) {
        let providers = |campaign: Option<&Campaign>| -> BTreeSet<ProviderId> {
            campaign
                .into_iter()
                .flat_map(|campaign| campaign.settings.providers())
                .collect()
        };
        let (old, new) = (providers(before), providers(after));
        for id in old.difference(&new) {
            self.count_provider_use(*id, -1);
        }
        for id in new.difference(&old) {
            self.count_provider_use(*id, 1);
        }
    }
}

fn campaign_item(campaign: &Campaign) -> Result<Item, TableError> {
    item(
        &Key::campaign(campaign.id),
        Some((KIND, campaign.id.ulid().to_string())),
        campaign,
    )
}

fn name_key(campaign: &Campaign) -> Key {
    Key::name(KIND, &campaign.settings.name)
}
