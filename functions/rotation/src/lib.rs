//! The keys' own function: it makes the first admin and the first keyring, rotates the keyring, and
//! reminds of credentials that are to be rotated.
//!
//! Only those who may invoke it (IAM on AWS) reach it; it has no HTTP address. Each kind of request
//! has its module.

mod bootstrap;
mod keyring;
mod remind;

use platform::{
    keyring::{KeyringError, Keys, RotateError},
    queue::{Queue, QueueError},
    table::{Table, TableError, WriteError},
};
use serde::{Deserialize, Serialize};

pub use crate::{bootstrap::Admin, keyring::RotationEvent, remind::Reminded};

/// What rotation works with.
#[derive(Debug)]
pub struct App {
    /// The table.
    pub table: Table,
    /// The keyring.
    pub keys: Keys,
    /// Where events about credentials go.
    pub events: Queue,
}

/// What it can be asked for: an action by its name, the reminders by their time, or a step of
/// Secrets Manager's rotation.
#[derive(Debug, Deserialize)]
#[serde(
    tag = "action",
    rename_all = "snake_case",
    deny_unknown_fields,
    expecting = "neither an action with its fields, nor {\"now\": …}, nor a step of Secrets Manager's rotation"
)]
pub enum Request {
    /// Make the first keyring, the user *Administrator* and its credential.
    Bootstrap {
        /// Give the credential a new token when it exists already: a lost answer must not lock the
        /// owner out.
        #[serde(default)]
        reissue: bool,
    },
    /// Remind of the credentials that are to be rotated; the schedule names no action.
    #[serde(untagged)]
    Remind {
        /// As of when: the time for which the schedule meant this run. Anything but an RFC 3339
        /// time means now.
        now: String,
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
    /// What the reminders came to.
    Reminded(Reminded),
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
    /// The name of the admin's user is another's.
    #[error("the name of the admin's user is taken")]
    NameTaken,
    /// An event could not be queued.
    #[error(transparent)]
    Queue(#[from] QueueError),
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

impl From<WriteError> for RotationError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Changed => Self::Busy,
            WriteError::NameTaken(_) => Self::NameTaken,
            WriteError::Table(error) => Self::Table(error),
        }
    }
}

/// Does what it is asked for.
pub async fn handle(app: &App, request: Request) -> Result<Answer, RotationError> {
    // Boxed: the SDK's futures would nest deeper than the compiler computes layouts.
    match request {
        Request::Bootstrap { reissue } => Box::pin(bootstrap::run(app, reissue))
            .await
            .map(Answer::Admin),
        Request::Remind { now } => remind::run(app, &now).await.map(Answer::Reminded),
        Request::Rotate(event) => Box::pin(keyring::run(app, event))
            .await
            .map(|()| Answer::Done),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn requests_are_told_apart() {
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
    fn an_answer_without_an_admin_is_null() {
        assert_eq!(serde_json::to_string(&Answer::Done).expect("json"), "null");
    }
}
