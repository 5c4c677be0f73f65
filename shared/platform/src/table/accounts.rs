//! Accounts of connected services.
//!
//! An account's settings are one encrypted document. The row counts the services that use the
//! account, so that no service can be created with an account that is being deleted. Issued tokens
//! are in an item of their own, because requests write them often.

use domain::{
    account::{Account, Settings},
    audit::Entry,
    id::AccountId,
    secrets::Reveal,
};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Condition, Item, Key, Table, TableError, WriteError,
    item::item,
    pagination::{Page, PageRequest},
    transaction::Transaction,
};
use crate::{
    document::{describe_json_error, describe_validation_errors},
    encryption::AadContext,
    keyring::KeyringCache,
};

const KIND: &str = "account";

#[derive(Serialize, Deserialize)]
struct Row {
    id: AccountId,
    name: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
    /// Number of services that use the account.
    #[serde(default)]
    services: u32,
    sealed: String,
}

/// An account with its usage count.
#[derive(Debug, Clone)]
pub struct Used {
    /// The account.
    pub account: Account,
    /// Number of services that use the account.
    pub services: u32,
}

impl Row {
    async fn seal(
        account: &Account,
        services: u32,
        keys: &KeyringCache,
    ) -> Result<Self, TableError> {
        let Account {
            id,
            settings,
            created_at,
            updated_at,
            version,
        } = account;
        let document = Value::Object(settings.to_map(Reveal::Full)).to_string();
        let sealed = keys
            .get()
            .await?
            .seal(place(&id.to_string(), "settings"), &document);
        let name = settings.name.clone();
        Ok(Self {
            id: *id,
            name,
            created_at: *created_at,
            updated_at: *updated_at,
            version: *version,
            services,
            sealed,
        })
    }

    async fn open(self, keys: &KeyringCache) -> Result<Used, TableError> {
        let Self {
            id,
            created_at,
            updated_at,
            version,
            services,
            sealed,
            name: _,
        } = self;
        let document = keys
            .open(place(&id.to_string(), "settings"), &sealed)
            .await?;
        let unreadable = |what: String| TableError::Document(format!("account {id}: {what}"));
        let value = serde_json::from_str(document.expose_secret())
            .map_err(|error| unreadable(describe_json_error(&error)))?;
        let settings = Settings::restore(value)
            .map_err(|problems| unreadable(describe_validation_errors(&problems)))?;
        Ok(Used {
            account: Account {
                id,
                settings,
                created_at,
                updated_at,
                version,
            },
            services,
        })
    }
}

fn place<'a>(id: &'a str, field: &'a str) -> AadContext<'a> {
    AadContext {
        resource: KIND,
        id,
        field,
    }
}

impl Table {
    /// Creates an account.
    pub async fn create_account(
        &self,
        account: &Account,
        keys: &KeyringCache,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.put_new_account(account, 0, keys).await?;
        tx.audit(entry)?;
        tx.commit().await
    }

    /// Replaces an account unless it has changed since it was read.
    pub async fn update_account(
        &self,
        before: &Used,
        after: &Account,
        keys: &KeyringCache,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.put_if(
            account_item(after, before.services, keys).await?,
            Condition::version(before.account.version),
        );
        tx.rename(name_key(&before.account), name_key(after), after.id);
        tx.audit(entry)?;
        tx.commit().await
    }

    /// Deletes an account that no service uses, unless it has changed since it was read.
    pub async fn delete_account(&self, account: &Account, entry: &Entry) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.delete_if(
            Key::account(account.id),
            Condition::version(account.version),
        );
        tx.delete(name_key(account));
        tx.delete(Key::issued(account.id));
        tx.audit(entry)?;
        tx.commit().await
    }

    /// Returns an account.
    pub async fn account(
        &self,
        id: AccountId,
        keys: &KeyringCache,
    ) -> Result<Option<Used>, TableError> {
        match self.get::<Row>(&Key::account(id)).await? {
            Some(row) => row.open(keys).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns the account with this name, ignoring case.
    pub async fn account_named(
        &self,
        name: &str,
        keys: &KeyringCache,
    ) -> Result<Option<Used>, TableError> {
        match self.id_by_name(&Key::name(KIND, name)).await? {
            Some(id) => self.account(id, keys).await,
            None => Ok(None),
        }
    }

    /// Lists accounts, newest first.
    pub async fn accounts(
        &self,
        page_request: &PageRequest,
        keys: &KeyringCache,
    ) -> Result<Page<Used>, TableError> {
        let page = self.listed::<Row>(KIND, page_request).await?;
        page.open(KIND, |row| row.open(keys)).await
    }
}

impl Transaction<'_> {
    /// Writes a new account that this many services use.
    pub(super) async fn put_new_account(
        &mut self,
        account: &Account,
        services: u32,
        keys: &KeyringCache,
    ) -> Result<(), TableError> {
        let item = account_item(account, services, keys).await?;
        self.put_if(item, Condition::absent());
        self.claim_name(name_key(account), account.id);
        Ok(())
    }

    /// Adds `change` to the account's number of services. Fails if the account does not exist.
    pub(super) fn count_account_use(&mut self, id: AccountId, change: i8) {
        self.count(Key::account(id), "services", change);
    }
}

async fn account_item(
    account: &Account,
    services: u32,
    keys: &KeyringCache,
) -> Result<Item, TableError> {
    let listing = Some((KIND, account.id.ulid().to_string()));
    item(
        &Key::account(account.id),
        listing,
        Row::seal(account, services, keys).await?,
    )
}

fn name_key(account: &Account) -> Key {
    Key::name(KIND, &account.settings.name)
}
