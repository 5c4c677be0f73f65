//! Credentials and their tokens' grants, which are stored under the tokens' hashes.
//!
//! Each change is one transaction over the credential's row, its tokens' grants, its entry among
//! the live admins, and its next reminder. So a token is valid exactly as its credential says from
//! the next request on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    audit::Entry,
    credential::{Credential, Grant},
    id::{CredentialId, UserId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Condition, Item, Key, Table, TableError, WriteError,
    item::{item, key_of, text},
    key,
    pagination::{Page, PageRequest},
    transaction::Transaction,
    unreadable,
    users::Holder,
};

const KIND: &str = "credential";

/// Entry of the lists of live admins and of reminders.
#[derive(Serialize, Deserialize)]
struct Pointer {
    credential: CredentialId,
}

/// An admin credential that never expires and whose user is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveAdmin {
    /// The credential.
    pub credential: CredentialId,
    /// The credential's user.
    pub user: UserId,
}

#[derive(Serialize, Deserialize)]
struct GrantRow {
    #[serde(flatten)]
    grant: Grant,
    /// Long after the token's end, so that uses of an expired or revoked token can be
    /// distinguished from guesses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl Table {
    /// Returns what the token with this keyed hash grants, even if it has ended.
    pub async fn grant(&self, token: &str) -> Result<Option<Grant>, TableError> {
        Ok(self
            .get::<GrantRow>(&Key::token(token))
            .await?
            .map(|row| row.grant))
    }

    /// Records that a token was used at `now`.
    pub async fn token_used(&self, token: &str, now: Timestamp) -> Result<(), TableError> {
        let exists = Condition::present().with([(":now", text(now.to_string()))]);
        // Condition failed: the token was deleted in the meantime.
        self.update_item(&Key::token(token), "SET #used_at = :now", exists)
            .await
            .map(|_| ())
    }

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

    /// Returns all current credentials of a user.
    ///
    /// # Errors
    ///
    /// [`WriteError::Changed`] if the list does not contain all of them yet.
    pub async fn credentials_of(&self, holder: &Holder) -> Result<Vec<Credential>, WriteError> {
        let mut ids = Vec::new();
        let mut page_request = PageRequest::new(None, 100);
        loop {
            let Page { items, next, .. } = self.credentials(&page_request).await?;
            ids.extend(
                items
                    .iter()
                    .filter(|one| one.settings.user_id == holder.user.id)
                    .map(|one| one.id),
            );
            page_request.after = next;
            if page_request.after.is_none() || ids.len() >= holder.credentials as usize {
                break;
            }
        }
        let found = self.credentials_by_id(&ids).await?;
        if found.len() < holder.credentials as usize {
            return Err(WriteError::Changed);
        }
        Ok(found.into_values().collect())
    }

