//! The routes. Each handler is registered here and documented by its annotation.

mod account_header;
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

use std::sync::Arc;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{App, openapi};

/// Registers every route with its documentation.
pub fn all() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(meta::healthz))
        .routes(routes!(meta::openapi))
        .routes(routes!(docs::page))
        .routes(routes!(docs::script))
        .routes(routes!(problems::page))
        .routes(routes!(me::get))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::get, users::patch, users::delete))
        .routes(routes!(credentials::list, credentials::create))
        .routes(routes!(
            credentials::get,
            credentials::patch,
            credentials::delete
        ))
        .routes(routes!(credentials::rotate::rotate))
        .routes(routes!(credentials::revoke::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(providers::list, providers::create))
        .routes(routes!(providers::get, providers::patch, providers::delete))
        .routes(routes!(providers::test::test))
        .routes(routes!(messages::list, messages::create))
        .routes(routes!(messages::get))
        .routes(routes!(messages::cancel::cancel))
        .routes(routes!(calls::list, calls::create))
        .routes(routes!(calls::get))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::get, accounts::patch, accounts::delete))
        .routes(routes!(services::list, services::create))
        .routes(routes!(services::get, services::patch, services::delete))
        .routes(routes!(services::rotate_url))
        .routes(routes!(services::send::send))
        .routes(routes!(campaigns::list, campaigns::create))
        .routes(routes!(campaigns::get, campaigns::patch, campaigns::delete))
        .routes(routes!(campaigns::export::export))
        .routes(routes!(campaigns::import::import))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::get, webhooks::patch, webhooks::delete))
        .routes(routes!(webhooks::test::test))
        .routes(routes!(webhooks::render::render))
        .routes(routes!(webhooks::rotate_secret::rotate_secret))
        .routes(routes!(webhooks::replay::replay))
        .routes(routes!(event_types::list, event_types::create))
        .routes(routes!(
            event_types::get,
            event_types::patch,
            event_types::delete
        ))
        .routes(routes!(events::list, events::publish))
        .routes(routes!(events::batch::publish_batch))
        .routes(routes!(events::get))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::get))
        .routes(routes!(deliveries::retry))
}
