//! The keyring: one secret in Secrets Manager, read at first use and cached for 300 s.
//!
//! Concurrent callers share one read. A value encrypted with a key that the cached copy lacks
//! triggers another read, at most every 5 s. While Secrets Manager fails, the cached copy stays in
//! use: keys are only ever added.

#[cfg(test)]
mod fake;
mod rotation;

use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Mutex;

pub use self::rotation::{RotateError, Step};
use crate::{
    aws::AwsError,
    clock,
    encryption::{AadContext, EncryptionError, Keyring, ParseKeyringError},
};

const CACHE_TTL: SignedDuration = SignedDuration::from_secs(300);
const MIN_READ_INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// The version ID of the first keyring, 32 to 64 characters. Secrets Manager rejects a second value
/// with the same ID. So of two concurrent bootstraps only one succeeds, and nothing is encrypted
/// with a keyring that is then replaced.
const FIRST_VERSION: &str = "tieline-first-keyring-00000000000";

/// The keyring with its cache. Share it by reference or in an `Arc`.
#[derive(Debug)]
pub struct KeyringCache {
    client: Client,
    secret: String,
    cached: Mutex<Option<Cached>>,
}

#[derive(Debug)]
struct Cached {
    ring: Arc<Keyring>,
    read_at: Timestamp,
}

