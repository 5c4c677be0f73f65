//! Users, credentials and tokens.
//!
//! A token's item lies under its keyed hash and carries all that a request needs to know: one strongly consistent read
//! decides, and a token whose item is gone or changed stops with the next request.

use domain::{
    credential::{Credential, User},
    id::{CredentialId, UserId},
    scope::Scopes,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Condition, Key, Table, TableError, Written, item, text};

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// The credential it belongs to.
    pub credential: CredentialId,
    /// The user who holds that.
    pub user: UserId,
    /// What it may do.
    pub scopes: Scopes,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

impl Grant {
    /// Whether it counts at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| now.as_second() < expires_at)
    }
}

/// The mark that the first admin was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdminMark {
    /// The user *Administrator*.
    pub user: UserId,
    /// Its credential.
    pub credential: CredentialId,
    /// The keyed hash of the token in force.
    pub token: String,
}

impl Table {
    /// What the token with this keyed hash stands for.
    pub async fn grant(&self, token_hash: &str) -> Result<Option<Grant>, TableError> {
        self.get(&Key::token(token_hash)).await
    }

    /// The first admin, if there is one.
    pub async fn admin(&self) -> Result<Option<AdminMark>, TableError> {
        self.get(&Key::admin()).await
    }

    /// Makes the first admin, in one transaction; refused when there is one.
    pub async fn create_admin(
        &self,
        user: &User,
        credential: &Credential,
        token_hash: &str,
    ) -> Result<Written, TableError> {
        let mark = AdminMark { user: user.id, credential: credential.id, token: token_hash.to_owned() };
        let writes = vec![
            self.write(item(&Key::admin(), None, mark)?, Some(Condition::absent()))?,
            self.write(item(&Key::user(user.id), Some(("user", user.id.ulid().to_string())), user)?, None)?,
            self.write(credential_item(credential)?, None)?,
            self.write(item(&Key::token(token_hash), None, grant(credential))?, None)?,
        ];
        Ok(self.transact(writes).await?.map_or(Written::Refused, |()| Written::Yes))
    }

    /// Gives the first admin a new token in place of the old one; refused when that has changed meanwhile.
    pub async fn replace_admin_token(
        &self,
        mark: &AdminMark,
        credential: &Credential,
        token_hash: &str,
    ) -> Result<Written, TableError> {
        let fresh = AdminMark { token: token_hash.to_owned(), ..mark.clone() };
        let unchanged = Condition::that("#token = :token", [(":token", text(&mark.token))]);
        let writes = vec![
            self.write(item(&Key::admin(), None, fresh)?, Some(unchanged))?,
            self.write(credential_item(credential)?, None)?,
            self.erase(&Key::token(&mark.token), None)?,
            self.write(item(&Key::token(token_hash), None, grant(credential))?, None)?,
        ];
        Ok(self.transact(writes).await?.map_or(Written::Refused, |()| Written::Yes))
    }

    /// One credential.
    pub async fn credential(&self, id: CredentialId) -> Result<Option<Credential>, TableError> {
        self.get(&Key::credential(id)).await
    }
}

fn credential_item(credential: &Credential) -> Result<super::Item, TableError> {
    item(&Key::credential(credential.id), Some(("credential", credential.id.ulid().to_string())), credential)
}

fn grant(credential: &Credential) -> Grant {
    Grant {
        credential: credential.id,
        user: credential.user_id,
        scopes: credential.scopes.clone(),
        expires_at: credential.expires_at.map(Timestamp::as_second),
    }
}
