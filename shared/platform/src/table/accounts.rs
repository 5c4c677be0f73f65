//! Accounts of connected services and providers.
//!
//! An account's settings are one encrypted document. The row counts the services and providers that
//! use the account, so that none can be created with an account that is being deleted. Issued tokens
//! are in an item of their own ([`super::oauth_tokens`]), because requests write them often.

use domain::{
    account::{Account, Settings},
    audit::Entry,
    id::AccountId,
    resource::Resource,
};
use serde::{Deserialize, Serialize};

use super::{
    Condition, Item, Key, Table, TableError, WriteError,
    document::{EncryptedField, restored},
    item::item,
    pagination::{Page, PageRequest},
    transaction::Transaction,
};
use crate::keyring::KeyringCache;

const KIND: &str = "account";

type AccountRow = Resource<AccountId, SealedAccount>;

#[derive(Serialize, Deserialize)]
struct SealedAccount {
    name: String,
    #[serde(flatten)]
    uses: Uses,
    sealed: String,
}

/// How many resources use an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uses {
    /// Connected services.
    #[serde(default)]
    pub services: u32,
    /// Providers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub providers: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde calls"
)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// An account with its usage counts.
#[derive(Debug, Clone)]
pub struct StoredAccount {
    /// The account, decrypted.
    pub account: Account,
    /// How many resources use it.
    pub uses: Uses,
}

async fn seal(account: &Account, uses: Uses, keys: &KeyringCache) -> Result<Item, TableError> {
    let field = settings_field(account.id);
    let row: AccountRow = account.with_settings(SealedAccount {
        name: account.settings.name.clone(),
        uses,
        sealed: field.seal_json(&account.settings.to_map(), keys).await?,
    });
    let listing = (KIND, account.id.ulid().to_string());
    item(&Key::account(account.id), Some(listing), row)
}

async fn open(row: AccountRow, keys: &KeyringCache) -> Result<StoredAccount, TableError> {
    let field = settings_field(row.id);
    let document = field.open_json(&row.settings.sealed, keys).await?;
    Ok(StoredAccount {
        uses: row.settings.uses,
        account: row.with_settings(restored(&field, Settings::restore(document))?),
    })
}

fn settings_field(id: AccountId) -> EncryptedField {
    EncryptedField::new(KIND, id, "settings")
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
        tx.put_new_account(account, Uses::default(), keys).await?;
        tx.audit(entry)?;
        tx.commit().await
    }

    /// Replaces an account unless it has changed since it was read.
    pub async fn update_account(
        &self,
        before: &StoredAccount,
        after: &Account,
        keys: &KeyringCache,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let item = seal(after, before.uses, keys).await?;
        let mut tx = self.transaction();
        tx.put_if(item, Condition::version(before.account.version));
        tx.rename(name_key(&before.account), name_key(after), after.id);
        tx.audit(entry)?;
        tx.commit().await
    }

    /// Deletes an account that nothing uses, unless it has changed since it was read.
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
    ) -> Result<Option<StoredAccount>, TableError> {
        match self.get::<AccountRow>(&Key::account(id)).await? {
            Some(row) => open(row, keys).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns the account with this name, ignoring case.
    pub async fn account_named(
        &self,
        name: &str,
        keys: &KeyringCache,
    ) -> Result<Option<StoredAccount>, TableError> {
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
    ) -> Result<Page<StoredAccount>, TableError> {
        let page = self.listed::<AccountRow>(KIND, page_request).await?;
        page.open(KIND, |row| open(row, keys)).await
    }
}

impl Transaction<'_> {
    /// Writes a new account with these uses.
    pub(super) async fn put_new_account(
        &mut self,
        account: &Account,
        uses: Uses,
        keys: &KeyringCache,
    ) -> Result<(), TableError> {
        let item = seal(account, uses, keys).await?;
        self.put_if(item, Condition::absent());
        self.claim_name(name_key(account), account.id);
        Ok(())
    }

    /// Adds `change` to the account's number of services. Fails if the account does not exist.
    pub(super) fn count_account_use(&mut self, id: AccountId, change: i8) {
        self.count(Key::account(id), "services", change);
    }

    /// Adds `change` to the account's number of providers. Fails if the account does not exist.
    pub(super) fn count_account_provider(&mut self, id: AccountId, change: i8) {
        self.count(Key::account(id), "providers", change);
    }
}

fn name_key(account: &Account) -> Key {
    Key::name(KIND, &account.settings.name)
}