    /// Lists the credentials whose next reminder is due by `until`, most urgent first. The cost
    /// grows only with their number.
    pub async fn reminders(
        &self,
        until: Timestamp,
        page_request: &PageRequest,
    ) -> Result<Page<Credential>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true);
        let query = query.limit(i32::try_from(page_request.limit).unwrap_or(i32::MAX));
        let query = query.key_condition_expression("pk = :pk AND sk BETWEEN :from AND :until");
        // Appending `!` starts the range after the last sort key that was seen.
        let from = page_request
            .after
            .as_ref()
            .map_or_else(|| "0".to_owned(), |after| format!("{after}!"));
        let until = format!("{}~", key::instant(until));
        // DynamoDB rejects a range whose ends are reversed.
        if from > until {
            return Ok(Page {
                items: Vec::new(),
                next: None,
                response_bytes: 0,
            });
        }
        let query = query.expression_attribute_values(":pk", text(key::REMINDERS));
        let query = query.expression_attribute_values(":from", text(from));
        let query = query.expression_attribute_values(":until", text(until));
        let response = query.send().await?;
        let more = response.last_evaluated_key.is_some();
        let found = response.items.unwrap_or_default();
        let next = found
            .last()
            .filter(|_| more)
            .and_then(|item| Some(key_of(item)?.sk));
        let pointers = found
            .into_iter()
            .filter_map(unreadable::from_item::<Pointer>);
        let ids: Vec<CredentialId> = pointers.map(|pointer| pointer.credential).collect();
        let mut rows = self.credentials_by_id(&ids).await?;
        // Credentials are small: a page of them fits into a response.
        Ok(Page {
            items: ids.iter().filter_map(|id| rows.remove(id)).collect(),
            next,
            response_bytes: 0,
        })
    }

    /// Removes an expired credential from the list of reminders, unless it has changed since it was
    /// read: its expiry may have been extended.
    pub async fn forget_reminder(&self, credential: &Credential) -> Result<(), TableError> {
        let mut tx = self.transaction();
        tx.delete(Key::reminder(credential.next_reminder_at(), credential.id));
        tx.check(
            Key::credential(credential.id),
            Condition::version(credential.version),
        );
        // Condition failed: a concurrent change has already written the current entry.
        tx.commit_if().await.map(|_| ())
    }

    /// Returns when each of these credentials was last used.
    pub async fn last_uses(
        &self,
        credentials: &[Credential],
    ) -> Result<HashMap<CredentialId, Timestamp>, TableError> {
        let grants = credentials.iter().flat_map(Credential::grants);
        let keys = grants.map(|(token, _)| Key::token(&token));
        let previous = credentials
            .iter()
            .filter_map(|credential| Some((credential.id, credential.last_used_at?)));
        let mut uses: HashMap<CredentialId, Timestamp> = previous.collect();
        for GrantRow { grant, .. } in self.get_rows(keys).await? {
            if let Some(used) = grant.used_at {
                uses.entry(grant.credential)
                    .and_modify(|at| *at = used.max(*at))
                    .or_insert(used);
            }
        }
        Ok(uses)
    }

    /// Returns an admin credential that never expires, whose user is active, and that is not in
    /// `spared`.
    pub async fn another_admin(
        &self,
        spared: impl Fn(&Credential) -> bool,
    ) -> Result<Option<LiveAdmin>, TableError> {
        let admins: Vec<Pointer> = self.all(key::LIVE_ADMINS).await?;
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

    async fn credentials_by_id(
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
        let lasting = |credential: Option<&Credential>| {
            credential
                .filter(|credential| credential.is_permanent_admin())
                .map(|credential| credential.id)
        };
        match (lasting(before), lasting(after)) {
            (None, Some(id)) => self.put(pointer(&Key::live_admin(id), id)?),
            (Some(id), None) => self.delete(Key::live_admin(id)),
            _ => {}
        }
        if let Some(other) = other_admin {
            self.check_live_admin(other);
            // A deletion writes the user's row anyway, and that write has the condition.
            if after.is_some() || before.is_none_or(|before| other.user != before.settings.user_id)
            {
                self.check_active(other.user);
            }
        }
        let reminder = |credential: Option<&Credential>| {
            let credential = credential.filter(|credential| credential.revoked_at.is_none())?;
            Some((
                Key::reminder(credential.next_reminder_at(), credential.id),
                credential.id,
            ))
        };
        let (old, new) = (reminder(before), reminder(after));
        if let Some((key, _)) = old.filter(|old| Some(old) != new.as_ref()) {
            self.delete(key);
        }
        // Written even if unchanged: an expired credential's entry was removed, and its expiry may
        // have been extended.
        if let Some((key, id)) = new {
            self.put(pointer(&key, id)?);
        }
        Ok(())
    }

    /// Requires that a credential still is a permanent admin's.
    pub(super) fn check_live_admin(&mut self, admin: LiveAdmin) {
        self.check(Key::live_admin(admin.credential), Condition::present());
    }

    /// Writes the grants of `after`'s tokens with their last use, and ends those of the tokens
    /// that only `before` has.
    async fn change_grants(
        &mut self,
        before: Option<&Credential>,
        after: Option<&Credential>,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let grants = |credential: Option<&Credential>| -> BTreeMap<String, Grant> {
            credential
                .map(Credential::grants)
                .unwrap_or_default()
                .into_iter()
                .collect()
        };
        let (old, new) = (grants(before), grants(after));
        let keys: Vec<Key> = old.keys().map(|token| Key::token(token)).collect();
        let mut found = self.table().get_all(&keys).await?;
        let tokens: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for token in tokens {
            let key = Key::token(token);
            let stored = found.remove(&key);
            let stored = stored
                .map(serde_dynamo::from_item::<_, GrantRow>)
                .transpose()?;
            let used_at = stored.and_then(|row| row.grant.used_at);
            let grant = match (new.get(token), old.get(token)) {
                (Some(grant), _) => grant.clone(),
                (None, Some(grant)) => grant.clone().ended(now),
                (None, None) => continue,
            };
            let expires_at = grant.ends_at.map(|end| self.table().expiry(end));
            let row = GrantRow {
                grant: Grant { used_at, ..grant },
                expires_at,
            };
            self.put(item(&key, None, row)?);
        }
        Ok(())
    }
}

fn credential_item(credential: &Credential) -> Result<Item, TableError> {
    item(
        &Key::credential(credential.id),
        Some((KIND, credential.id.ulid().to_string())),
        credential,
    )
}

fn pointer(key: &Key, credential: CredentialId) -> Result<Item, TableError> {
    item(key, None, Pointer { credential })
}
