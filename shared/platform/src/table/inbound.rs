//! Whose call one is that came to an inbound URL: a connected service's, or a provider's.
//!
//! What is needed lies under the keyed hash of the URL's key; those who own the URL write it with
//! every change of theirs.

use domain::{
    callback::Mapping,
    id::ProviderId,
    inbound::{Key as InboundKey, Receiver},
    message::Channel,
};
use serde::{Deserialize, Serialize};

use super::{
    Key, Table, TableError, TransactWriteItem, item, services::ReceiverRow, users::Holder,
};
use crate::document::{fault, faults};
use crate::{keyring::Keys, seal::Keyring};

/// Whose call it is.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A connected service's, with the user that it has.
    Service(Box<Receiver>, Box<Holder>),
    /// A provider's, which reports.
    Provider(Reporter),
}

/// A provider that reports.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// Its id.
    pub provider: ProviderId,
    /// What it carries.
    pub channel: Channel,
    /// How its reports are read.
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
        let value = serde_json::from_str(&callback).map_err(|error| unreadable(fault(&error)))?;
        let mapping =
            Mapping::parse(value, channel).map_err(|problems| unreadable(faults(&problems)))?;
        Ok(Self {
            provider,
            channel,
            mapping,
        })
    }
}

impl Table {
    /// The writes that put `row` under a key, and take what lies under the key `before` away, where
    /// that is another one.
    pub(super) fn move_inbound(
        &self,
        ring: &Keyring,
        before: Option<&InboundKey>,
        after: Option<(&InboundKey, impl Serialize)>,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let place = |key: &InboundKey| Key::inbound(&ring.token_key(key.expose()));
        let (old, new) = (before.map(place), after.map(|(key, row)| (place(key), row)));
        let gone = old.filter(|old| new.as_ref().is_none_or(|(new, _)| old != new));
        let gone = gone.map(|old| self.erase(&old, None));
        let put = new.map(|(new, row)| self.write(item(&new, None, row)?, None));
        gone.into_iter().chain(put).collect()
    }

    /// Who an inbound key is for. One read: a service's key names its user, as long as that is the
    /// same.
    pub async fn caller(
        &self,
        key: &InboundKey,
        keys: &Keys,
    ) -> Result<Option<Caller>, TableError> {
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
            return Ok(Some(Caller::Provider(row.try_into()?)));
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
        Ok(holder.map(|holder| Caller::Service(Box::new(receiver), Box::new(holder))))
    }
}
