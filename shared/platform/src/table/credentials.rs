//! Credentials, and what lies under their tokens' hashes.
//!
//! Each change is one transaction over the credential's row, the grants of its tokens, its place
//! among the live admins, and its next reminder: a token counts exactly as its credential says,
//! from the next request on.

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
    Condition, Item, Key, Table, TableError, WriteError, item, key, number, text, unreadable,
    users::Holder,
    walk::{Page, Slice},
};

const KIND: &str = "credential";

/// What stands in the lists of live admins and of reminders.
#[derive(Serialize, Deserialize)]
struct Pointer {
    credential: CredentialId,
}

/// A credential that can manage everything and has no end, with its holder, who is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveAdmin {
    /// The credential.
    pub credential: CredentialId,
    /// Its holder.
    pub user: UserId,
}

#[derive(Serialize, Deserialize)]
struct GrantRow {
    #[serde(flatten)]
    grant: Grant,
    /// Long after its end, so that uses of an ended token can be told from guesses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl Table {
    /// What the token with this keyed hash stands for, ended or not.
    pub async fn grant(&self, token: &str) -> Result<Option<Grant>, TableError> {
        Ok(self
            .get::<GrantRow>(&Key::token(token))
            .await?
            .map(|row| row.grant))
    }

    /// Notes that a token was used at `now`.
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
            // The token went away since it was read.
            Err(error) if super::is_refused(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds a credential.
    pub async fn create_credential(
        &self,
        new: &Credential,
        now: Timestamp,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let mut writes = self.changes(None, Some(new), None, now).await?;
        writes.push(self.held(new.settings.user_id, 1, None)?);
        writes.push(self.audit_write(entry)?);
        self.transact(writes)
            .await?
            .map_err(|_| WriteError::Changed)
    }

    /// Replaces a credential, unless it has changed meanwhile. `other_admin` must still be one, of
    /// an active user.
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
            // Whoever switches the user must hold them: a switch that was decided without them is
            // refused.
            writes.push(self.held(after.settings.user_id, 0, None)?);
        }
        if let Some(entry) = entry {
            writes.push(self.audit_write(entry)?);
        }
        self.transact(writes)
            .await?
            .map_err(|_| WriteError::Changed)
    }

    /// Removes a credential, unless it has changed meanwhile. `other_admin` must still be one, of
    /// an active user.
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
        writes.push(self.held(credential.settings.user_id, -1, other_admin)?);
        writes.push(self.audit_write(entry)?);
        self.transact(writes)
            .await?
            .map_err(|_| WriteError::Changed)
    }

    /// One credential.
    pub async fn credential(&self, id: CredentialId) -> Result<Option<Credential>, TableError> {
        self.get(&Key::credential(id)).await
    }

    /// All credentials, newest first.
    pub async fn credentials(&self, slice: &Slice) -> Result<Page<Credential>, TableError> {
        self.listed(KIND, slice).await
    }

    /// Every credential of a user, as it is now.
    ///
    /// # Errors
    /// [`WriteError::Changed`] when the list does not show all of them yet.
    pub async fn credentials_of(&self, holder: &Holder) -> Result<Vec<Credential>, WriteError> {
        let mut ids = Vec::new();
        let mut slice = Slice::new(None, 100);
        loop {
            let Page { items, next, .. } = self.credentials(&slice).await?;
            ids.extend(
                items
                    .iter()
                    .filter(|one| one.settings.user_id == holder.user.id)
                    .map(|one| one.id),
            );
            slice.after = next;
            if slice.after.is_none() || ids.len() >= holder.credentials as usize {
                break;
            }
        }
        let found = self.credentials_by_id(&ids).await?;
        if found.len() < holder.credentials as usize {
            return Err(WriteError::Changed);
        }
        Ok(found.into_values().collect())
    }

    /// The credentials whose next reminder is due by `until`, the most urgent first. What is read
    /// grows with them alone.
    pub async fn reminders(
        &self,
        until: Timestamp,
        slice: &Slice,
    ) -> Result<Page<Credential>, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true);
        let query = query.limit(i32::try_from(slice.limit).unwrap_or(i32::MAX));
        let query = query.key_condition_expression("pk = :pk AND sk BETWEEN :from AND :until");
        // A sort key that was seen is left out by the character that follows it.
        let from = slice
            .after
            .as_ref()
            .map_or_else(|| "0".to_owned(), |after| format!("{after}!"));
        let until = format!("{}~", key::instant(until));
        // DynamoDB refuses a range whose ends are the wrong way round.
        if from > until {
            return Ok(Page {
                items: Vec::new(),
                next: None,
                weight: 0,
            });
        }
        let query = query.expression_attribute_values(":pk", text(key::REMINDERS));
        let query = query.expression_attribute_values(":from", text(from));
        let query = query.expression_attribute_values(":until", text(until));
        let answer = query.send().await?;
        let more = answer.last_evaluated_key.is_some();
        let found = answer.items.unwrap_or_default();
        let next = found
            .last()
            .filter(|_| more)
            .and_then(|item| Some(super::key_of(item)?.sk));
        let pointers = found
            .into_iter()
            .filter_map(unreadable::from_item::<Pointer>);
        let ids: Vec<CredentialId> = pointers.map(|pointer| pointer.credential).collect();
        let mut rows = self.credentials_by_id(&ids).await?;
        // Credentials are small: a page of them does not fill an answer.
        Ok(Page {
            items: ids.iter().filter_map(|id| rows.remove(id)).collect(),
            next,
            weight: 0,
        })
    }

    /// Takes an expired credential from the list of reminders, unless it has changed meanwhile: it
    /// may have more time now.
    pub async fn forget_reminder(&self, credential: &Credential) -> Result<(), TableError> {
        let writes = vec![
            self.erase(
                &Key::reminder(credential.next_reminder_at(), credential.id),
                None,
            )?,
            self.check(&Key::credential(credential.id), unchanged(credential))?,
        ];
        // Where it has changed, the change has written what is to stand there.
        self.transact(writes).await.map(|_| ())
    }

    /// When each of these credentials was last used.
    pub async fn last_uses(
        &self,
        credentials: &[Credential],
    ) -> Result<HashMap<CredentialId, Timestamp>, TableError> {
        let keys: Vec<Key> = credentials
            .iter()
            .flat_map(Credential::grants)
            .map(|(token, _)| Key::token(&token))
            .collect();
        let former = credentials
            .iter()
            .filter_map(|credential| Some((credential.id, credential.last_used_at?)));
        let mut uses: HashMap<CredentialId, Timestamp> = former.collect();
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

    /// A credential without an end, other than those that `spared` names, whose holder is active
    /// and can manage everything.
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
            if !spared(&credential) && credential.is_lasting_admin() {
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

    /// The writes that lead from `before` to `after`; the first is the credential's own.
    pub(super) async fn changes(
        &self,
        before: Option<&Credential>,
        after: Option<&Credential>,
        other_admin: Option<LiveAdmin>,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, TableError> {
        let own = match (before, after) {
            (None, Some(after)) => {
                self.write(credential_item(after)?, Some(Condition::absent()))?
            }
            (Some(before), Some(after)) => {
                self.write(credential_item(after)?, Some(unchanged(before)))?
            }
            (Some(before), None) => {
                self.erase(&Key::credential(before.id), Some(unchanged(before)))?
            }
            (None, None) => return Ok(Vec::new()),
        };
        let mut writes = vec![own];
        writes.extend(self.grant_changes(before, after, now).await?);
        let lasting = |credential: Option<&Credential>| {
            credential
                .filter(|credential| credential.is_lasting_admin())
                .map(|credential| credential.id)
        };
        match (lasting(before), lasting(after)) {
            (None, Some(id)) => writes.push(self.write(pointer(&Key::live_admin(id), id)?, None)?),
            (Some(id), None) => writes.push(self.erase(&Key::live_admin(id), None)?),
            _ => {}
        }
        if let Some(other) = other_admin {
            writes.push(self.check(&Key::live_admin(other.credential), Condition::present())?);
            // A removal writes its holder's row, and that write checks it.
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
            writes.push(self.erase(&key, None)?);
        }
        // Also where it stands already: an expired credential's was taken away, and it may have
        // been given more time.
        if let Some((key, id)) = new {
            writes.push(self.write(pointer(&key, id)?, None)?);
        }
        Ok(writes)
    }

    /// The grants of `after`'s tokens, with what is known of their use; those of `before`'s other
    /// tokens end now.
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
            writes.push(self.write(item(&key, None, row)?, None)?);
        }
        Ok(writes)
    }

    /// Adds to the count of its holder's credentials, and to the holder's version. The holder must
    /// be there; and active where `other_admin` is theirs.
    pub(super) fn held(
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
        self.update(&Key::user(user), update, Condition::that(condition, values))
    }

    /// Checks that a user is there and active.
    pub(super) fn check_active(&self, user: UserId) -> Result<TransactWriteItem, TableError> {
        self.check(&Key::user(user), Condition::that(ACTIVE, [active()]))
    }
}

/// Of a user: that it is active.
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
