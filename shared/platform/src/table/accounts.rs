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
    Condition, Item, Key, Table, TableError, TransactWriteItem, WriteError, item, number,
    pagination::{Page, PageRequest},
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
        let [row, name] = self.new_account(account, 0, keys).await?;
        self.transact_named(
            vec![row, name, self.audit_write(entry)?],
            &name_key(account),
        )
        .await
    }

    /// Returns the two writes of a new account: its row, then its name.
    pub(super) async fn new_account(
        &self,
        account: &Account,
        services: u32,
        keys: &KeyringCache,
    ) -> Result<[TransactWriteItem; 2], TableError> {
        Ok([
            self.tx_put(
                account_item(account, services, keys).await?,
                Some(Condition::absent()),
            )?,
            self.tx_put(name_item(account)?, Some(Condition::absent()))?,
        ])
    }

    /// Replaces an account unless it has changed since it was read.
    pub async fn update_account(
        &self,
        before: &Used,
        after: &Account,
        keys: &KeyringCache,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let item = account_item(after, before.services, keys).await?;
        let mut writes = vec![self.tx_put(item, Some(unchanged(&before.account)))?];
        if name_key(&before.account) != name_key(after) {
            writes.push(self.tx_put(name_item(after)?, Some(Condition::absent()))?);
            writes.push(self.tx_delete(&name_key(&before.account), None)?);
        }
        writes.push(self.audit_write(entry)?);
        self.transact_named(writes, &name_key(after)).await
    }

    /// Deletes an account that no service uses, unless it has changed since it was read.
    pub async fn delete_account(&self, account: &Account, entry: &Entry) -> Result<(), WriteError> {
        let writes = vec![
            self.tx_delete(&Key::account(account.id), Some(unchanged(account)))?,
            self.tx_delete(&name_key(account), None)?,
            self.tx_delete(&Key::issued(account.id), None)?,
            self.audit_write(entry)?,
        ];
        self.transact(writes)
            .await?
            .map_err(|_| WriteError::Changed)
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

    /// Adds `change` to the account's number of services. The condition fails if the account does
    /// not exist.
    pub(super) fn count_account_use(
        &self,
        id: AccountId,
        change: i8,
    ) -> Result<TransactWriteItem, TableError> {
        let values = [(":change", number(change)), (":one", number(1))];
        let update = "SET #version = #version + :one ADD #services :change";
        self.tx_update(
            &Key::account(id),
            update,
            Condition::that("attribute_exists(pk)", values),
        )
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

pub(super) fn name_key(account: &Account) -> Key {
    Key::name(KIND, &account.settings.name)
}

fn name_item(account: &Account) -> Result<Item, TableError> {
    item(
        &name_key(account),
        None,
        serde_json::json!({"id": account.id}),
    )
}

fn unchanged(account: &Account) -> Condition {
    Condition::that(
        "#version = :version",
        [(":version", number(account.version))],
    )
}
