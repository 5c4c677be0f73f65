//! The first admin: made once, and given a new token when the first one was lost.

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
    users::{Holder, name_item, user_item},
};

/// The mark that the first admin was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstAdmin {
    /// The user *Administrator*.
    pub user: UserId,
    /// Its credential.
    pub credential: CredentialId,
}

impl Table {
    /// The first admin, if there is one.
    pub async fn first_admin(&self) -> Result<Option<FirstAdmin>, TableError> {
        self.get(&Key::admin()).await
    }

    /// Makes the first admin, in one transaction. Refused as changed when there is one.
    pub async fn create_first_admin(
        &self,
        user: &User,
        credential: &Credential,
        now: Timestamp,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mark = FirstAdmin { user: user.id, credential: credential.id };
        let holder = Holder { user: user.clone(), credentials: 1 };
        let mut writes = vec![
            self.write(item(&Key::admin(), None, mark)?, Some(Condition::absent()))?,
            self.write(name_item(user)?, Some(Condition::absent()))?,
            self.write(user_item(&holder)?, Some(Condition::absent()))?,
            self.audit_write(entry)?,
        ];
        writes.extend(self.changes(None, Some(credential), None, now).await?);
        self.transact(writes).await?.map_err(WriteError::by_index)
    }

    /// Gives the first admin another credential, in one transaction; its user must be there.
    pub async fn replace_first_admin(
        &self,
        before: FirstAdmin,
        credential: &Credential,
        now: Timestamp,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mark = FirstAdmin { credential: credential.id, ..before };
        let mut writes = self.changes(None, Some(credential), None, now).await?;
        let unchanged = Condition::that("#credential = :before", [(":before", text(before.credential.to_string()))]);
        writes.push(self.write(item(&Key::admin(), None, mark)?, Some(unchanged))?);
        writes.push(self.held(credential.settings.user_id, 1, None)?);
        writes.push(self.audit_write(entry)?);
        self.transact(writes).await?.map_err(|_| WriteError::Changed)
    }
}
