//! Users. A user's row counts its credentials and services, so that none can be created for a user
//! that is being deleted.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{audit::Entry, credential::Credential, id::UserId, user::User};
use serde::{Deserialize, Serialize};

use super::{
    Condition, Item, Key, Table, TableError, WriteError,
    credentials::LiveAdmin,
    item::item,
    pagination::{Page, PageRequest},
    transaction::Transaction,
};

const KIND: &str = "user";

#[derive(Serialize, Deserialize)]
struct UserRow<U> {
    #[serde(flatten)]
    user: U,
    /// Number of credentials.
    #[serde(default)]
    credentials: u32,
    /// Number of services assigned to the user.
    #[serde(default)]
    services: u32,
}

/// A user with its usage counts.
#[derive(Debug, Clone)]
pub struct StoredUser {
    /// The user without usage counts.
    pub user: User,
    /// Number of credentials.
    pub credentials: u32,
    /// Number of services assigned to the user.
    pub services: u32,
}

impl From<UserRow<User>> for StoredUser {
    fn from(
        UserRow {
            user,
            credentials,
            services,
        }: UserRow<User>,
    ) -> Self {
        Self {
            user,
            credentials,
            services,
        }
    }
}

impl StoredUser {
    pub(super) fn from_item(item: Item) -> Result<Self, TableError> {
        Ok(serde_dynamo::from_item::<_, UserRow<User>>(item)?.into())
    }
}

impl Table {
    /// Creates a user.
    pub async fn create_user(&self, user: &User, entry: &Entry) -> Result<(), WriteError> {
        let holder = StoredUser {
            user: user.clone(),
            credentials: 0,
            services: 0,
        };
        let mut tx = self.transaction();
        tx.put_if(user_item(&holder)?, Condition::absent());
        tx.claim_name(name_key(user), user.id);
        tx.audit(entry)?;
        tx.commit().await
    }

    /// Replaces a user unless it has changed since it was read. `other_admin` must still be an
    /// admin credential of an active user.
    pub async fn update_user(
        &self,
        before: &StoredUser,
        after: &User,
        other_admin: Option<LiveAdmin>,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let holder = StoredUser {
            user: after.clone(),
            ..*before
        };
        let mut tx = self.transaction();
        tx.put_if(user_item(&holder)?, Condition::version(before.user.version));
        tx.rename(name_key(&before.user), name_key(after), after.id);
        tx.audit(entry)?;
        if let Some(other) = other_admin {
            tx.check_live_admin(other);
            tx.check_active(other.user);
        }
        tx.commit().await
    }

    /// Deletes a user without credentials and services, unless it has changed since it was read.
    pub async fn delete_user(&self, holder: &StoredUser, entry: &Entry) -> Result<(), WriteError> {
        let user = &holder.user;
        let mut tx = self.transaction();
        tx.delete_if(Key::user(user.id), Condition::version(user.version));
        tx.delete(name_key(user));
        tx.audit(entry)?;
        tx.commit().await
    }

    /// Returns a user.
    pub async fn user(&self, id: UserId) -> Result<Option<StoredUser>, TableError> {
        Ok(self
            .get::<UserRow<User>>(&Key::user(id))
            .await?
            .map(StoredUser::from))
    }

    /// Returns the user with this name, ignoring case.
    pub async fn user_named(&self, name: &str) -> Result<Option<StoredUser>, TableError> {
        match self.id_by_name(&Key::name(KIND, name)).await? {
            Some(id) => self.user(id).await,
            None => Ok(None),
        }
    }

    /// Lists users, newest first.
    pub async fn users(&self, page_request: &PageRequest) -> Result<Page<StoredUser>, TableError> {
        Ok(self
            .listed::<UserRow<User>>(KIND, page_request)
            .await?
            .map(StoredUser::from))
    }

    /// Returns all current credentials of a user.
    ///
    /// # Errors
    ///
    /// [`WriteError::Changed`] if the list does not contain all of them yet.
    pub async fn credentials_of(&self, holder: &StoredUser) -> Result<Vec<Credential>, WriteError> {
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
}

impl Transaction<'_> {
    /// Adds `change` to the user's number of services. Fails if the user does not exist.
    pub(super) fn count_service(&mut self, user: UserId, change: i8) {
        self.count(Key::user(user), "services", change);
    }

    /// Adds `change` to the user's number of credentials. The user must exist, and be active if
    /// `other_admin` is theirs.
    pub(super) fn count_credential(
        &mut self,
        user: UserId,
        change: i8,
        other_admin: Option<LiveAdmin>,
    ) {
        let condition = if other_admin.is_some_and(|other| other.user == user) {
            active()
        } else {
            Condition::present()
        };
        self.count_if(Key::user(user), "credentials", change, condition);
    }

    /// Requires that a user exists and is active.
    pub(super) fn check_active(&mut self, user: UserId) {
        self.check(Key::user(user), active());
    }
}

/// The user is active.
fn active() -> Condition {
    Condition::that(
        "#active = :active",
        [(":active", AttributeValue::Bool(true))],
    )
}

pub(super) fn user_item(holder: &StoredUser) -> Result<Item, TableError> {
    let StoredUser {
        user,
        credentials,
        services,
    } = holder;
    let listing = Some((KIND, user.id.ulid().to_string()));
    item(
        &Key::user(user.id),
        listing,
        UserRow {
            user,
            credentials: *credentials,
            services: *services,
        },
    )
}

pub(super) fn name_key(user: &User) -> Key {
    Key::name(KIND, &user.settings.name)
}
