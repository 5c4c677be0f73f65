//! Routes of users, credentials, audit, providers, campaigns, messages and calls.

use serde_json::{Value, json};
use tests::receiver::Receiver;

use super::{
    Route,
    Subject::{Call, Credential, Message, Nothing, Provider, User},
    call, message, provider, route,
};

#[expect(clippy::too_many_lines, reason = "a table of routes")]
pub(super) fn routes(receiver: &Receiver) -> Vec<Route> {
    let none = Value::Null;
    let credential = json!({"description": "ERP", "scopes": ["credentials:write"]});
    vec![
        route("get /healthz", "", Nothing, none.clone(), 200),
        route("get /openapi.json", "", Nothing, none.clone(), 200),
        route("get /docs", "", Nothing, none.clone(), 200),
        route("get /docs/redoc.js", "", Nothing, none.clone(), 200),
        // No such kind.
        route("get /problems/{type}", "", Nothing, none.clone(), 404),
        route("get /v1/me", "any token", Nothing, none.clone(), 200),
        route("get /v1/users", "users:read", Nothing, none.clone(), 200),
        route(
            "post /v1/users",
            "users:write",
            Nothing,
            json!({"name": "Eve"}),
            201,
        ),
        route("get /v1/users/{id}", "users:read", User, none.clone(), 200),
        route(
            "patch /v1/users/{id}",
            "users:write",
            User,
            json!({"active": false}),
            200,
        ),
        route(
            "delete /v1/users/{id}",
            "users:write",
            User,
            none.clone(),
            204,
        ),
        route(
            "get /v1/credentials",
            "credentials:read",
            Nothing,
            none.clone(),
            200,
        ),
        route(
            "post /v1/credentials",
            "credentials:write",
            Nothing,
            credential,
            201,
        ),
        route(
            "get /v1/credentials/{id}",
            "credentials:read",
            Credential,
            none.clone(),
            200,
        ),
        route(
            "patch /v1/credentials/{id}",
            "credentials:write",
            Credential,
            json!({"rotate_after_days": 30}),
            200,
        ),
        route(
            "delete /v1/credentials/{id}",
            "credentials:write",
            Credential,
            none.clone(),
            204,
        ),
        route(
            "post /v1/credentials/{id}/rotate",
            "credentials:write",
            Credential,
            json!({"overlap_seconds": 60}),
            200,
        ),
        route(
            "post /v1/credentials/{id}/revoke",
            "credentials:write",
            Credential,
            none.clone(),
            200,
        ),
        route("get /v1/audit", "audit:read", Nothing, none.clone(), 200),
        route(
            "get /v1/providers",
            "providers:read",
            Nothing,
            none.clone(),
            200,
        ),
        route(
            "post /v1/providers",
            "providers:write",
            Nothing,
            provider(receiver, "another", "email"),
            201,
        ),
        route(
            "get /v1/providers/{id}",
            "providers:read",
            Provider,
            none.clone(),
            200,
        ),
        route(
            "patch /v1/providers/{id}",
            "providers:write",
            Provider,
            json!({"default": true}),
            200,
        ),
        route(
            "delete /v1/providers/{id}",
            "providers:write",
            Provider,
            none.clone(),
            204,
        ),
        route(
            "post /v1/providers/{id}/test",
            "providers:write",
            Provider,
            json!({"to": "+15555550100"}),
            200,
        ),
        route(
            "get /v1/messages",
            "messages:read",
            Nothing,
            none.clone(),
            200,
        ),
        route(
            "post /v1/messages",
            "messages:send",
            Provider,
            message(),
            202,
        ),
        route(
            "get /v1/messages/{id}",
            "messages:read",
            Message,
            none.clone(),
            200,
        ),
        route(
            "post /v1/messages/{id}/cancel",
            "messages:send",
            Message,
            none.clone(),
            200,
        ),
        route("get /v1/calls", "calls:read", Nothing, none.clone(), 200),
        route("post /v1/calls", "calls:trigger", Call, call(), 202),
        route("get /v1/calls/{id}", "calls:read", Call, none.clone(), 200),
    ]
}
