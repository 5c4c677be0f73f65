//! Idempotency keys: the first request with a key claims an id for it, and every repeat gets that
//! id.

use domain::id::EventId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Condition, Key, Table, TableError, Written, item};

/// How long a key is remembered.
pub const CLAIM_TIME: SignedDuration = SignedDuration::from_hours(24);

/// What a key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim<I = EventId> {
    /// What the first request made: an event, a message.
    pub id: I,
    /// A hash of its body: the same key with another body is a mistake.
    pub body: String,
    /// When it was accepted.
    pub at: Timestamp,
    /// Whether that is on its queue for sure; until it is, a repeat sends it again.
    pub done: bool,
    expires_at: i64,
}

impl<I> Claim<I> {
    /// A claim made at `at`.
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
    /// Claims `key`, a hash or a third party's id of at most 300 bytes, on `route`. When it is
    /// claimed already, the claim that holds comes back.
    pub async fn claim<I: Serialize + DeserializeOwned>(
        &self,
        route: &str,
        key: &str,
        claim: Claim<I>,
    ) -> Result<Claim<I>, TableError> {
        let key = Key::claim(route, key);
        match self
            .put(
                item(&key, None, &claim)?,
                Some(Condition::absent_at(claim.at)),
            )
            .await?
        {
            Written::Yes => Ok(claim),
            Written::Refused => Ok(self.get(&key).await?.unwrap_or(claim)),
        }
    }

    /// The claim of `key` on `route`, where there is one.
    pub async fn claimed<I: DeserializeOwned>(
        &self,
        route: &str,
        key: &str,
    ) -> Result<Option<Claim<I>>, TableError> {
        self.get(&Key::claim(route, key)).await
    }

    /// Marks the claim: what it is for is on the queue.
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
            .put(item(&Key::claim(route, key), None, &done)?, None)
            .await?;
        Ok(())
    }
}
