//! Credentials and their tokens' grants, which are stored under the tokens' hashes.
//!
//! Each change is one transaction over the credential's row, its tokens' grants, its entry among
//! the live admins, and its next reminder. So a token is valid exactly as its credential says from
//! the next request on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use domain::{
    audit::Entry,
    credential::{Credential, Grant},
    id::{CredentialId, UserId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Condition, Item, Key, Table, TableError, WriteError, item, key, number,
    pagination::{Page, PageRequest},
    text, unreadable,
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
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(Key::token(token).attributes()));
        let update = update
            .update_expression("SET used_at = :now")
            .condition_expression("attribute_exists(pk)");
        match update
            .expression_attribute_values(":now", text(now.to_string()))
            .send()
            .await
        {
            Ok(_) => Ok(()),
            // The token was deleted in the meantime.
            Err(error) if super::is_condition_failure(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates a credential.
    pub async fn create_credential(
        &self,
        new: &Credential,
        now: Timestamp,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut writes = self.changes(None, Some(new), None, now).await?;
        writes.push(self.count_credential(new.settings.user_id, 1, None)?);
        writes.push(self.audit_write(entry)?);
        self.transact(writes)
            .await?
            .map_err(|_| WriteError::Changed)
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
        let mut writes = self
            .changes(Some(before), Some(after), other_admin, now)
            .await?;
        let added = before.settings.scopes.lack(&after.settings.scopes);
        if !added.is_empty() {
            // Changes the user's version. A concurrent activation or deactivation of the user,
            // decided without this credential's scopes, then fails.
            writes.push(self.count_credential(after.settings.user_id, 0, None)?);
        }
        if let Some(entry) = entry {
            writes.push(self.audit_write(entry)?);
        }
        self.transact(writes)
            .await?
            .map_err(|_| WriteError::Changed)
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
        let mut writes = self
            .changes(Some(credential), None, other_admin, now)
            .await?;
        writes.push(self.count_credential(credential.settings.user_id, -1, other_admin)?);
        writes.push(self.audit_write(entry)?);
        self.transact(writes)
            .await?
            .map_err(|_| WriteError::Changed)
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
            .and_then(|item| Some(super::key_of(item)?.sk));
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
        let writes = vec![
            self.tx_delete(
                &Key::reminder(credential.next_reminder_at(), credential.id),
                None,
            )?,
            self.tx_check(&Key::credential(credential.id), unchanged(credential))?,
        ];
        // Condition failed: a concurrent change has already written the current entry.
        self.transact(writes).await.map(|_| ())
    }

    /// Returns when each of these credentials was last used.
    pub async fn last_uses(
        &self,
        credentials: &[Credential],
    ) -> Result<HashMap<CredentialId, Timestamp>, TableError> {
        let keys: Vec<Key> = credentials
            .iter()
            .flat_map(Credential::grants)
            .map(|(token, _)| Key::token(&token))
            .collect();
        let previous = credentials
            .iter()
            .filter_map(|credential| Some((credential.id, credential.last_used_at?)));
        let mut uses: HashMap<CredentialId, Timestamp> = previous.collect();
        for GrantRow { grant, .. } in self
            .get_all(&keys)
            .await?
            .into_values()
            .filter_map(unreadable::from_item)
        {
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
        let keys: Vec<Key> = ids.iter().map(|id| Key::credential(*id)).collect();
        let found = self.get_all(&keys).await?;
        let rows = found
            .into_values()
            .filter_map(unreadable::from_item::<Credential>);
        Ok(rows.map(|row| (row.id, row)).collect())
    }

    /// Returns the writes that change `before` to `after`. The first is the credential's own.
    pub(super) async fn changes(
        &self,
        before: Option<&Credential>,
        after: Option<&Credential>,
        other_admin: Option<LiveAdmin>,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let own = match (before, after) {
            (None, Some(after)) => {
                self.tx_put(credential_item(after)?, Some(Condition::absent()))?
            }
            (Some(before), Some(after)) => {
                self.tx_put(credential_item(after)?, Some(unchanged(before)))?
            }
            (Some(before), None) => {
                self.tx_delete(&Key::credential(before.id), Some(unchanged(before)))?
            }
            (None, None) => return Ok(Vec::new()),
        };
        let mut writes = vec![own];
        writes.extend(self.grant_changes(before, after, now).await?);
        let lasting = |credential: Option<&Credential>| {
            credential
                .filter(|credential| credential.is_permanent_admin())
                .map(|credential| credential.id)
        };
        match (lasting(before), lasting(after)) {
            (None, Some(id)) => writes.push(self.tx_put(pointer(&Key::live_admin(id), id)?, None)?),
            (Some(id), None) => writes.push(self.tx_delete(&Key::live_admin(id), None)?),
            _ => {}
        }
        if let Some(other) = other_admin {
            writes.push(self.tx_check(&Key::live_admin(other.credential), Condition::present())?);
            // A deletion writes the user's row anyway, and that write has the condition.
            if after.is_some() || before.is_none_or(|before| other.user != before.settings.user_id)
            {
                writes.push(self.check_active(other.user)?);
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
            writes.push(self.tx_delete(&key, None)?);
        }
        // Written even if unchanged: an expired credential's entry was removed, and its expiry may
        // have been extended.
        if let Some((key, id)) = new {
            writes.push(self.tx_put(pointer(&key, id)?, None)?);
        }
        Ok(writes)
    }

    /// Writes the grants of `after`'s tokens, keeping their last use, and ends those of the tokens
    /// that only `before` has.
    async fn grant_changes(
        &self,
        before: Option<&Credential>,
        after: Option<&Credential>,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let grants = |credential: Option<&Credential>| -> BTreeMap<String, Grant> {
            credential
                .map(Credential::grants)
                .unwrap_or_default()
                .into_iter()
                .collect()
        };
        let (old, new) = (grants(before), grants(after));
        let tokens: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let keys: Vec<Key> = old.keys().map(|token| Key::token(token)).collect();
        let found = self.get_all(&keys).await?;
        let mut writes = Vec::with_capacity(tokens.len());
        for token in tokens {
            let key = Key::token(token);
            let stored = found
                .get(&key)
                .cloned()
                .map(serde_dynamo::from_item::<_, GrantRow>)
                .transpose()?;
            let used_at = stored.and_then(|row| row.grant.used_at);
            let grant = match (new.get(token), old.get(token)) {
                (Some(grant), _) => grant.clone(),
                (None, Some(grant)) => grant.clone().ended(now),
                (None, None) => continue,
            };
            let expires_at = grant.ends_at.map(|end| self.expiry(end));
            let row = GrantRow {
                grant: Grant { used_at, ..grant },
                expires_at,
            };
            writes.push(self.tx_put(item(&key, None, row)?, None)?);
        }
        Ok(writes)
    }

    /// Adds `change` to the user's number of credentials and increments the user's version. The
    /// user must exist, and be active if `other_admin` is theirs.
    pub(super) fn count_credential(
        &self,
        user: UserId,
        change: i8,
        other_admin: Option<LiveAdmin>,
    ) -> Result<TransactWriteItem, TableError> {
        let mut values = vec![(":change", number(change)), (":one", number(1))];
        let mut condition = "attribute_exists(pk)";
        if other_admin.is_some_and(|other| other.user == user) {
            condition = ACTIVE;
            values.push(active());
        }
        let update = "SET #version = #version + :one ADD #credentials :change";
        self.tx_update(&Key::user(user), update, Condition::that(condition, values))
    }

    /// Checks that a user exists and is active.
    pub(super) fn check_active(&self, user: UserId) -> Result<TransactWriteItem, TableError> {
        self.tx_check(&Key::user(user), Condition::that(ACTIVE, [active()]))
    }
}

/// Condition that a user is active.
const ACTIVE: &str = "#active = :active";

fn active() -> (&'static str, AttributeValue) {
    (":active", AttributeValue::Bool(true))
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

fn unchanged(credential: &Credential) -> Condition {
    Condition::that(
        "#version = :version",
        [(":version", number(credential.version))],
    )
}
