//! The keys' own function: it makes the first admin and the first keyring, and rotates the keyring.
//!
//! Only those who may invoke it (IAM on AWS) reach it; it has no HTTP address. Each kind of request has its module.

mod bootstrap;
mod keyring;

use platform::{
    keyring::{KeyringError, Keys, RotateError},
    table::{Table, TableError},
};
use serde::{Deserialize, Serialize};

pub use crate::{bootstrap::Admin, keyring::RotationEvent};

/// What rotation works with.
#[derive(Debug)]
pub struct App {
    /// The table.
    pub table: Table,
    /// The keyring.
    pub keys: Keys,
}

/// What it can be asked for: an action by its name, or a step of Secrets Manager's rotation.
#[derive(Debug, Deserialize)]
#[serde(
    tag = "action",
    rename_all = "snake_case",
    deny_unknown_fields,
    expecting = "neither an action with its fields nor a step of Secrets Manager's rotation"
)]
pub enum Request {
    /// Make the first keyring, the user *Administrator* and its credential.
    Bootstrap {
        /// Give the credential a new token when it exists already: a lost answer must not lock the owner out.
        #[serde(default)]
        reissue: bool,
    },
    /// Do one step of the keyring's rotation; Secrets Manager's events name no action.
    #[serde(untagged)]
    Rotate(RotationEvent),
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The admin of a bootstrap.
    Admin(Admin),
    /// Nothing to tell: `null`.
    Done,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The admin exists, and nobody asked for a new token.
    #[error("the first admin exists already; \"reissue\": true replaces its token")]
    Exists,
    /// Two requests at once.
    #[error("somebody else is making a token just now: try again")]
    Busy,
    /// The admin's credential was deleted.
    #[error("the first admin's credential is gone")]
    Gone,
    /// The table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The keyring could not be read or written.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// A step of the keyring's rotation was not done.
    #[error(transparent)]
    Rotate(#[from] RotateError),
}

/// Does what it is asked for.
pub async fn handle(app: &App, request: Request) -> Result<Answer, RotationError> {
    // Boxed: the SDK's futures would nest deeper than the compiler computes layouts.
    match request {
        Request::Bootstrap { reissue } => Box::pin(bootstrap::run(app, reissue)).await.map(Answer::Admin),
        Request::Rotate(event) => Box::pin(keyring::run(app, event)).await.map(|()| Answer::Done),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn requests_are_told_apart() {
        let event = json!({"Step": "testSecret", "SecretId": "arn", "ClientRequestToken": "t", "RotationToken": "r"});
        assert!(matches!(from_value(event).expect("event"), Request::Rotate(_)));
        let bootstrap = |value: Value| matches!(from_value(value), Ok(Request::Bootstrap { .. }));
        assert!(
            bootstrap(json!({"action": "bootstrap"})) && bootstrap(json!({"action": "bootstrap", "reissue": true}))
        );
        for wrong in [
            json!({}),
            json!({"action": "bootstrap", "reisue": true}),
            json!({"action": "bootsrap"}),
            json!({"Step": "dropSecret", "SecretId": "arn", "ClientRequestToken": "t"}),
            json!({"Step": "testSecret", "SecretId": "arn"}),
        ] {
            let error = from_value::<Request>(wrong).expect_err("refused");
            assert!(error.to_string().starts_with("neither an action"), "{error}");
        }
    }

    #[test]
    fn an_answer_without_an_admin_is_null() {
        assert_eq!(serde_json::to_string(&Answer::Done).expect("json"), "null");
    }
}
