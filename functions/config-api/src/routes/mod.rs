//! The routes. Each handler is registered here and documented by its annotation.

mod account_header;
mod account_origins;
pub mod accounts;
pub mod audit;
pub mod calls;
pub mod campaigns;
pub mod credentials;
pub mod deliveries;
pub mod docs;
pub mod event_types;
pub mod events;
pub mod me;
pub mod messages;
pub mod meta;
pub mod problems;
pub mod providers;
pub mod services;
pub mod users;
pub mod webhooks;

use axum::routing::{MethodFilter, on};
use http::Method;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{http::Endpoint, openapi};

macro_rules! endpoints {
    ($($path:literal => $($method:ident $handler:path),+;)+) => {
        vec![$($(Endpoint {
            path: $path,
            method: Method::$method,
            route: on(MethodFilter::$method, $handler),
            documented: || routes!($handler),
        },)+)+]
    };
}

/// All endpoints. Each handler is documented by its annotation.
pub fn all() -> Vec<Endpoint> {
    endpoints! {
        "/healthz" => GET meta::healthz;
        "/openapi.json" => GET meta::openapi;
        "/docs" => GET docs::page;
        "/docs/redoc.js" => GET docs::script;
        "/problems/{type}" => GET problems::page;
        "/v1/me" => GET me::get;
        "/v1/users" => GET users::list, POST users::create;
        "/v1/users/{id}" => GET users::get, PATCH users::patch, DELETE users::delete;
        "/v1/credentials" => GET credentials::list, POST credentials::create;
        "/v1/credentials/{id}" => GET credentials::get, PATCH credentials::patch, DELETE credentials::delete;
        "/v1/credentials/{id}/rotate" => POST credentials::rotate::rotate;
        "/v1/credentials/{id}/revoke" => POST credentials::revoke::revoke;
        "/v1/audit" => GET audit::list;
        "/v1/providers" => GET providers::list, POST providers::create;
        "/v1/providers/{id}" => GET providers::get, PATCH providers::patch, DELETE providers::delete;
        "/v1/providers/{id}/test" => POST providers::test::test;
        "/v1/messages" => GET messages::list, POST messages::create;
        "/v1/messages/{id}" => GET messages::get;
        "/v1/messages/{id}/cancel" => POST messages::cancel::cancel;
        "/v1/calls" => GET calls::list, POST calls::create;
        "/v1/calls/{id}" => GET calls::get;
        "/v1/accounts" => GET accounts::list, POST accounts::create;
        "/v1/accounts/{id}" => GET accounts::get, PATCH accounts::patch, DELETE accounts::delete;
        "/v1/accounts/{id}/test" => POST accounts::test::test;
        "/v1/services" => GET services::list, POST services::create;
        "/v1/services/{id}" => GET services::get, PATCH services::patch, DELETE services::delete;
        "/v1/services/{id}/rotate-url" => POST services::rotate_url;
        "/v1/services/{id}/send" => POST services::send::send;
        "/v1/campaigns" => GET campaigns::list, POST campaigns::create;
        "/v1/campaigns/{id}" => GET campaigns::get, PATCH campaigns::patch, DELETE campaigns::delete;
        "/v1/campaigns/{id}/export" => GET campaigns::export::export;
        "/v1/campaigns/import" => POST campaigns::import::import;
        "/v1/webhooks" => GET webhooks::list, POST webhooks::create;
        "/v1/webhooks/{id}" => GET webhooks::get, PATCH webhooks::patch, DELETE webhooks::delete;
        "/v1/webhooks/{id}/clone" => POST webhooks::clone::clone;
        "/v1/webhooks/{id}/test" => POST webhooks::test::test;
        "/v1/webhooks/{id}/render" => POST webhooks::render::render;
        "/v1/webhooks/{id}/rotate-secret" => POST webhooks::rotate_secret::rotate_secret;
        "/v1/webhooks/{id}/replay" => POST webhooks::replay::replay;
        "/v1/event-types" => GET event_types::list, POST event_types::create;
        "/v1/event-types/{name}" => GET event_types::get, PATCH event_types::patch, DELETE event_types::delete;
        "/v1/events" => GET events::list, POST events::publish;
        "/v1/events/batch" => POST events::batch::publish_batch;
        "/v1/events/{id}" => GET events::get;
        "/v1/deliveries" => GET deliveries::list;
        "/v1/deliveries/{id}" => GET deliveries::get;
        "/v1/deliveries/{id}/retry" => POST deliveries::retry;
    }
}

/// The documentation of all endpoints.
pub fn documented() -> OpenApi {
    let base = OpenApiRouter::with_openapi(openapi::base());
    let endpoints = all().into_iter();
    endpoints
        .fold(base, |router, endpoint| {
            router.routes((endpoint.documented)())
        })
        .into_openapi()
}
