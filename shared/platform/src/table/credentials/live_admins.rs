//! The list of live admins: one of them must always remain.

use domain::{
    credential::Credential,
    id::{CredentialId, UserId},
};

use super::CredentialPointer;
use crate::table::{Condition, Key, Table, TableError, key, transaction::Transaction};

/// An admin credential that never expires and whose user is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveAdmin {
    /// ID of the credential.
    pub credential: CredentialId,
    /// ID of the credential's user.
    pub user: UserId,
}

impl Table {
    /// Returns an admin credential that never expires, whose user is active, and that is not in
    /// `spared`.
    pub async fn another_admin(
        &self,
        spared: impl Fn(&Credential) -> bool,
    ) -> Result<Option<LiveAdmin>, TableError> {
        let admins: Vec<CredentialPointer> = self.all(key::LIVE_ADMINS).await?;
        let ids: Vec<CredentialId> = admins
            .into_iter()
            .map(|pointer| pointer.credential)
            .collect();
        for credential in self.credentials_by_id(&ids).await?.into_values() {
            if !spared(&credential) && credential.is_permanent_admin() {
                let user = credential.settings.user_id;
                if self
                    .user(user)
                    .await?
                    .is_some_and(|holder| holder.user.settings.active)
                {
                    return Ok(Some(LiveAdmin {
                        credential: credential.id,
                        user,
                    }));
                }
            }
        }
        Ok(None)
    }
}

impl Transaction<'_> {
    /// Requires that a credential still is a permanent admin's.
    pub(in crate::table) fn check_live_admin(&mut self, admin: LiveAdmin) {
        self.check(Key::live_admin(admin.credential), Condition::present());
    }

    /// Adds the credential to the list, or removes it.
    pub(super) fn change_live_admin(
        &mut self,
        before: Option<&Credential>,
        after: Option<&Credential>,
    ) -> Result<(), TableError> {
        let lasting = |credential: Option<&Credential>| {
            credential
                .filter(|credential| credential.is_permanent_admin())
                .map(|credential| credential.id)
        };
        match (lasting(before), lasting(after)) {
            (None, Some(id)) => self.put(CredentialPointer::item(&Key::live_admin(id), id)?),
            (Some(id), None) => self.delete(Key::live_admin(id)),
            _ => {}
        }
        Ok(())
    }
}
