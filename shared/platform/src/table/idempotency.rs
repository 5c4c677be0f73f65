//! Idempotency keys: the first request with a key claims an ID, and every repeat gets that ID.

use domain::id::EventId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Condition, Key, Table, TableError, Written, item::item};

/// Retention of a key.
pub const CLAIM_TIME: SignedDuration = SignedDuration::from_hours(24);

/// The claim of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim<I = EventId> {
    /// ID of the event or message that the first request created.
    pub id: I,
    /// Hash of the request body. Reusing a key with another body is an error.
    pub body: String,
    /// Time when the request was accepted.
    pub at: Timestamp,
    /// Whether the event or message is queued. Until then a repeat sends it again.
    pub done: bool,
    expires_at: i64,
}

impl<I> Claim<I> {
    /// Creates a claim made at `at`.
    pub fn new(id: I, body: String, at: Timestamp) -> Self {
        Self {
            id,
            body,
            at,
            done: false,
            expires_at: at.as_second().saturating_add(CLAIM_TIME.as_secs()),
        }
    }
}

impl Table {
    /// Claims `key`, a hash or a third party's ID of at most 300 bytes, on `route`. If it is
    /// already claimed, returns the existing claim.
    pub async fn claim<I: Serialize + DeserializeOwned>(
        &self,
        route: &str,
        key: &str,
        claim: Claim<I>,
    ) -> Result<Claim<I>, TableError> {
        let key = Key::claim(route, key);
        match self
            .put_item(item(&key, None, &claim)?, Condition::absent_at(claim.at))
            .await?
        {
            Written::Yes => Ok(claim),
            Written::ConditionFailed => Ok(self.get(&key).await?.unwrap_or(claim)),
        }
    }

    /// Returns the claim of `key` on `route`.
    pub async fn claimed<I: DeserializeOwned>(
        &self,
        route: &str,
        key: &str,
    ) -> Result<Option<Claim<I>>, TableError> {
        self.get(&Key::claim(route, key)).await
    }

    /// Marks the claim as done: its event or message is queued.
    pub async fn claim_done<I: Clone + Serialize>(
        &self,
        route: &str,
        key: &str,
        claim: &Claim<I>,
    ) -> Result<(), TableError> {
        let done = Claim {
            done: true,
            ..claim.clone()
        };
        let _ = self
            .put_item(
                item(&Key::claim(route, key), None, &done)?,
                Condition::default(),
            )
            .await?;
        Ok(())
    }
}
