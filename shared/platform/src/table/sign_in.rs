//! What a token permits, and whose it is: the read of every authenticated request.

use domain::{credential::Grant, id::UserId};

use super::{Key, Table, TableError, credentials::GrantRow, users::StoredUser};

impl Table {
    /// Returns what the token with this keyed hash grants, even if it has ended, and the user of
    /// its credential, if it still exists. Takes one request if `likely` is that user, else two.
    pub async fn grant(
        &self,
        token: &str,
        likely: Option<UserId>,
    ) -> Result<Option<(Grant, Option<StoredUser>)>, TableError> {
        let key = Key::token(token);
        let Some(likely) = likely else {
            let Some(GrantRow { grant, .. }) = self.get(&key).await? else {
                return Ok(None);
            };
            let user = self.user(grant.user).await?;
            return Ok(Some((grant, user)));
        };
        let mut found = self.get_all(&[key.clone(), Key::user(likely)]).await?;
        let Some(item) = found.remove(&key) else {
            return Ok(None);
        };
        let GrantRow { grant, .. } = serde_dynamo::from_item(item)?;
        let user = if grant.user == likely {
            let item = found.remove(&Key::user(likely));
            item.map(StoredUser::from_item).transpose()?
        } else {
            self.user(grant.user).await?
        };
        Ok(Some((grant, user)))
    }
}
