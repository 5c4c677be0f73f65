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
    item::{item, number},
};
use crate::{document::describe_json_error, encryption::AadContext, keyring::KeyringCache};

#[derive(Serialize, Deserialize)]
struct Row {
    changes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<Lease>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Private {
    /// Version of the account that the last token was fetched for.
    version: u64,
    access: Option<Access>,
    refresh: Option<Refresh>,
}

#[derive(Serialize, Deserialize)]
struct Access {
    token: String,
    good_until: Timestamp,
    lease: String,
    /// Fingerprint of the settings that the token was issued for.
    settings: String,
}

#[derive(Serialize, Deserialize)]
struct Refresh {
    token: String,
    /// Fingerprint of the consent that the refresh token belongs to.
    consent: String,
}

/// The tokens of an account, as read.
#[derive(Debug)]
pub struct Seen {
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
    ) -> Result<Seen, TableError> {
        let Some(row) = self.get::<Row>(&Key::issued(account.id)).await? else {
            return Ok(Seen {
                issued: IssuedTokens::default(),
                changes: 0,
            });
        };
        let Private {
            version,
            access,
            refresh,
        } = match &row.sealed {
            Some(sealed) => {
                let document = keys.open(place(&account.id.to_string()), sealed).await?;
                serde_json::from_str(document.expose_secret()).map_err(|error| {
                    TableError::Document(format!(
                        "the token of {}: {}",
                        account.id,
                        describe_json_error(&error)
                    ))
                })?
            }
            None => Private::default(),
        };
        let ours = access.filter(|access| access.settings == settings.fingerprint());
        if ours.is_none() && version > account.version {
            return Err(TableError::Request(format!(
                "{} has changed since it was read",
                account.id
            )));
        }
        let token = ours.map(
            |Access {
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
        Ok(Seen {
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
        seen: &mut Seen,
        issued: IssuedTokens,
        keys: &KeyringCache,
    ) -> Result<Written, TableError> {
        let access = issued.token.as_ref().map(
            |IssuedToken {
                 access,
                 good_until,
                 lease,
             }| Access {
                token: access.expose_secret().to_owned(),
                good_until: *good_until,
                lease: lease.clone(),
                settings: settings.fingerprint(),
            },
        );
        let refresh = issued.refresh.as_ref();
        let refresh = refresh.map(|token| Refresh {
            token: token.expose_secret().to_owned(),
            consent: settings.consent(),
        });
        let private = Private {
            version: account.version,
            access,
            refresh,
        };
        let document = serde_json::to_string(&private)
            .map_err(|error| TableError::Document(error.to_string()))?;
        let sealed = keys
            .get()
            .await?
            .seal(place(&account.id.to_string()), &document);
        let changes = seen.changes.saturating_add(1);
        let row = Row {
            changes,
            lease: issued.lease.clone(),
            failure: issued.failure.clone(),
            sealed: Some(sealed),
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
                *seen = Seen { issued, changes };
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

fn place(account: &str) -> AadContext<'_> {
    AadContext {
        resource: "account",
        id: account,
        field: "issued",
    }
}
