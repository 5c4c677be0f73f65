//! Creates the first admin and the first keyring, rotates the keyring, and sends reminders of
//! credentials that are due for rotation.
//!
//! The function has no HTTP endpoint. Only principals that may invoke it (IAM on AWS) can use it.
//! Each kind of request has its own module.

mod bootstrap;
mod keyring;
mod remind;

use platform::{
    keyring::{KeyringCache, KeyringError, RotateError},
    queue::{Queue, QueueError},
    table::{Table, TableError, WriteError},
};
use serde::{Deserialize, Serialize};

pub use crate::{bootstrap::Admin, keyring::RotationEvent, remind::Reminded};

/// Dependencies of the rotation function.
#[derive(Debug)]
pub struct App {
    /// The DynamoDB table.
    pub table: Table,
    /// The keyring.
    pub keys: KeyringCache,
    /// Queue for events about credentials.
    pub events: Queue,
}

/// A request: a named action, reminders as of a time, or a step of Secrets Manager's rotation.
#[derive(Debug, Deserialize)]
#[serde(
    tag = "action",
    rename_all = "snake_case",
    deny_unknown_fields,
    expecting = "neither an action with its fields, nor {\"now\": …}, nor a step of Secrets Manager's rotation"
)]
pub enum Request {
    /// Create the first keyring, the user *Administrator* and its credential.
    Bootstrap {
        /// Issue a new token if the credential exists. Needed if the response with the first one
        /// was lost.
        #[serde(default)]
        reissue: bool,
    },
    /// Send reminders of credentials that are due for rotation. The schedule names no action.
    #[serde(untagged)]
    Remind {
        /// The scheduled time of this run (RFC 3339). Any other text means the current time.
        now: String,
    },
    /// Perform one step of the keyring's rotation. Secrets Manager's events name no action.
    #[serde(untagged)]
    Rotate(RotationEvent),
}

/// The function's response.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// Response to a bootstrap.
    Admin(Admin),
    /// Response to a reminder run.
    Reminded(Reminded),
    /// No content: `null`.
    Done,
}

/// Error of a request.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The admin exists, and the request has no `reissue`.
    #[error("the first admin already exists; set \"reissue\": true to replace its token")]
    Exists,
    /// A concurrent request changed the admin.
    #[error("a concurrent request is changing the first admin: try again")]
    Busy,
    /// Another user has the name of the admin's user.
    #[error("another user already has the name of the admin's user")]
    NameTaken,
    /// An event could not be queued.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Reading or writing the table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The keyring could not be read or written.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A step of the keyring's rotation failed.
    #[error(transparent)]
    Rotate(#[from] RotateError),
}

impl From<WriteError> for RotationError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Changed => Self::Busy,
            WriteError::NameTaken(_) => Self::NameTaken,
            WriteError::Table(error) => Self::Table(error),
        }
    }
}

/// Handles a request.
pub async fn handle(app: &App, request: Request) -> Result<Response, RotationError> {
    // Boxed: the SDK's futures would exceed the compiler's type-layout depth.
    match request {
        Request::Bootstrap { reissue } => Box::pin(bootstrap::run(app, reissue))
            .await
            .map(Response::Admin),
        Request::Remind { now } => remind::run(app, &now).await.map(Response::Reminded),
        Request::Rotate(event) => Box::pin(keyring::run(app, event))
            .await
            .map(|()| Response::Done),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn request_kinds_are_distinguished() {
        let event = json!({"Step": "testSecret", "SecretId": "arn", "ClientRequestToken": "t", "RotationToken": "r"});
        assert!(matches!(
            from_value(event).expect("event"),
            Request::Rotate(_)
        ));
        let bootstrap = |value: Value| matches!(from_value(value), Ok(Request::Bootstrap { .. }));
        assert!(
            bootstrap(json!({"action": "bootstrap"}))
                && bootstrap(json!({"action": "bootstrap", "reissue": true}))
        );
        let remind = |value: Value| matches!(from_value(value), Ok(Request::Remind { .. }));
        assert!(
            remind(json!({"now": "2026-01-31T06:00:00Z"}))
                && remind(json!({"now": "<aws.scheduler.scheduled-time>"}))
        );
        for wrong in [
            json!({}),
            json!("now"),
            json!({"now": 1_769_839_200}),
            json!({"now": "2026-01-31T06:00:00Z", "then": "x"}),
            json!({"action": "remind", "now": "2026-01-31T06:00:00Z"}),
            json!({"action": "bootstrap", "reisue": true}),
            json!({"action": "bootsrap"}),
            json!({"Step": "dropSecret", "SecretId": "arn", "ClientRequestToken": "t"}),
            json!({"Step": "testSecret", "SecretId": "arn"}),
        ] {
            let error = from_value::<Request>(wrong).expect_err("refused");
            assert!(
                error.to_string().starts_with("neither an action"),
                "{error}"
            );
        }
    }

    #[test]
    fn done_serializes_as_null() {
        assert_eq!(
            serde_json::to_string(&Response::Done).expect("json"),
            "null"
        );
    }
}
