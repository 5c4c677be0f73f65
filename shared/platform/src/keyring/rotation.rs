//! Rotation of the keyring, in the four steps that Secrets Manager asks for: create, set, test,
//! finish.
//!
//! A rotation makes the version that Secrets Manager has staged as `AWSPENDING`: the current
//! keyring with one more key, which seals from then on. Old keys and the pepper stay, so everything
//! sealed before opens, and tokens are found. Each step may come twice, or again after a crash at
//! any point
//! (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html>).
//! What holds whatever comes: a value that is stored is never replaced, and no version becomes the
//! current one that lacks a key or the pepper of the one before it.

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{KeyringError, Keys};
use crate::{
    aws::AwsError,
    seal::{Keyring, Place, SealError},
};

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
/// The most bytes that Secrets Manager keeps in a secret: some 1,100 keys.
const MOST_BYTES: usize = 65_536;

/// A step of a rotation, by Secrets Manager's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Make the pending version.
    CreateSecret,
    /// Tell others about it.
    SetSecret,
    /// See whether it works.
    TestSecret,
    /// Make it the current one.
    FinishSecret,
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The step is about a secret that does not hold our keyring.
    #[error("{0} is not the keyring's secret")]
    OtherSecret(String),
    /// The secret is not set up for rotation.
    #[error("rotation is not enabled for the keyring's secret")]
    NotEnabled,
    /// The secret has no such version, or one without a stage.
    #[error("version {0} of the keyring's secret has no stage")]
    NotStaged(String),
    /// The version is not the one that a rotation is to make.
    #[error("version {0} of the keyring's secret is not staged as AWSPENDING")]
    NotPending(String),
    /// The step came before the one that makes the value.
    #[error("version {0} of the keyring's secret has no value: the step createSecret was not done")]
    NotCreated(String),
    /// The current keyring was replaced since the version was made from it.
    #[error(
        "version {0} lacks keys of the current keyring: take the stage AWSPENDING from it, then rotate again"
    )]
    LosesKeys(String),
    /// One more key does not fit.
    #[error("the keyring is full: one more key would pass the 65,536 bytes of a secret")]
    Full,
    /// The pending keyring does not do its work.
    #[error("the pending keyring fails its test: {0}")]
    Test(SealError),
    /// Secrets Manager failed, or holds something else than keyrings.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

/// What a step has to deal with.
enum Turn {
    /// The version is the current one: the rotation is over.
    Over,
    /// It is pending, and this is the current one.
    Pending { current: Option<String> },
}

impl Keys {
    /// Does one step of the rotation that makes `version` (the event's `ClientRequestToken`) of
    /// `secret` (its `SecretId`). A step that was done before is done again, or left, with the same
    /// end.
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
        let Turn::Pending { current } = turn(&described, version)? else {
            tracing::info!(?step, version, "the keyring is rotated already");
            return Ok(());
        };
        match step {
            Step::CreateSecret => self.create(current.as_deref(), version).await?,
            // The keyring itself is what is rotated: nobody else keeps a copy that would have to be
            // set.
            Step::SetSecret => {}
            Step::TestSecret => self.test(current.as_deref(), version).await?,
            Step::FinishSecret => self.finish(current, version).await?,
        }
        tracing::info!(?step, version, "step of the keyring's rotation done");
        Ok(())
    }

    async fn create(&self, current: Option<&str>, version: &str) -> Result<(), RotateError> {
        if self.version(Some(version)).await?.is_some() {
            return Ok(());
        }
        // Without a keyring (no bootstrap yet) the rotation makes the first one.
        let pending = self
            .version(current)
            .await?
            .map_or_else(Keyring::generate, Keyring::with_new_key)
            .to_json();
        if pending.expose_secret().len() > MOST_BYTES {
            return Err(RotateError::Full);
        }
        Ok(self.put(version, Some(PENDING), &pending).await?)
    }

    async fn test(&self, current: Option<&str>, version: &str) -> Result<(), RotateError> {
        let current = self.version(current).await?;
        let Some(pending) = self.version(Some(version)).await? else {
            // Enabling rotation without rotating at once calls this step alone, which may come
            // before the bootstrap.
            return if current.is_some() {
                Err(RotateError::NotCreated(version.to_owned()))
            } else {
                Ok(())
            };
        };
        let place = Place {
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

    /// The current version is compared by its id and named in the move, which Secrets Manager
    /// refuses when it is another by then: so no keyring is replaced unseen.
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

    /// The keyring in a version, if there is the version and it has a value.
    async fn version(&self, id: Option<&str>) -> Result<Option<Keyring>, KeyringError> {
        let Some(id) = id else { return Ok(None) };
        match self.read(Some(id)).await {
            Ok(ring) => Ok(Some(ring)),
            Err(KeyringError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores the value of a version, staged as the current one unless told otherwise. When it has
    /// a value already, that one stays.
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
            // Refused: a twin was quicker.
            Err(AwsError::Refused { code, .. }) if code == "ResourceExistsException" => Ok(()),
            done => Ok(done.map(drop)?),
        }
    }
}

fn turn(described: &DescribeSecretOutput, version: &str) -> Result<Turn, RotateError> {
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
        return Ok(Turn::Over);
    }
    if !has(version, PENDING) {
        return Err(RotateError::NotPending(version.to_owned()));
    }
    let current =
        versions.and_then(|versions| versions.keys().find(|id| has(id, CURRENT)).cloned());
    Ok(Turn::Pending { current })
}

#[cfg(test)]
mod tests;
