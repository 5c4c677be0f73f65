//! Users. A user's row counts its credentials and services, so that none can be created for a user
//! that is being deleted.

use domain::{audit::Entry, id::UserId, user::User};
use serde::{Deserialize, Serialize};

use super::{
    Condition, Item, Key, Table, TableError, TransactWriteItem, WriteError,
    credentials::LiveAdmin,
    item, number,
    pagination::{Page, PageRequest},
};

const KIND: &str = "user";

#[derive(Serialize, Deserialize)]
struct Row<U> {
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
pub struct Holder {
    /// The user.
    pub user: User,
    /// Number of credentials.
    pub credentials: u32,
    /// Number of services assigned to the user.
    pub services: u32,
}

impl From<Row<User>> for Holder {
    fn from(
        Row {
            user,
            credentials,
            services,
        }: Row<User>,
    ) -> Self {
        Self {
            user,
            credentials,
            services,
        }
    }
}

impl Holder {
    pub(super) fn from_item(item: Item) -> Result<Self, TableError> {
        Ok(serde_dynamo::from_item::<_, Row<User>>(item)?.into())
    }
}

impl Table {
    /// Creates a user.
    pub async fn create_user(&self, user: &User, entry: &Entry) -> Result<(), WriteError> {
        let holder = Holder {
            user: user.clone(),
            credentials: 0,
            services: 0,
        };
        let writes = vec![
            self.tx_put(user_item(&holder)?, Some(Condition::absent()))?,
            self.tx_put(name_item(user)?, Some(Condition::absent()))?,
            self.audit_write(entry)?,
        ];
        self.transact_named(writes, &name_key(user)).await
    }

    /// Replaces a user unless it has changed since it was read. `other_admin` must still be an
    /// admin credential of an active user.
    pub async fn update_user(
        &self,
        before: &Holder,
        after: &User,
        other_admin: Option<LiveAdmin>,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        let holder = Holder {
            user: after.clone(),
            ..*before
        };
        let mut writes = vec![self.tx_put(user_item(&holder)?, Some(unchanged(&before.user)))?];
        if name_key(&before.user) != name_key(after) {
            writes.push(self.tx_put(name_item(after)?, Some(Condition::absent()))?);
            writes.push(self.tx_delete(&name_key(&before.user), None)?);
        }
        writes.push(self.audit_write(entry)?);
        let own = writes.len();
        if let Some(other) = other_admin {
            writes.push(self.tx_check(&Key::live_admin(other.credential), Condition::present())?);
            writes.push(self.check_active(other.user)?);
        }
        match self.transact(writes).await? {
            Ok(()) => Ok(()),
            Err(index) if index >= own => Err(WriteError::Changed),
            Err(index) => Err(self.write_error(index, &name_key(after)).await?),
        }
    }

    /// Deletes a user without credentials and services, unless it has changed since it was read.
    pub async fn delete_user(&self, holder: &Holder, entry: &Entry) -> Result<(), WriteError> {
        let writes = vec![
            self.tx_delete(&Key::user(holder.user.id), Some(unchanged(&holder.user)))?,
            self.tx_delete(&name_key(&holder.user), None)?,
            self.audit_write(entry)?,
        ];
        self.transact(writes)
            .await?
            .map_err(|_| WriteError::Changed)
    }

    /// Adds `change` to the user's number of services. The condition fails if the user does not
    /// exist.
    pub(super) fn count_service(
        &self,
        user: UserId,
        change: i8,
    ) -> Result<TransactWriteItem, TableError> {
        let values = [(":change", number(change)), (":one", number(1))];
        let update = "SET #version = #version + :one ADD #services :change";
        self.tx_update(
            &Key::user(user),
            update,
            Condition::that("attribute_exists(pk)", values),
        )
    }

    /// Returns a user.
    pub async fn user(&self, id: UserId) -> Result<Option<Holder>, TableError> {
        Ok(self
            .get::<Row<User>>(&Key::user(id))
            .await?
            .map(Holder::from))
    }

    /// Returns the user with this name, ignoring case.
    pub async fn user_named(&self, name: &str) -> Result<Option<Holder>, TableError> {
        match self.id_by_name(&Key::name(KIND, name)).await? {
            Some(id) => self.user(id).await,
            None => Ok(None),
        }
    }

    /// Lists users, newest first.
    pub async fn users(&self, page_request: &PageRequest) -> Result<Page<Holder>, TableError> {
        Ok(self
            .listed::<Row<User>>(KIND, page_request)
            .await?
            .map(Holder::from))
    }
}

pub(super) fn user_item(holder: &Holder) -> Result<Item, TableError> {
    let Holder {
        user,
        credentials,
        services,
    } = holder;
    let listing = Some((KIND, user.id.ulid().to_string()));
    item(
        &Key::user(user.id),
        listing,
        Row {
            user,
            credentials: *credentials,
            services: *services,
        },
    )
}

pub(super) fn name_item(user: &User) -> Result<Item, TableError> {
    item(&name_key(user), None, serde_json::json!({"id": user.id}))
}

pub(super) fn name_key(user: &User) -> Key {
    Key::name(KIND, &user.settings.name)
}

fn unchanged(user: &User) -> Condition {
    Condition::that("#version = :version", [(":version", number(user.version))])
}
