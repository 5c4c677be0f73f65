//! Secrets Manager's rotation of the keyring.

use platform::keyring::Step;
use serde::Deserialize;

use crate::{App, RotationError};

/// The event of one rotation step. Further fields, such as `RotationToken`, only matter to
/// functions that assume another role.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RotationEvent {
    /// The step to perform.
    pub step: Step,
    /// ARN of the secret. Only the keyring's is accepted.
    pub secret_id: String,
    /// ID of the secret version that the rotation creates.
    pub client_request_token: String,
}

/// Performs the step.
pub(crate) async fn run(app: &App, event: RotationEvent) -> Result<(), RotationError> {
    let RotationEvent {
        step,
        secret_id,
        client_request_token,
    } = event;
    Ok(app
        .keys
        .rotate(step, &secret_id, &client_request_token)
        .await?)
}
