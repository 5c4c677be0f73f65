//! Secrets Manager's rotation of the keyring: its event, and the step that it asks for.

use platform::keyring::Step;
use serde::Deserialize;

use crate::{App, RotationError};

/// The event of one step. Further fields, such as `RotationToken`, are for functions that act under
/// another role.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RotationEvent {
    /// Which step.
    pub step: Step,
    /// The secret's ARN; only the keyring's is taken.
    pub secret_id: String,
    /// The id of the version that the rotation makes.
    pub client_request_token: String,
}

/// Does the step.
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
