//! Checks before `cargo dev` reports that the stack is up: a restored state is complete, and an
//! authenticated request succeeds.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::{
    StartError, bootstrap,
    deploy::Deployed,
    emulator::Emulator,
    http::{self, HttpError},
    stack::Stack,
    workspace::{UNUSABLE, Workspace, at, create_directory},
};

/// A request that requires the table, the keyring and a token.
const CALL: &str = "/v1/webhooks?limit=1";

/// Returns the admin's token after a request with it has succeeded. Replaces a saved token that was
/// revoked.
///
/// # Errors
///
/// If the restored state is incomplete, or if the request fails.
pub(crate) fn administrator(
    emulator: &Emulator,
    workspace: &Workspace,
    deployed: &Deployed,
) -> Result<String, StartError> {
    if !deployed.created
        && let Some(missing) = missing(emulator, deployed)?
    {
        return Err(StartError::Unreadable(format!("{missing} is missing")));
    }
    let kept = Stack::read(&workspace.file("stack.json")).filter(|_| !deployed.created);
    let (kept, token) = match kept {
        Some(stack) => (true, stack.admin_token),
        None => (
            false,
            bootstrap::administrator(emulator, workspace, deployed)?,
        ),
    };
    match call(deployed, &token) {
        Err(HttpError::Status { status: 401, .. }) if kept => {
            let token = bootstrap::administrator(emulator, workspace, deployed)?;
            call(deployed, &token).map_err(|error| failed(workspace, &error))?;
            Ok(token)
        }
        Err(error) => Err(failed(workspace, &error)),
        Ok(()) => Ok(token),
    }
}

fn call(deployed: &Deployed, token: &str) -> Result<(), HttpError> {
    http::get_as(&format!("{}{CALL}", deployed.api_url), token).map(|_| ())
}

fn failed(workspace: &Workspace, error: &HttpError) -> StartError {
    StartError::Call {
        call: CALL,
        reason: error.to_string(),
        log: workspace.log("config-api"),
    }
}

/// Returns the first part of a complete state that is missing.
fn missing(emulator: &Emulator, deployed: &Deployed) -> Result<Option<&'static str>, HttpError> {
    let found = |target: &str, body: Value| match http::aws(&emulator.base(), target, &body) {
        Ok(response) => Ok(Some(
            serde_json::from_str::<Value>(&response.body).unwrap_or_default(),
        )),
        Err(HttpError::Status { status: 400, .. }) => Ok(None),
        Err(error) => Err(error),
    };
    let admin = json!({"pk": {"S": "admin"}, "sk": {"S": "admin"}});
    let row = found(
        "DynamoDB_20120810.GetItem",
        json!({"TableName": deployed.table, "Key": admin}),
    )?;
    if row.is_none_or(|row| row["Item"].is_null()) {
        return Ok(Some("the first administrator's row in the table"));
    }
    let keyring = found(
        "secretsmanager.GetSecretValue",
        json!({"SecretId": deployed.keyring}),
    )?;
    Ok(keyring
        .is_none_or(|keyring| keyring["SecretString"].is_null())
        .then_some("the keyring"))
}

/// Moves the saved state to a directory of its own. Returns that directory.
pub(crate) fn move_aside(workspace: &Workspace) -> Result<PathBuf, StartError> {
    let mut number = 1;
    let aside = loop {
        let path = workspace.file(&format!("{UNUSABLE}{number}"));
        if !path.exists() {
            break path;
        }
        number += 1;
    };
    create_directory(&aside)?;
    for name in ["state", "stack.json"] {
        let from = workspace.file(name);
        if from.exists() {
            fs::rename(&from, aside.join(name)).map_err(at(&from))?;
        }
    }
    Ok(aside)
}
