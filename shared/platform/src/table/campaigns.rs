//! Campaigns, and the writes of an import.
//!
//! A campaign contains no secrets, so its row is not encrypted. The rows of its providers count it,
//! so that none of them can be deleted in the meantime.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    audit::Entry,
    campaign::{Campaign, Existing, import::Names},
    id::{CampaignId, ProviderId},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Condition, Item, Key, Table, TableError, TransactWriteItem, WriteError, item, number,
    pagination::{Page, PageRequest},
    providers,
};
use crate::keyring::KeyringCache;

const KIND: &str = "campaign";

/// A named resource.
#[derive(Deserialize)]
struct Named<T> {
    id: T,
}

impl Table {
    /// Creates a campaign.
    pub async fn create_campaign(
        &self,
        campaign: &Campaign,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut writes = self.new_campaign(campaign)?;
        writes.push(self.audit_write(entry)?);
        writes.extend(self.count_campaign(None, Some(campaign))?);
        self.transact_named(writes, &name_key(campaign)).await
    }

    /// Replaces a campaign unless it has changed since it was read.
    pub async fn update_campaign(
        &self,
        before: &Campaign,
        after: &Campaign,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut writes = vec![self.tx_put(campaign_item(after)?, Some(unchanged(before)))?];
        if name_key(before) != name_key(after) {
            writes.push(self.tx_put(name_item(after)?, Some(Condition::absent()))?);
            writes.push(self.tx_delete(&name_key(before), None)?);
        }
        writes.push(self.audit_write(entry)?);
        writes.extend(self.count_campaign(Some(before), Some(after))?);
        self.transact_named(writes, &name_key(after)).await
    }

    /// Deletes a campaign unless it has changed since it was read.
    pub async fn delete_campaign(
        &self,
        campaign: &Campaign,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut writes = vec![
            self.tx_delete(&Key::campaign(campaign.id), Some(unchanged(campaign)))?,
            self.tx_delete(&name_key(campaign), None)?,
            self.audit_write(entry)?,
        ];
        writes.extend(self.count_campaign(Some(campaign), None)?);
        self.transact(writes)
            .await?
            .map_err(|_| WriteError::Changed)
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
    pub async fn existing(
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
        let mut writes = Vec::new();
        for stored in new {
            writes.extend(self.new_provider(stored, keys).await?);
        }
        if let Some(campaign) = campaign {
            writes.extend(self.new_campaign(campaign)?);
            let reused = campaign
                .settings
                .providers()
                .filter(|id| new.iter().all(|stored| stored.provider.id != *id));
            for id in reused {
                writes.push(self.count_provider_use(id, 1)?);
            }
        }
        for entry in entries {
            writes.push(self.audit_write(entry)?);
        }
        // DynamoDB rejects an empty transaction.
        if writes.is_empty() {
            return Ok(());
        }
        self.transact(writes)
            .await?
            .map_err(|_| WriteError::Changed)
    }

    /// Returns the two writes of a new campaign: its row, then its name.
    fn new_campaign(&self, campaign: &Campaign) -> Result<Vec<TransactWriteItem>, TableError> {
        Ok(vec![
            self.tx_put(campaign_item(campaign)?, Some(Condition::absent()))?,
            self.tx_put(name_item(campaign)?, Some(Condition::absent()))?,
        ])
    }

    /// Updates the campaign counts of the providers that differ between `before` and `after`.
    fn count_campaign(
        &self,
        before: Option<&Campaign>,
        after: Option<&Campaign>,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let named = |campaign: Option<&Campaign>| -> BTreeSet<ProviderId> {
            campaign
                .into_iter()
                .flat_map(|campaign| campaign.settings.providers())
                .collect()
        };
        let (old, new) = (named(before), named(after));
        let gone = old
            .difference(&new)
            .map(|id| self.count_provider_use(*id, -1));
        gone.chain(
            new.difference(&old)
                .map(|id| self.count_provider_use(*id, 1)),
        )
        .collect()
    }

    /// Returns the IDs of the resources of a kind with these names, by lower-case name.
    async fn ids_by_name<T: DeserializeOwned>(
        &self,
        kind: &str,
        names: &[String],
    ) -> Result<BTreeMap<String, T>, TableError> {
        let wanted: Vec<Key> = names.iter().map(|name| Key::name(kind, name)).collect();
        let mut found = self.get_all(&wanted).await?;
        let pairs = names
            .iter()
            .zip(wanted)
            .filter_map(|(name, key)| Some((name.to_lowercase(), found.remove(&key)?)));
        pairs
            .map(|(name, item)| Ok((name, serde_dynamo::from_item::<_, Named<T>>(item)?.id)))
            .collect()
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

fn name_item(campaign: &Campaign) -> Result<Item, TableError> {
    item(
        &name_key(campaign),
        None,
        serde_json::json!({"id": campaign.id}),
    )
}

fn unchanged(campaign: &Campaign) -> Condition {
    Condition::that(
        "#version = :version",
        [(":version", number(campaign.version))],
    )
}
