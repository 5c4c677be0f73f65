//! Tests an account: fetches a token, and sends a request to a service.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, extract::State};
use domain::{
    account::{Account, Authorization, token_response::Report},
    id::AccountId,
    service::{Service, account_test::AccountTest, send::Request},
};
use platform::{
    egress::EgressRequest,
    oauth::{FetchedToken, OAuthError, Tokens},
    service_client,
};
use secrecy::SecretString;

use super::find;
use crate::{
    App, api,
    http::{ApiResult, JsonBody, PathId, auth::Principal},
};

/// Maximum time until there is a token. Includes waiting for another caller's token request.
const MAX_TOKEN_TIME: Duration = Duration::from_secs(12);
/// Maximum duration of a test. API Gateway times out after 30 s.
const MAX_TEST_TIME: Duration = Duration::from_secs(25);

/// Tests an account.
///
/// Fetches a new token now and stores it like any other. With `service_id`, also sends a `GET` to
/// that service, with the token or the account's header. The response is 200 even if the test
/// fails, and never contains the token. Fails with 422 if there is nothing to test.
#[utoipa::path(post, path = "/v1/accounts/{id}/test", operation_id = "testAccount", tag = "accounts",
    security(("token" = ["services:send"])),
    params(("id" = api::AccountId, Path)), request_body = api::AccountTestInput,
    responses((status = 200, body = api::AccountTested), api::ErrorResponses))]
pub async fn test(
    State(app): State<Arc<App>>,
    caller: Principal,
    PathId(id): PathId<AccountId>,
    body: JsonBody,
) -> ApiResult<Json<api::AccountTested>> {
    let test = AccountTest::parse(body.json_or_default()?)?;
    let account = find(&app, id).await?.account;
    let service = match test.service_id {
        Some(service) => app.table.service(service, &app.keys).await?,
        None => None,
    };
    let service = service.map(|stored| stored.service);
    let request = test.request(&account, service.as_ref(), caller.hops)?;
    app.table
        .record_audit(&caller.entry("account.tested", &id, Vec::new()))
        .await?;

    let started = Instant::now();
    let fetched = fetch(&app, &account, caller.hops).await?;
    let token = fetched
        .as_ref()
        .map(|fetched| fetched.token.as_ref())
        .transpose();
    let service = match (&token, service.zip(request)) {
        (Ok(token), Some((service, request))) => {
            let left = MAX_TEST_TIME.saturating_sub(started.elapsed());
            Some(call(&app, &account, &service, *token, request, left).await)
        }
        (Err(_), _) | (_, None) => None,
    };
    let responded = service
        .as_ref()
        .is_none_or(|service| service.status.is_some_and(|status| status < 400));
    let ok = token.is_ok() && responded;
    let tested = to_response(ok, fetched, service);
    tracing::info!(account = %id, ok, status_code = tested.status_code, elapsed_ms = tested.elapsed_ms, "account tested");
    Ok(Json(tested))
}

/// Fetches a token; `None` if the account needs none.
async fn fetch(app: &App, account: &Account, hops: u8) -> ApiResult<Option<FetchedToken>> {
    let Authorization::OAuth2(settings) = &account.settings.authorization else {
        return Ok(None);
    };
    let tokens = Tokens {
        table: &app.table,
        keys: &app.keys,
        egress: &app.egress,
        hops,
    };
    match tokens.fetch(account, settings, MAX_TOKEN_TIME).await {
        Ok(fetched) => Ok(Some(fetched)),
        Err(OAuthError::Table(error)) => Err(error.into()),
        // No request was made, because another caller's did not end in time.
        Err(error @ (OAuthError::NoToken(_) | OAuthError::Timeout)) => Ok(Some(FetchedToken {
            token: Err(error.to_string()),
            status: None,
            report: Report::default(),
            elapsed: Duration::ZERO,
        })),
    }
}

/// Sends the request to the service, once. Only the status of the response is read.
async fn call(
    app: &App,
    account: &Account,
    service: &Service,
    token: Option<&SecretString>,
    request: Request,
    left: Duration,
) -> api::ServiceTested {
    let timeout = Duration::from_secs(service.settings.timeout_seconds.into());
    let call = EgressRequest {
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: request.body.map(String::into_bytes),
        timeout: timeout.min(left),
        limit: 0,
    };
    let started = Instant::now();
    let response = service_client::call_once(&app.egress, account, token, call).await;
    let elapsed_ms = millis(started.elapsed());
    match response {
        Ok(response) => api::ServiceTested {
            status: Some(response.status.as_u16()),
            elapsed_ms,
            reason: None,
        },
        Err(error) => api::ServiceTested {
            status: None,
            elapsed_ms,
            reason: Some(error.into()),
        },
    }
}

fn to_response(
    ok: bool,
    fetched: Option<FetchedToken>,
    service: Option<api::ServiceTested>,
) -> api::AccountTested {
    let (elapsed, status, token, report) = match fetched {
        Some(fetched) => (
            fetched.elapsed,
            fetched.status,
            Some(fetched.token),
            fetched.report,
        ),
        None => (Duration::ZERO, None, None, Report::default()),
    };
    api::AccountTested {
        ok,
        status_code: status.map(|status| status.as_u16()),
        error: report.error.or(token.and_then(Result::err)),
        token_type: report.token_type,
        expires_in: report.expires_in,
        elapsed_ms: millis(elapsed),
        service,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
