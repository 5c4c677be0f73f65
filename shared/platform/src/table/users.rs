//! Users. A user's row counts the credentials and services that it holds, so that none can be made
//! for one who is being deleted.

use domain::{audit::Entry, id::UserId, user::User};
use serde::{Deserialize, Serialize};

use super::{
    Condition, Item, Key, Table, TableError, TransactWriteItem, WriteError,
    credentials::LiveAdmin,
    item, number,
    walk::{Page, Slice},
};

const KIND: &str = "user";

#[derive(Serialize, Deserialize)]
struct Row<U> {
    #[serde(flatten)]
    user: U,
    /// How many credentials it holds.
    #[serde(default)]
    credentials: u32,
    /// How many services call in its name.
    #[serde(default)]
    services: u32,
}

/// A user with what else its row tells.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The user.
    pub user: User,
    /// How many credentials it holds.
    pub credentials: u32,
    /// How many services call in its name.
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
    /// Adds a user.
    pub async fn create_user(&self, user: &User, entry: &Entry) -> Result<(), WriteError> {
        let holder = Holder {
            user: user.clone(),
            credentials: 0,
            services: 0,
        };
        let writes = vec![
            self.write(user_item(&holder)?, Some(Condition::absent()))?,
            self.write(name_item(user)?, Some(Condition::absent()))?,
            self.audit_write(entry)?,
        ];
        self.transact_named(writes, &name_key(user)).await
    }

    /// Replaces a user, unless it has changed meanwhile. `other_admin` must still be one, of an
    /// active user.
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
        let mut writes = vec![self.write(user_item(&holder)?, Some(unchanged(&before.user)))?];
        if name_key(&before.user) != name_key(after) {
            writes.push(self.write(name_item(after)?, Some(Condition::absent()))?);
            writes.push(self.erase(&name_key(&before.user), None)?);
        }
        writes.push(self.audit_write(entry)?);
        let own = writes.len();
        if let Some(other) = other_admin {
            writes.push(self.check(&Key::live_admin(other.credential), Condition::present())?);
            writes.push(self.check_active(other.user)?);
        }
        match self.transact(writes).await? {
            Ok(()) => Ok(()),
            Err(index) if index >= own => Err(WriteError::Changed),
            Err(index) => Err(self.refused(index, &name_key(after)).await?),
        }
    }

    /// Removes a user who holds nothing, unless it has changed meanwhile.
    pub async fn delete_user(&self, holder: &Holder, entry: &Entry) -> Result<(), WriteError> {
        let writes = vec![
            self.erase(&Key::user(holder.user.id), Some(unchanged(&holder.user)))?,
            self.erase(&name_key(&holder.user), None)?,
            self.audit_write(entry)?,
        ];
        self.transact(writes)
            .await?
            .map_err(|_| WriteError::Changed)
    }

    /// Counts one service more, or less, that calls in the user's name; refused when there is no
    /// such user.
    pub(super) fn serves(&self, user: UserId, change: i8) -> Result<TransactWriteItem, TableError> {
        let values = [(":change", number(change)), (":one", number(1))];
        let update = "SET #version = #version + :one ADD #services :change";
        self.update(
            &Key::user(user),
            update,
            Condition::that("attribute_exists(pk)", values),
        )
    }

    /// One user.
    pub async fn user(&self, id: UserId) -> Result<Option<Holder>, TableError> {
        Ok(self
            .get::<Row<User>>(&Key::user(id))
            .await?
            .map(Holder::from))
    }

    /// The user of this name, without regard to case.
    pub async fn user_named(&self, name: &str) -> Result<Option<Holder>, TableError> {
        match self.named(&Key::name(KIND, name)).await? {
            Some(id) => self.user(id).await,
            None => Ok(None),
        }
    }

    /// All users, newest first.
    pub async fn users(&self, slice: &Slice) -> Result<Page<Holder>, TableError> {
        Ok(self
            .listed::<Row<User>>(KIND, slice)
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
