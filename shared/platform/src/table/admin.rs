//! The first admin: created once, and given a new token if the first one was lost.

use domain::{
    audit::Entry,
    credential::Credential,
    id::{CredentialId, UserId},
    user::User,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Condition, Key, Table, TableError, WriteError,
    item::{item, text},
    transaction::Transaction,
    users::{StoredUser, name_key, user_item},
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
        let holder = StoredUser {
            user: user.clone(),
            credentials: 1,
            services: 0,
        };
        let mark = FirstAdmin {
            user: user.id,
            credential: credential.id,
        };
        let mut tx = self.transaction();
        tx.mark_first_admin(gone, mark)?;
        tx.claim_name(name_key(user), user.id);
        tx.put_if(user_item(&holder)?, Condition::absent());
        for entry in entries {
            tx.audit(entry)?;
        }
        tx.change_credential(None, Some(credential), None, now)
            .await?;
        tx.commit().await
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
        let mut tx = self.transaction();
        tx.change_credential(None, Some(credential), None, now)
            .await?;
        tx.mark_first_admin(Some(before), mark)?;
        tx.count_credential(credential.settings.user_id, 1, None);
        tx.audit(entry)?;
        tx.commit().await
    }
}

impl Transaction<'_> {
    /// Writes the marker if it is unchanged.
    fn mark_first_admin(
        &mut self,
        before: Option<FirstAdmin>,
        mark: FirstAdmin,
    ) -> Result<(), TableError> {
        let unchanged = before.map_or_else(Condition::absent, |before| {
            Condition::that(
                "#credential = :before",
                [(":before", text(before.credential.to_string()))],
            )
        });
        self.put_if(item(&Key::admin(), None, mark)?, unchanged);
        Ok(())
    }
}