/// Why there is no keyring, or why a value could not be decrypted.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The secret has no value yet, because [`KeyringCache::bootstrap`] has not run.
    #[error("no keyring exists yet: run the bootstrap")]
    Missing,
    /// The request to Secrets Manager failed.
    #[error("Secrets Manager: {0}")]
    Aws(#[from] AwsError),
    /// The secret's value is not a keyring.
    #[error(transparent)]
    Malformed(#[from] ParseKeyringError),
    /// The value could not be decrypted.
    #[error(transparent)]
    Seal(#[from] EncryptionError),
}

impl KeyringCache {
    /// The keyring in the secret with this name or ARN. Reads nothing yet.
    pub fn new(client: Client, secret: String) -> Self {
        Self {
            client,
            secret,
            cached: Mutex::new(None),
        }
    }

    /// Returns the keyring, at most 300 s old unless Secrets Manager fails.
    pub async fn get(&self) -> Result<Arc<Keyring>, KeyringError> {
        self.not_older_than(CACHE_TTL, clock::now()).await
    }

    /// Decrypts a value. If its key is not cached, the keyring is read again.
    pub async fn open(
        &self,
        place: AadContext<'_>,
        sealed: &str,
    ) -> Result<SecretString, KeyringError> {
        self.open_at(place, sealed, clock::now()).await
    }

    /// Stores the first keyring if the secret has no value. Returns the stored one. Idempotent and
    /// safe to run concurrently: an existing keyring is never replaced.
    pub async fn bootstrap(&self) -> Result<Arc<Keyring>, KeyringError> {
        match self.get().await {
            Err(KeyringError::Missing) => {}
            done => return done,
        }
        self.put(FIRST_VERSION, None, &Keyring::generate().to_json())
            .await?;
        self.get().await
    }

    async fn open_at(
        &self,
        place: AadContext<'_>,
        sealed: &str,
        now: Timestamp,
    ) -> Result<SecretString, KeyringError> {
        match self
            .not_older_than(CACHE_TTL, now)
            .await?
            .open(place, sealed)
        {
            Err(EncryptionError::UnknownKey(_)) => Ok(self
                .not_older_than(MIN_READ_INTERVAL, now)
                .await?
                .open(place, sealed)?),
            done => Ok(done?),
        }
    }

    /// Returns the keyring, read at most `age` ago. The lock is held during the read, so that
    /// concurrent callers wait for that one request. Ages use the wall clock, because Lambda may
    /// stop a monotonic clock while it freezes the process.
    async fn not_older_than(
        &self,
        age: SignedDuration,
        now: Timestamp,
    ) -> Result<Arc<Keyring>, KeyringError> {
        let mut cached = self.cached.lock().await;
        if let Some(Cached { ring, read_at }) = &*cached
            && now.duration_since(*read_at).abs() < age
        {
            return Ok(Arc::clone(ring));
        }
        let ring = match (self.read(None).await, &*cached) {
            (Ok(ring), _) => Arc::new(ring),
            (Err(error), Some(Cached { ring, .. })) => {
                tracing::warn!(%error, "failed to refresh the keyring; using the cached one");
                Arc::clone(ring)
            }
            (Err(error), None) => return Err(error),
        };
        *cached = Some(Cached {
            ring: Arc::clone(&ring),
            read_at: now,
        });
        Ok(ring)
    }

    /// Reads the current version, or the one with this ID.
    async fn read(&self, version: Option<&str>) -> Result<Keyring, KeyringError> {
        let request = self.client.get_secret_value().secret_id(&self.secret);
        let response = request
            .set_version_id(version.map(str::to_owned))
            .send()
            .await;
        let response = response
            .map_err(AwsError::from)
            .map_err(|error| match error {
                AwsError::Service { code, .. } if code == "ResourceNotFoundException" => {
                    KeyringError::Missing
                }
                error => error.into(),
            })?;
        // An emulator returns the empty text for a secret without a value.
        let json = response
            .secret_string
            .filter(|text| !text.is_empty())
            .ok_or(KeyringError::Missing)?;
        Ok(Keyring::from_json(&SecretString::from(json))?)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::{fake::Secret, *};

    const PLACE: AadContext<'_> = AadContext {
        resource: "webhook",
        id: "wh_1",
        field: "secret",
    };

    fn after(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[tokio::test]
    async fn concurrent_callers_share_one_read_per_300_seconds() {
        let secret = Secret::holding(&Keyring::generate());
        let keys = secret.keys();
        let (one, two) = tokio::join!(
            keys.not_older_than(CACHE_TTL, after(0)),
            keys.not_older_than(CACHE_TTL, after(0))
        );
        assert!(one.is_ok() && two.is_ok());
        for (seconds, reads) in [(0, 1), (299, 1), (300, 2), (599, 2), (600, 3)] {
            keys.not_older_than(CACHE_TTL, after(seconds))
                .await
                .expect("keyring");
            assert_eq!(secret.state().reads, reads, "{seconds}");
        }
    }

    #[tokio::test]
    async fn unknown_key_triggers_one_read_per_5_seconds() {
        let old = Keyring::generate();
        let secret = Secret::holding(&old);
        let keys = secret.keys();
        let new = Keyring::from_json(&old.to_json())
            .expect("keyring")
            .with_new_key();
        let sealed = new.seal(PLACE, "s3cret");
        for (seconds, reads) in [(0, 1), (4, 1), (5, 2), (6, 2)] {
            let error = keys
                .open_at(PLACE, &sealed, after(seconds))
                .await
                .expect_err("unknown");
            assert!(
                matches!(error, KeyringError::Seal(EncryptionError::UnknownKey(_))),
                "{error}"
            );
            assert_eq!(secret.state().reads, reads, "{seconds}");
        }
        secret.replace(new.to_json().expose_secret());
        let plain = keys
            .open_at(PLACE, &sealed, after(11))
            .await
            .expect("opens");
        assert_eq!(plain.expose_secret(), "s3cret");
        assert_eq!(secret.state().reads, 3);
    }

    #[tokio::test]
    async fn cached_keyring_is_used_while_secrets_manager_fails() {
        let secret = Secret::holding(&Keyring::generate());
        let keys = secret.keys();
        keys.not_older_than(CACHE_TTL, after(0))
            .await
            .expect("keyring");
        secret.state().down = true;
        keys.not_older_than(CACHE_TTL, after(1_000))
            .await
            .expect("the cached keyring");
    }

    #[tokio::test]
    async fn bootstrap_creates_one_keyring() {
        let secret = Secret::default();
        let (one, two) = (secret.keys(), secret.keys());
        assert!(matches!(one.get().await, Err(KeyringError::Missing)));
        let (first, second) = tokio::join!(one.bootstrap(), two.bootstrap());
        let token = first.expect("keyring").token_key("t");
        assert_eq!(second.expect("keyring").token_key("t"), token);
        assert_eq!(
            secret
                .keys()
                .bootstrap()
                .await
                .expect("keyring")
                .token_key("t"),
            token
        );

        // A value under another version ID. The existing value is never replaced.
        let other = Secret::holding(&Keyring::generate());
        let before = other
            .ring("AWSCURRENT")
            .map(|ring| ring.to_json().expose_secret().to_owned());
        other.keys().bootstrap().await.expect("keyring");
        assert_eq!(
            other
                .ring("AWSCURRENT")
                .map(|ring| ring.to_json().expose_secret().to_owned()),
            before
        );
    }

    #[tokio::test]
    async fn bootstrap_never_replaces_an_invalid_value() {
        let secret = Secret::holding(&Keyring::generate());
        secret.replace("hunter2");
        let error = secret.keys().bootstrap().await.expect_err("no keyring");
        assert!(
            matches!(error, KeyringError::Malformed(_)) && !error.to_string().contains("hunter2")
        );
    }
}
