//! Resolves an inbound key to its connected service or provider.
//!
//! The data is stored under the keyed hash of the URL's key. It is written with every change of the
//! service or provider.

use domain::{
    callback::Mapping,
    id::ProviderId,
    inbound::{Key as InboundKey, Receiver},
    message::Channel,
};
use serde::{Deserialize, Serialize};

use super::{
    Key, Table, TableError, item::item, services::ReceiverRow, transaction::Transaction,
    users::Holder,
};
use crate::{
    document::{describe_json_error, describe_validation_errors},
    encryption::Keyring,
    keyring::KeyringCache,
};

/// The owner of an inbound URL.
#[derive(Debug, Clone)]
pub enum KeyOwner {
    /// A connected service and its user.
    Service(Box<Receiver>, Box<Holder>),
    /// A provider that sends reports.
    Provider(Reporter),
}

/// A provider that sends reports.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// The provider's ID.
    pub provider: ProviderId,
    /// The provider's channel.
    pub channel: Channel,
    /// How its reports are parsed.
    pub mapping: Mapping,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ReporterRow {
    pub(super) provider: ProviderId,
    pub(super) channel: Channel,
    /// JSON text.
    pub(super) callback: String,
}

impl TryFrom<ReporterRow> for Reporter {
    type Error = TableError;

    fn try_from(
        ReporterRow {
            provider,
            channel,
            callback,
        }: ReporterRow,
    ) -> Result<Self, TableError> {
        let unreadable =
            |what: String| TableError::Document(format!("callback of {provider}: {what}"));
        let value = serde_json::from_str(&callback)
            .map_err(|error| unreadable(describe_json_error(&error)))?;
        let mapping = Mapping::parse(value, channel)
            .map_err(|problems| unreadable(describe_validation_errors(&problems)))?;
        Ok(Self {
            provider,
            channel,
            mapping,
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
        let hash = keys.get().await?.token_key(key.expose());
        let (place, of_user) = (Key::inbound(&hash), key.user().map(Key::user));
        let wanted: Vec<Key> = [Some(place.clone()), of_user.clone()]
            .into_iter()
            .flatten()
            .collect();
        let mut items = self.get_all(&wanted).await?;
        let Some(row) = items.remove(&place) else {
            return Ok(None);
        };
        if row.contains_key("provider") {
            let row: ReporterRow = serde_dynamo::from_item(row)?;
            return Ok(Some(KeyOwner::Provider(row.try_into()?)));
        }
        let row: ReceiverRow = serde_dynamo::from_item(row)?;
        let holder = match of_user.and_then(|of_user| items.remove(&of_user)) {
            Some(item) if Some(row.user) == key.user() => Some(Holder::from_item(item)?),
            _ => self.user(row.user).await?,
        };
        let verification = row.open(keys).await?;
        let receiver = Receiver {
            service: row.service,
            name: row.name,
            user: row.user,
            verification,
        };
        // A user with services can't be deleted.
        Ok(holder.map(|holder| KeyOwner::Service(Box::new(receiver), Box::new(holder))))
    }
}

impl Transaction<'_> {
    /// Writes `row` under the key `after`, and deletes the item of the key `before` if that is
    /// another one.
    pub(super) fn move_inbound_key(
        &mut self,
        ring: &Keyring,
        before: Option<&InboundKey>,
        after: Option<(&InboundKey, impl Serialize)>,
    ) -> Result<(), TableError> {
        let hashed = |key: &InboundKey| Key::inbound(&ring.token_key(key.expose()));
        let (old, new) = (
            before.map(hashed),
            after.map(|(key, row)| (hashed(key), row)),
        );
        if let Some(old) = old.filter(|old| new.as_ref().is_none_or(|(new, _)| old != new)) {
            self.delete(old);
        }
        if let Some((new, row)) = new {
            self.put(item(&new, None, row)?);
        }
        Ok(())
    }
}
