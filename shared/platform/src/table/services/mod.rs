//! Connected services. A service's row, its name, the counts of its account and user, and the item
//! under its inbound key change in one transaction.

mod row;

use domain::{
    account::Account,
    audit::Entry,
    id::ServiceId,
    service::{Connection, Service},
};

use self::row::ServiceRow;
pub use self::row::StoredService;
use super::{
    Condition, Key, Table, TableError, WriteError,
    accounts::Uses,
    pagination::{Page, PageRequest},
    transaction::Transaction,
};
use crate::keyring::KeyringCache;

pub(super) const KIND: &str = "service";

impl Table {
    /// Creates a service, optionally with a new account.
    pub async fn create_service(
        &self,
        stored: &StoredService,
        account: Option<&Account>,
        keys: &KeyringCache,
        entries: &[Entry],
    ) -> Result<(), WriteError> {
        let item = row::seal(stored, keys).await?;
        let mut tx = self.transaction();
        tx.put_if(item, Condition::absent());
        tx.claim_name(name_key(&stored.service), stored.service.id);
        tx.change_account(None, Some(stored), account, keys).await?;
        tx.change_user(None, Some(stored));
        tx.change_receiver(None, Some(stored), keys).await?;
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
        let item = row::seal(after, keys).await?;
        let mut tx = self.transaction();
        tx.put_if(item, Condition::version(old.version));
        tx.rename(name_key(old), name_key(new), new.id);
        tx.change_account(Some(before), Some(after), account, keys)
            .await?;
        tx.change_user(Some(before), Some(after));
        tx.change_receiver(Some(before), Some(after), keys).await?;
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
        tx.change_account(Some(stored), None, None, keys).await?;
        tx.change_user(Some(stored), None);
        tx.change_receiver(Some(stored), None, keys).await?;
        tx.audit(&entry)?;
        tx.commit().await
    }

    /// Returns a service.
    pub async fn service(
        &self,
        id: ServiceId,
        keys: &KeyringCache,
    ) -> Result<Option<StoredService>, TableError> {
        match self.get::<ServiceRow>(&Key::service(id)).await? {
            Some(row) => row::open(row, keys).await.map(Some),
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
        let page = self.listed::<ServiceRow>(KIND, page_request).await?;
        page.open(KIND, |row| row::open(row, keys)).await
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

    /// Updates the service counts of the accounts if they differ between `before` and `after`.
    /// Creates `new_account`, if there is one.
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
            (Some(_), Some(account)) => {
                let uses = Uses {
                    services: 1,
                    ..Uses::default()
                };
                self.put_new_account(account, uses, keys).await?;
            }
            (Some(new), None) => self.count_account_use(new, 1),
            (None, _) => {}
        }
        Ok(())
    }

    /// Updates the service counts of the users if they differ between `before` and `after`.
    fn change_user(&mut self, before: Option<&StoredService>, after: Option<&StoredService>) {
        let user = |stored: Option<&StoredService>| stored?.service.settings.user_id;
        self.move_use(user(before), user(after), Self::count_service);
    }
}

fn name_key(service: &Service) -> Key {
    Key::name(KIND, &service.settings.name)
}
