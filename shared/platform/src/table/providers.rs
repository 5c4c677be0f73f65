//! Providers, which of them is its channel's default, and what lies under the keys of their
//! callback URLs.
//!
//! A provider's settings and its inbound key are one sealed document. Which provider is the default
//! stands in clear, in its row and in its channel's partition: it moves from one provider to
//! another in one transaction, so that a channel never has two. What a message needs to find its
//! provider is read strongly consistent, in two calls at the most. Its row counts the campaigns
//! that name it.

use std::collections::HashMap;

use domain::{
    audit::Entry,
    id::ProviderId,
    inbound::Key as InboundKey,
    message::Channel,
    origin::SecretOrigins,
    provider::{Provider, Settings},
    webhook::settings::Reveal,
};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Condition, Item, Key, Table, TableError, TransactWriteItem, WriteError,
    inbound::ReporterRow,
    item, key, number, text, unreadable,
    walk::{Page, Slice},
};
use crate::document::{fault, faults};
use crate::{clock, keyring::Keys, seal::Place};

pub(super) const KIND: &str = "provider";
/// How often a change of the default is tried that meets another one.
const TRIES: u32 = 5;

#[derive(Clone, Serialize, Deserialize)]
struct Row {
    id: ProviderId,
    name: String,
    channel: Channel,
    /// Whether it is its channel's default: this counts, whatever the sealed document says.
    default: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
    /// How many campaigns name it.
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

/// One of a channel's providers, or which of them is the default.
#[derive(Serialize, Deserialize)]
struct Member {
    sk: String,
    id: ProviderId,
}

/// A provider with what else its row tells.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The provider.
    pub provider: Provider,
    /// The key of its callback URL, where it reports.
    pub key: Option<InboundKey>,
    /// How many campaigns name it.
    pub campaigns: u32,
}

