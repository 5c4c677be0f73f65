//! Sends a request to a connected service and returns its response.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, extract::State};
use domain::{id::ServiceId, service::send};
use platform::{
    egress::EgressRequest,
    oauth::Tokens,
    service_client::{self, Authorized, ConnectError},
};

use super::response::{MAX_BODY_BYTES, view};
use crate::{
    App, api,
    http::{ApiResult, JsonBody, PathId, Problem, auth::Principal, found},
};

/// Sends a request to a service and returns the service's response.
///
/// The account authenticates the request. The response is 200 regardless of the service's status.
#[utoipa::path(post, path = "/v1/services/{id}/send", operation_id = "sendToService", tag = "services",
    security(("token" = ["services:send"])),
    params(("id" = api::ServiceId, Path)), request_body = api::SendInput,
    responses((status = 200, body = api::Sent), api::ErrorResponses, api::ThirdParty))]
pub async fn send(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<ServiceId>,
    body: JsonBody,
) -> ApiResult<Json<api::Sent>> {
    let connection = found(app.table.connection(id, &app.keys).await?, "service")?;
    let (settings, account) = (&connection.service.settings, &connection.account);
    let request = send::parse(
        body.json_or_default()?,
        settings,
        &account.settings.authorization,
        caller.hops,
    )?;
    let call = EgressRequest {
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: request.body.map(String::into_bytes),
        timeout: Duration::from_secs(settings.timeout_seconds.into()),
        limit: MAX_BODY_BYTES,
    };
    let started = Instant::now();
    let tokens = Tokens {
        table: &app.table,
        keys: &app.keys,
        egress: &app.egress,
        hops: caller.hops,
    };
    let authorized = service_client::call(tokens, account, call)
        .await
        .and_then(complete);
    let elapsed_ms = started.elapsed().as_millis();
    match authorized {
        Ok(authorized) => {
            tracing::info!(service = %id, status_code = authorized.response.status.as_u16(), elapsed_ms, "request to service completed");
            view(&connection, &authorized, elapsed_ms).map(Json)
        }
        Err(error) => {
            tracing::warn!(service = %id, %error, elapsed_ms, "request to service failed");
            Err(problem(error, &settings.timeout_message))
        }
    }
}

/// Turns an incomplete response into an error, because clients could not tell what is missing.
fn complete(authorized: Authorized) -> Result<Authorized, ConnectError> {
    match authorized.response.incomplete {
        Some(error) => Err(error.into()),
        None => Ok(authorized),
    }
}

fn problem(error: ConnectError, timeout_message: &str) -> Problem {
    match error {
        ConnectError::Egress(error) => Problem::gateway_timeout(timeout_message, error.into()),
        ConnectError::NoToken(why) => {
            Problem::bad_gateway(format!("The service's account got {why}."))
        }
        ConnectError::Table(error) => error.into(),
        ConnectError::NotAttempted(error) => error.into(),
    }
}
