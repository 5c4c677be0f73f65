//! Grants: what each token permits, stored under the token's keyed hash.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    credential::{Credential, Grant},
    id::CredentialId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::{
    Condition, Key, Table, TableError,
    item::{item, text},
    transaction::Transaction,
};

/// The row of a token.
#[derive(Serialize, Deserialize)]
pub(in crate::table) struct GrantRow {
    #[serde(flatten)]
    pub(in crate::table) grant: Grant,
    /// Long after the token's end, so that uses of an expired or revoked token can be
    /// distinguished from guesses.
    #[serde(
        rename = "expires_at",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    ttl: Option<i64>,
}

impl Table {
    /// Records that a token was used at `now`.
    pub async fn record_token_use(&self, token: &str, now: Timestamp) -> Result<(), TableError> {
        let exists = Condition::present().with([(":now", text(now.to_string()))]);
        // Condition failed: the token was deleted in the meantime.
        self.update_item(&Key::token(token), "SET #used_at = :now", exists)
            .await
            .map(|_| ())
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
}

impl Transaction<'_> {
    /// Writes the grants of `after`'s tokens with their last use, and ends those of the tokens
    /// that only `before` has.
    pub(super) async fn change_grants(
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
            let ttl = grant.expires_at.map(|end| self.table().expiry(end));
            let row = GrantRow {
                grant: Grant { used_at, ..grant },
                ttl,
            };
            self.put(item(&key, None, row)?);
        }
        Ok(())
    }
}
