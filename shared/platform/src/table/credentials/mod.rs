//! Credentials. Each change is one transaction over the credential's row, its tokens' grants, its
//! entry among the live admins, and its next reminder. So a token is valid exactly as its
//! credential says from the next request on.

mod grants;
mod live_admins;
mod reminders;

use std::collections::HashMap;

use domain::{audit::Entry, credential::Credential, id::CredentialId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(super) use self::grants::GrantRow;
pub use self::live_admins::LiveAdmin;
use super::{
    Condition, Item, Key, Table, TableError, WriteError,
    item::item,
    pagination::{Page, PageRequest},
    transaction::Transaction,
};

const KIND: &str = "credential";

/// An entry of the lists of live admins and of reminders.
#[derive(Serialize, Deserialize)]
struct CredentialPointer {
    credential: CredentialId,
}

impl CredentialPointer {
    fn item(key: &Key, credential: CredentialId) -> Result<Item, TableError> {
        item(key, None, Self { credential })
    }
}

impl Table {
    /// Creates a credential.
    pub async fn create_credential(
        &self,
        new: &Credential,
        now: Timestamp,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.change_credential(None, Some(new), None, now).await?;
        tx.count_credential(new.settings.user_id, 1, None);
        tx.audit(entry)?;
        tx.commit().await
    }

    /// Replaces a credential unless it has changed since it was read. `other_admin` must still be
    /// an admin credential of an active user.
    pub async fn update_credential(
        &self,
        before: &Credential,
        after: &Credential,
        other_admin: Option<LiveAdmin>,
        now: Timestamp,
        entry: Option<&Entry>,
    ) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.change_credential(Some(before), Some(after), other_admin, now)
            .await?;
        let added = before.settings.scopes.lack(&after.settings.scopes);
        if !added.is_empty() {
            // Changes the user's version. A concurrent activation or deactivation of the user,
            // decided without this credential's scopes, then fails.
            tx.count_credential(after.settings.user_id, 0, None);
        }
        if let Some(entry) = entry {
            tx.audit(entry)?;
        }
        tx.commit().await
    }

    /// Deletes a credential unless it has changed since it was read. `other_admin` must still be an
    /// admin credential of an active user.
    pub async fn delete_credential(
        &self,
        credential: &Credential,
        other_admin: Option<LiveAdmin>,
        now: Timestamp,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut tx = self.transaction();
        tx.change_credential(Some(credential), None, other_admin, now)
            .await?;
        tx.count_credential(credential.settings.user_id, -1, other_admin);
        tx.audit(entry)?;
        tx.commit().await
    }

    /// Returns a credential.
    pub async fn credential(&self, id: CredentialId) -> Result<Option<Credential>, TableError> {
        self.get(&Key::credential(id)).await
    }

    /// Lists credentials, newest first.
    pub async fn credentials(
        &self,
        page_request: &PageRequest,
    ) -> Result<Page<Credential>, TableError> {
        self.listed(KIND, page_request).await
    }

    pub(super) async fn credentials_by_id(
        &self,
        ids: &[CredentialId],
    ) -> Result<HashMap<CredentialId, Credential>, TableError> {
        let rows = self
            .get_rows::<Credential>(ids.iter().map(|id| Key::credential(*id)))
            .await?;
        Ok(rows.map(|row| (row.id, row)).collect())
    }
}

impl Transaction<'_> {
    /// Changes a credential from `before` to `after`, with its tokens' grants and its entries in
    /// the lists.
    pub(super) async fn change_credential(
        &mut self,
        before: Option<&Credential>,
        after: Option<&Credential>,
        other_admin: Option<LiveAdmin>,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let unchanged = before.map_or_else(Condition::absent, |before| {
            Condition::version(before.version)
        });
        match (before, after) {
            (_, Some(after)) => self.put_if(credential_item(after)?, unchanged),
            (Some(before), None) => self.delete_if(Key::credential(before.id), unchanged),
            (None, None) => return Ok(()),
        };
        self.change_grants(before, after, now).await?;
        self.change_live_admin(before, after)?;
        if let Some(other) = other_admin {
            self.check_live_admin(other);
            // A deletion writes the user's row anyway, and that write has the condition.
            if after.is_some() || before.is_none_or(|before| other.user != before.settings.user_id)
            {
                self.check_active(other.user);
            }
        }
        self.change_reminder(before, after)
    }
}

fn credential_item(credential: &Credential) -> Result<Item, TableError> {
    item(
        &Key::credential(credential.id),
        Some((KIND, credential.id.ulid().to_string())),
        credential,
    )
}