impl Row {
    async fn seal(stored: &Stored, keys: &Keys) -> Result<Self, TableError> {
        let Stored {
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

    async fn open(self, keys: &Keys) -> Result<Stored, TableError> {
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
            .map_err(|error| unreadable(fault(&error)))?;
        settings.insert("default".to_owned(), default.into());
        let settings =
            Settings::restore(settings.into()).map_err(|problems| unreadable(faults(&problems)))?;
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
        Ok(Stored {
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

    fn unchanged(&self) -> Condition {
        Condition::that("#version = :version", [(":version", number(self.version))])
    }
}

fn place(id: &str) -> Place<'_> {
    Place {
        resource: KIND,
        id,
        field: "private",
    }
}

impl Table {
    /// Adds a provider. `moved` makes the entry that tells of the one that was the default before.
    pub async fn create_provider(
        &self,
        stored: &Stored,
        keys: &Keys,
        entry: &Entry,
        moved: impl Fn(ProviderId) -> Entry,
    ) -> Result<(), WriteError> {
        let mut writes = self.new_provider(stored, keys).await?;
        writes.push(self.audit_write(entry)?);
        self.with_default(writes, None, Some(&stored.provider), moved)
            .await
    }

    /// The writes of a new provider: its row first, its name next. That it is the default is not
    /// among them.
    pub(super) async fn new_provider(
        &self,
        stored: &Stored,
        keys: &Keys,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let Provider { id, settings, .. } = &stored.provider;
        let member = item(
            &Key::of_channel(settings.channel, *id),
            None,
            serde_json::json!({"id": id}),
        )?;
        let mut writes = vec![
            self.write(
                Row::seal(stored, keys).await?.item()?,
                Some(Condition::absent()),
            )?,
            self.write(name_item(&stored.provider)?, Some(Condition::absent()))?,
            self.write(member, None)?,
        ];
        self.change_reporter(&mut writes, None, Some(stored), keys)
            .await?;
        Ok(writes)
    }

    /// Replaces a provider, unless it has changed meanwhile. Its channel is the same.
    pub async fn update_provider(
        &self,
        before: &Stored,
        after: &Stored,
        keys: &Keys,
        entry: &Entry,
        moved: impl Fn(ProviderId) -> Entry,
    ) -> Result<(), WriteError> {
        let mut writes = vec![self.write(
            Row::seal(after, keys).await?.item()?,
            Some(unchanged(&before.provider)),
        )?];
        if name_key(&before.provider) != name_key(&after.provider) {
            writes.push(self.write(name_item(&after.provider)?, Some(Condition::absent()))?);
            writes.push(self.erase(&name_key(&before.provider), None)?);
        }
        writes.push(self.audit_write(entry)?);
        self.change_reporter(&mut writes, Some(before), Some(after), keys)
            .await?;
        self.with_default(writes, Some(&before.provider), Some(&after.provider), moved)
            .await
    }

    /// Counts one campaign more, or less, that names the provider; refused when it is not there.
    pub(super) fn provider_used(
        &self,
        id: ProviderId,
        change: i8,
    ) -> Result<TransactWriteItem, TableError> {
        let values = [(":change", number(change)), (":one", number(1))];
        let update = "SET #version = #version + :one ADD #campaigns :change";
        self.update(
            &Key::provider(id),
            update,
            Condition::that("attribute_exists(pk)", values),
        )
    }

    /// Removes a provider that no campaign names, unless it has changed meanwhile.
    pub async fn delete_provider(
        &self,
        stored: &Stored,
        keys: &Keys,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let Provider { id, settings, .. } = &stored.provider;
        let mut writes = vec![
            self.erase(&Key::provider(*id), Some(unchanged(&stored.provider)))?,
            self.erase(&name_key(&stored.provider), None)?,
            self.erase(&Key::of_channel(settings.channel, *id), None)?,
            self.audit_write(entry)?,
        ];
        self.change_reporter(&mut writes, Some(stored), None, keys)
            .await?;
        self.with_default(writes, Some(&stored.provider), None, |_| entry.clone())
            .await
    }

    /// One provider.
    pub async fn provider(
        &self,
        id: ProviderId,
        keys: &Keys,
    ) -> Result<Option<Stored>, TableError> {
        match self.get::<Row>(&Key::provider(id)).await? {
            Some(row) => row.open(keys).await.map(Some),
            None => Ok(None),
        }
    }

    /// The provider of this name, without regard to case.
    pub async fn provider_named(
        &self,
        name: &str,
        keys: &Keys,
    ) -> Result<Option<Stored>, TableError> {
        match self.named(&Key::name(KIND, name)).await? {
            Some(id) => self.provider(id, keys).await,
            None => Ok(None),
        }
    }

    /// Those of these providers that are there.
    pub async fn providers_of(
        &self,
        ids: &[ProviderId],
        keys: &Keys,
    ) -> Result<HashMap<ProviderId, Stored>, TableError> {
        let wanted: Vec<Key> = ids.iter().map(|id| Key::provider(*id)).collect();
        let items = self
            .get_all(&wanted)
            .await?
            .into_values()
            .filter_map(unreadable::from_item::<Row>)
            .collect();
        let opened = Page {
            items,
            next: None,
            weight: 0,
        }
        .open(KIND, |row| row.open(keys))
        .await?;
        Ok(opened
            .items
            .into_iter()
            .map(|stored| (stored.provider.id, stored))
            .collect())
    }

    /// All providers, newest first.
    pub async fn providers(&self, slice: &Slice, keys: &Keys) -> Result<Page<Stored>, TableError> {
        let page = self.listed::<Row>(KIND, slice).await?;
        page.open(KIND, |row| row.open(keys)).await
    }

    /// Those out of which [`domain::provider::choose`] chooses: the one `wanted` by id or name;
    /// else the channel's default, or as many of the channel's providers as tell whether there is
    /// more than one.
    pub async fn candidates(
        &self,
        wanted: Option<&str>,
        channel: Channel,
        keys: &Keys,
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

    /// Makes these writes, the resource's first and its name's next, together with those that
    /// change its channel's default.
    async fn with_default(
        &self,
        writes: Vec<TransactWriteItem>,
        before: Option<&Provider>,
        after: Option<&Provider>,
        moved: impl Fn(ProviderId) -> Entry,
    ) -> Result<(), WriteError> {
        let own = writes.len();
        for _ in 0..TRIES {
            let mut all = writes.clone();
            all.extend(self.change_default(before, after, &moved).await?);
            match self.transact(all).await? {
                Ok(()) => return Ok(()),
                // Another one has become the default meanwhile.
                Err(index) if index >= own => {}
                Err(index) => {
                    let Some(after) = after else {
                        return Err(WriteError::Changed);
                    };
                    return Err(self.refused(index, &name_key(after)).await?);
                }
            }
        }
        Err(WriteError::Changed)
    }

    async fn change_default(
        &self,
        before: Option<&Provider>,
        after: Option<&Provider>,
        moved: impl Fn(ProviderId) -> Entry,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let is_default = |provider: Option<&Provider>| {
            provider.is_some_and(|provider| provider.settings.default)
        };
        let Some(provider) = after
            .or(before)
            .filter(|_| is_default(before) != is_default(after))
        else {
            return Ok(Vec::new());
        };
        let place = Key::default_of(provider.settings.channel);
        if !is_default(after) {
            return Ok(vec![self.erase(&place, None)?]);
        }
        let former = self.get::<Member>(&place).await?.map(|member| member.id);
        let condition = former.map_or_else(Condition::absent, |id| {
            Condition::that("#id = :id", [(":id", text(id.to_string()))])
        });
        let mut writes = vec![self.write(
            item(&place, None, serde_json::json!({"id": provider.id}))?,
            Some(condition),
        )?];
        if let Some(row) = match former {
            Some(former) => self.get::<Row>(&Key::provider(former)).await?,
            None => None,
        } {
            let other = Row {
                default: false,
                updated_at: clock::now(),
                version: row.version + 1,
                ..row.clone()
            };
            writes.push(self.write(other.item()?, Some(row.unchanged()))?);
            writes.push(self.audit_write(&moved(row.id))?);
        }
        Ok(writes)
    }

    async fn change_reporter(
        &self,
        writes: &mut Vec<TransactWriteItem>,
        before: Option<&Stored>,
        after: Option<&Stored>,
        keys: &Keys,
    ) -> Result<(), TableError> {
        let ring = keys.get().await?;
        let row = after.and_then(
            |Stored {
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
        let key = |stored: Option<&Stored>| stored.and_then(|stored| stored.key.clone());
        writes.extend(self.move_inbound(
            &ring,
            key(before).as_ref(),
            key(after).as_ref().zip(row),
        )?);
        Ok(())
    }
}

fn name_key(provider: &Provider) -> Key {
    Key::name(KIND, &provider.settings.name)
}

fn name_item(provider: &Provider) -> Result<Item, TableError> {
    item(
        &name_key(provider),
        None,
        serde_json::json!({"id": provider.id}),
    )
}

fn unchanged(provider: &Provider) -> Condition {
    Condition::that(
        "#version = :version",
        [(":version", number(provider.version))],
    )
}
