//! Phone calls: trigger, list, read. They are stored and sent like messages.

use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{
    id::CallId,
    message::{MessageRef, NewMessage},
};
use http::HeaderMap;
use platform::table::messages::MessageList;

use super::messages::{page, read, send};
use crate::{
    App, api,
    http::{ApiResult, Created, JsonBody, PathId, Tagged, auth::Principal, query::Query},
};

const ROUTE: &str = "calls";

/// Lists calls, newest first.
///
/// Filtered pages may be shorter than `limit`.
#[utoipa::path(get, path = "/v1/calls", operation_id = "listCalls", tag = "calls",
    security(("token" = ["calls:read"])),
    params(
        ("status" = Option<api::CallStatus>, Query, description = "Only with this status."),
        ("to" = Option<String>, Query, description = "Only calls to this number."),
        ("provider_id" = Option<String>, Query, description = "Only those whose provider has this ID: the provider that has the call now, after a fallback."),
        ("since" = Option<String>, Query, description = "Only accepted at or after this RFC 3339 time."),
        ("until" = Option<String>, Query, description = "Only accepted at or before this RFC 3339 time."),
        api::Paging,
    ),
    responses((status = 200, body = api::List<api::Call>), api::ErrorResponses))]
pub async fn list(
    State(app): State<Arc<App>>,
    query: Query,
) -> ApiResult<Json<api::List<api::Call>>> {
    page(&app, MessageList::Calls, query, |_| true).await
}

/// Triggers a phone call through a provider.
///
/// Returns 202 once the call is stored. Use GET to follow its status.
#[utoipa::path(post, path = "/v1/calls", operation_id = "triggerCall", tag = "calls",
    security(("token" = ["calls:trigger"])),
    params(("Idempotency-Key" = Option<String>, Header,
        description = "1 to 255 printable ASCII characters. A repeated request within 24 hours returns the ID of the first.")),
    request_body = api::CallInput,
    responses((status = 202, body = api::Call), api::ErrorResponses))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Principal,
    headers: HeaderMap,
    body: JsonBody,
) -> ApiResult<Created<Json<api::Call>>> {
    send(&app, &caller, ROUTE, &headers, body, NewMessage::parse_call).await
}

/// Returns a call with its attempts.
#[utoipa::path(get, path = "/v1/calls/{id}", operation_id = "getCall", tag = "calls",
    security(("token" = ["calls:read"])),
    params(("id" = api::CallId, Path)), responses((status = 200, body = api::CallWithAttempts), api::ErrorResponses))]
pub async fn get(
    State(app): State<Arc<App>>,
    PathId(id): PathId<CallId>,
) -> ApiResult<Tagged<api::CallWithAttempts>> {
    read(&app, MessageRef::Call(id), "call").await
}
