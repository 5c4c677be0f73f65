//! The first admin and its tokens.

use serde_json::{Value, json};

use crate::{StartError, deploy::Deployed, emulator::Emulator, http, workspace::Workspace};

/// Issues a new token for the first admin, who is created if necessary.
pub(crate) fn administrator(
    emulator: &Emulator,
    workspace: &Workspace,
    deployed: &Deployed,
) -> Result<String, StartError> {
    // The bootstrap fails if the admin exists. Its token was lost with the file, so request a new
    // one.
    invoke(
        emulator,
        workspace,
        deployed,
        &json!({"action": "bootstrap"}),
    )
    .or_else(|_| {
        invoke(
            emulator,
            workspace,
            deployed,
            &json!({"action": "bootstrap", "reissue": true}),
        )
    })
}

fn invoke(
    emulator: &Emulator,
    workspace: &Workspace,
    deployed: &Deployed,
    event: &Value,
) -> Result<String, StartError> {
    let failed = |reason: String| StartError::Bootstrap {
        reason,
        log: workspace.log("rotation"),
    };
    let name = &deployed.functions["rotation"];
    let url = format!(
        "{}/2015-03-31/functions/{name}/invocations",
        emulator.base()
    );
    let response = http::post(&url, "lambda", "application/json", &event.to_string())?;
    let body: Value = serde_json::from_str(&response.body).unwrap_or(Value::String(response.body));
    if response.function_error {
        return Err(failed(
            body["errorMessage"]
                .as_str()
                .map_or_else(|| body.to_string(), str::to_owned),
        ));
    }
    let token = body["token"]
        .as_str()
        .ok_or_else(|| failed("the response contains no token".to_owned()))?;
    Ok(token.to_owned())
}
