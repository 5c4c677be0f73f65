//! Rotation of the keyring, in Secrets Manager's four steps: create, set, test, finish.
//!
//! A rotation creates the version that Secrets Manager has staged as `AWSPENDING`: the current
//! keyring plus one key, which encrypts from then on. Old keys and the pepper stay, so that
//! existing values can be decrypted and tokens are found. Each step may run twice, or again after a
//! crash at any point
//! (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html>).
//! Invariants: a stored value is never replaced, and no version becomes current that lacks a key or
//! the pepper of its predecessor.

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{KeyringCache, KeyringError};
use crate::{
    aws::AwsError,
    encryption::{AadContext, EncryptionError, Keyring},
};

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
/// Maximum size in bytes of a secret in Secrets Manager: about 1,100 keys.
const MAX_SECRET_BYTES: usize = 65_536;

/// A step of a rotation, by Secrets Manager's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Create the pending version.
    CreateSecret,
    /// Set the pending value in other services.
    SetSecret,
    /// Test the pending version.
    TestSecret,
    /// Make the pending version current.
    FinishSecret,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The step is for a secret that is not the keyring's.
    #[error("{0} is not the keyring's secret")]
    OtherSecret(String),
    /// The secret is not set up for rotation.
    #[error("rotation is not enabled for the keyring's secret")]
    NotEnabled,
    /// The secret has no such version, or one without a stage.
    #[error("version {0} of the keyring's secret has no stage")]
    NotStaged(String),
    /// The version is not staged as pending.
    #[error("version {0} of the keyring's secret is not staged as AWSPENDING")]
    NotPending(String),
    /// The step ran before `createSecret`.
    #[error("version {0} of the keyring's secret has no value: createSecret has not run")]
    NotCreated(String),
    /// The current keyring was replaced after the version was derived from it.
    #[error(
        "version {0} lacks keys of the current keyring: remove the stage AWSPENDING from it, then rotate again"
    )]
    LosesKeys(String),
    /// There is no space for another key.
    #[error("the keyring is full: another key would exceed the 65,536 bytes of a secret")]
    Full,
    /// The pending keyring failed its test.
    #[error("the pending keyring fails its test: {0}")]
    Test(EncryptionError),
    /// Secrets Manager failed, or a value is not a keyring.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

/// State of the rotation.
enum Progress {
    /// The version is already current. The rotation is complete.
    Complete,
    /// The version is pending, and `current` is the current one.
    Pending { current: Option<String> },
}

impl KeyringCache {
    /// Performs one step of the rotation to `version` (the event's `ClientRequestToken`) of
    /// `secret` (its `SecretId`). Idempotent: repeating a step leads to the same state.
    pub async fn rotate(&self, step: Step, secret: &str, version: &str) -> Result<(), RotateError> {
        let described = self
            .client
            .describe_secret()
            .secret_id(&self.secret)
            .send()
            .await;
        let described = described
            .map_err(AwsError::from)
            .map_err(KeyringError::from)?;
        if ![
            Some(self.secret.as_str()),
            described.arn(),
            described.name(),
        ]
        .contains(&Some(secret))
        {
            return Err(RotateError::OtherSecret(secret.to_owned()));
        }
        let Progress::Pending { current } = progress(&described, version)? else {
            tracing::info!(?step, version, "the keyring has already been rotated");
            return Ok(());
        };
        match step {
            Step::CreateSecret => self.create(current.as_deref(), version).await?,
            // Nothing to set: no other service stores a copy of the keyring.
            Step::SetSecret => {}
            Step::TestSecret => self.test(current.as_deref(), version).await?,
            Step::FinishSecret => self.finish(current, version).await?,
        }
        tracing::info!(?step, version, "rotation step completed");
        Ok(())
    }

    async fn create(&self, current: Option<&str>, version: &str) -> Result<(), RotateError> {
        if self.version(Some(version)).await?.is_some() {
            return Ok(());
        }
        // Without a keyring (before the bootstrap) the rotation creates the first one.
        let pending = self
            .version(current)
            .await?
            .map_or_else(Keyring::generate, Keyring::with_new_key)
            .to_json();
        if pending.expose_secret().len() > MAX_SECRET_BYTES {
            return Err(RotateError::Full);
        }
        Ok(self.put(version, Some(PENDING), &pending).await?)
    }

