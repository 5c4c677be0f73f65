//! The first admin: created once, and given a new token if the first one was lost.

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::{
    audit::Entry,
    credential::Credential,
    id::{CredentialId, UserId},
    user::User,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Condition, Key, Table, TableError, WriteError, item, text,
    users::{Holder, name_item, name_key, user_item},
};

/// Marker for the first admin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstAdmin {
    /// The user *Administrator*.
    pub user: UserId,
    /// The user's credential.
    pub credential: CredentialId,
}

impl Table {
    /// Returns the first admin, if it was created.
    pub async fn first_admin(&self) -> Result<Option<FirstAdmin>, TableError> {
        self.get(&Key::admin()).await
    }

    /// Creates the first admin, or one that replaces `gone`, in one transaction. Returns `Changed`
    /// if there already is a first admin other than `gone`.
    pub async fn create_first_admin(
        &self,
        gone: Option<FirstAdmin>,
        user: &User,
        credential: &Credential,
        now: Timestamp,
        entries: &[Entry],
    ) -> Result<(), WriteError> {
        let holder = Holder {
            user: user.clone(),
            credentials: 1,
            services: 0,
        };
        let mut writes = vec![
            self.mark(
                gone,
                FirstAdmin {
                    user: user.id,
                    credential: credential.id,
                },
            )?,
            self.tx_put(name_item(user)?, Some(Condition::absent()))?,
            self.tx_put(user_item(&holder)?, Some(Condition::absent()))?,
        ];
        for entry in entries {
            writes.push(self.audit_write(entry)?);
        }
        writes.extend(self.changes(None, Some(credential), None, now).await?);
        self.transact_named(writes, &name_key(user)).await
    }

    /// Assigns the first admin another credential, in one transaction. The user must exist.
    pub async fn replace_first_admin(
        &self,
        before: FirstAdmin,
        credential: &Credential,
        now: Timestamp,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mark = FirstAdmin {
            credential: credential.id,
            ..before
        };
        let mut writes = self.changes(None, Some(credential), None, now).await?;
        writes.push(self.mark(Some(before), mark)?);
        writes.push(self.count_credential(credential.settings.user_id, 1, None)?);
        writes.push(self.audit_write(entry)?);
        self.transact(writes)
            .await?
            .map_err(|_| WriteError::Changed)
    }

    /// Writes the marker if it is unchanged.
    fn mark(
        &self,
        before: Option<FirstAdmin>,
        mark: FirstAdmin,
    ) -> Result<TransactWriteItem, TableError> {
        let unchanged = before.map_or_else(Condition::absent, |before| {
            Condition::that(
                "#credential = :before",
                [(":before", text(before.credential.to_string()))],
            )
        });
        self.tx_put(item(&Key::admin(), None, mark)?, Some(unchanged))
    }
}
