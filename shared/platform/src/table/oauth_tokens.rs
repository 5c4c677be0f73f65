//! Access tokens that were issued to accounts.
//!
//! A row contains the encrypted token and, unencrypted, the lease of the caller that fetches the
//! next one. It counts its changes. A write succeeds only if the row is unchanged since it was read
//! and the account exists.

use domain::account::{
    Account, OAuth2,
    oauth_tokens::{Failure, IssuedToken, IssuedTokens, Lease},
};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    Condition, Key, Table, TableError, Written,
    document::EncryptedField,
    item::{item, number},
};
use crate::keyring::KeyringCache;

#[derive(Serialize, Deserialize)]
struct TokensRow {
    changes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<Lease>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct TokensDocument {
    /// Version of the account that the last token was fetched for.
    version: u64,
    access: Option<StoredAccess>,
    refresh: Option<StoredRefresh>,
}

#[derive(Serialize, Deserialize)]
struct StoredAccess {
    token: String,
    good_until: Timestamp,
    lease: String,
    /// Fingerprint of the settings that the token was issued for.
    settings: String,
}

#[derive(Serialize, Deserialize)]
struct StoredRefresh {
    token: String,
    /// Fingerprint of the consent that the refresh token belongs to.
    consent: String,
}

/// The tokens of an account, as read.
#[derive(Debug)]
pub struct StoredTokens {
    /// The tokens and the lease.
    pub issued: IssuedTokens,
    changes: u64,
}

impl Table {
    /// Loads the tokens of `account` under these settings.
    ///
    /// # Errors
    ///
    /// If tokens were issued under newer settings: the caller read the account before it changed.
    pub async fn load_tokens(
        &self,
        account: &Account,
        settings: &OAuth2,
        keys: &KeyringCache,
    ) -> Result<StoredTokens, TableError> {
        let Some(row) = self.get::<TokensRow>(&Key::issued(account.id)).await? else {
            return Ok(StoredTokens {
                issued: IssuedTokens::default(),
                changes: 0,
            });
        };
        let TokensDocument {
            version,
            access,
            refresh,
        } = match &row.sealed {
            Some(sealed) => issued_field(account).open_json(sealed, keys).await?,
            None => TokensDocument::default(),
        };
        let ours = access.filter(|access| access.settings == settings.fingerprint());
        if ours.is_none() && version > account.version {
            return Err(TableError::Request(format!(
                "{} has changed since it was read",
                account.id
            )));
        }
        let token = ours.map(
            |StoredAccess {
                 token,
                 good_until,
                 lease,
                 ..
             }| IssuedToken {
                access: token.into(),
                good_until,
                lease,
            },
        );
        let refresh = refresh.filter(|refresh| refresh.consent == settings.consent());
        let refresh = refresh.map(|refresh| SecretString::from(refresh.token));
        Ok(StoredTokens {
            issued: IssuedTokens {
                token,
                refresh,
                lease: row.lease,
                failure: row.failure,
            },
            changes: row.changes,
        })
    }

    /// Saves the tokens of `account`, and sets `seen` to the saved state. The condition fails if
    /// the row has changed since `seen` was read.
    ///
    /// # Errors
    ///
    /// If the account was deleted.
    pub async fn save_tokens(
        &self,
        account: &Account,
        settings: &OAuth2,
        seen: &mut StoredTokens,
        issued: IssuedTokens,
        keys: &KeyringCache,
    ) -> Result<Written, TableError> {
        let access = issued.token.as_ref().map(
            |IssuedToken {
                 access,
                 good_until,
                 lease,
             }| StoredAccess {
                token: access.expose_secret().to_owned(),
                good_until: *good_until,
                lease: lease.clone(),
                settings: settings.fingerprint(),
            },
        );
        let refresh = issued.refresh.as_ref();
        let refresh = refresh.map(|token| StoredRefresh {
            token: token.expose_secret().to_owned(),
            consent: settings.consent(),
        });
        let document = TokensDocument {
            version: account.version,
            access,
            refresh,
        };
        let changes = seen.changes.saturating_add(1);
        let row = TokensRow {
            changes,
            lease: issued.lease.clone(),
            failure: issued.failure.clone(),
            sealed: Some(issued_field(account).seal_json(&document, keys).await?),
        };
        let condition = match seen.changes {
            0 => Condition::absent(),
            before => Condition::that("#changes = :before", [(":before", number(before))]),
        };
        let mut tx = self.transaction();
        tx.put_if(item(&Key::issued(account.id), None, row)?, condition);
        let exists = tx.check(Key::account(account.id), Condition::present());
        match tx.try_commit().await? {
            Ok(()) => {
                *seen = StoredTokens { issued, changes };
                Ok(Written::Yes)
            }
            // Reading again would not help, because the row is unchanged.
            Err(index) if index == exists => {
                Err(TableError::Request(format!("{} was deleted", account.id)))
            }
            Err(_) => Ok(Written::ConditionFailed),
        }
    }
}

fn issued_field(account: &Account) -> EncryptedField {
    EncryptedField::new("account", account.id, "issued")
}