    async fn test(&self, current: Option<&str>, version: &str) -> Result<(), RotateError> {
        let current = self.version(current).await?;
        let Some(pending) = self.version(Some(version)).await? else {
            // Enabling rotation without rotating runs only this step, possibly before the
            // bootstrap.
            return if current.is_some() {
                Err(RotateError::NotCreated(version.to_owned()))
            } else {
                Ok(())
            };
        };
        let place = AadContext {
            resource: "keyring",
            id: version,
            field: "test",
        };
        let opens = |sealed: String| {
            pending
                .open(place, &sealed)
                .map(drop)
                .map_err(RotateError::Test)
        };
        if let Some(current) = current {
            if !pending.extends(&current) {
                return Err(RotateError::LosesKeys(version.to_owned()));
            }
            opens(current.seal(place, "sealed before"))?;
        }
        opens(pending.seal(place, "sealed since"))
    }

    /// Names the current version in the move. Secrets Manager rejects the move if another version
    /// is current by then, so no keyring is replaced unseen.
    async fn finish(&self, current: Option<String>, version: &str) -> Result<(), RotateError> {
        let pending = self.version(Some(version)).await?;
        let pending = pending.ok_or_else(|| RotateError::NotCreated(version.to_owned()))?;
        if self
            .version(current.as_deref())
            .await?
            .is_some_and(|current| !pending.extends(&current))
        {
            return Err(RotateError::LosesKeys(version.to_owned()));
        }
        let moved = self
            .client
            .update_secret_version_stage()
            .secret_id(&self.secret)
            .version_stage(CURRENT)
            .move_to_version_id(version)
            .set_remove_from_version_id(current)
            .send()
            .await;
        moved
            .map(drop)
            .map_err(|error| KeyringError::from(AwsError::from(error)).into())
    }

    /// Reads the keyring of a version. None if there is no such version, or if it has no value.
    async fn version(&self, id: Option<&str>) -> Result<Option<Keyring>, KeyringError> {
        let Some(id) = id else { return Ok(None) };
        match self.read(Some(id)).await {
            Ok(ring) => Ok(Some(ring)),
            Err(KeyringError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores the value of a version, staged as current by default. An existing value stays.
    pub(super) async fn put(
        &self,
        version: &str,
        stage: Option<&str>,
        json: &SecretString,
    ) -> Result<(), KeyringError> {
        let put = self
            .client
            .put_secret_value()
            .secret_id(&self.secret)
            .client_request_token(version)
            .set_version_stages(stage.map(|stage| vec![stage.to_owned()]))
            .secret_string(json.expose_secret())
            .send()
            .await;
        match put.map_err(AwsError::from) {
            // Condition failed: a concurrent request stored a value first.
            Err(AwsError::Service { code, .. }) if code == "ResourceExistsException" => Ok(()),
            done => Ok(done.map(drop)?),
        }
    }
}

fn progress(described: &DescribeSecretOutput, version: &str) -> Result<Progress, RotateError> {
    if described.rotation_enabled() != Some(true) {
        return Err(RotateError::NotEnabled);
    }
    let versions = described.version_ids_to_stages();
    let has = |id: &str, stage: &str| {
        versions
            .and_then(|versions| versions.get(id))
            .is_some_and(|stages| stages.iter().any(|name| name == stage))
    };
    let staged = versions
        .and_then(|versions| versions.get(version))
        .is_some_and(|stages| !stages.is_empty());
    if !staged {
        return Err(RotateError::NotStaged(version.to_owned()));
    }
    if has(version, CURRENT) {
        return Ok(Progress::Complete);
    }
    if !has(version, PENDING) {
        return Err(RotateError::NotPending(version.to_owned()));
    }
    let current =
        versions.and_then(|versions| versions.keys().find(|id| has(id, CURRENT)).cloned());
    Ok(Progress::Pending { current })
}

#[cfg(test)]
mod tests;
