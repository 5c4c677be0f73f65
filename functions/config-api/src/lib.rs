//! The HTTP API under `/v1`, for admins and integration credentials.
//!
//! API Gateway invokes the function. [`http::auth`] authenticates the request and checks the
//! route's scope, a handler under [`routes`] validates and processes it, and [`http::middleware`]
//! completes the response.
//!
//! Accepting an event means to send one message to the queue `events`. A 202 is returned only after
//! that message is stored.

pub mod accept_event;
pub mod accept_message;
pub mod api;
pub mod http;
mod known_types;
pub mod openapi;
pub mod retry;
pub mod routes;

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    body::Bytes,
    extract::{MatchedPath, State},
    http::{Method, Uri},
    middleware,
};
use domain::egress_policy::AllowList;
use platform::{egress::Egress, gateway, keyring::KeyringCache, queue::Queue, table::Table};

/// State that all handlers share.
pub struct App {
    /// DynamoDB table.
    pub table: Table,
    /// Keyring for encryption and token hashes.
    pub keys: KeyringCache,
    /// Queue of accepted events.
    pub events: Queue,
    /// Queue of delivery attempts and outgoing messages.
    pub deliveries: Queue,
    /// HTTP client for connected services, token endpoints, and tests of webhooks and providers.
    pub egress: Egress,
    /// Non-public hosts that outgoing requests may connect to.
    pub allow: AllowList,
    /// Public base URL, without a trailing slash.
    pub public_url: String,
    /// Access rules of all routes.
    pub rules: http::auth::RouteScopes,
    /// Users of recently used tokens.
    pub users: http::auth::TokenUsers,
    /// OpenAPI document as JSON. Generated on first use.
    pub document: LazyLock<Bytes, Box<dyn FnOnce() -> Bytes + Send>>,
}

/// Dependencies of an [`App`].
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields of App")]
pub struct Clients {
    pub table: Table,
    pub keys: KeyringCache,
    pub events: Queue,
    pub deliveries: Queue,
    pub allow: AllowList,
    pub public_url: String,
}

/// Builds the router of the API.
pub fn router(clients: Clients) -> Router {
    let endpoints = routes::all();
    let Clients {
        table,
        keys,
        events,
        deliveries,
        allow,
        public_url,
    } = clients;
    let url = public_url.clone();
    let base_path = gateway::base_path(&public_url);
    let app = App {
        table,
        keys,
        events,
        deliveries,
        egress: Egress::new(allow.clone()),
        allow,
        public_url,
        rules: http::auth::RouteScopes::new(&endpoints),
        users: http::auth::TokenUsers::default(),
        document: LazyLock::new(Box::new(move || {
            openapi::complete(&routes::documented(), &url)
                .to_string()
                .into()
        })),
    };
    let app = Arc::new(app);
    let routes = endpoints
        .into_iter()
        .fold(Router::new(), |router, endpoint| {
            router.route(endpoint.path, endpoint.route)
        });
    routes
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            http::auth::authenticate,
        ))
        .fallback(
            |method: Method, uri: Uri| async move { http::Problem::no_route(&method, uri.path()) },
        )
        .method_not_allowed_fallback(
            |State(app): State<Arc<App>>, path: MatchedPath, method: Method| async move {
                http::Problem::method_not_allowed(&method, &app.rules.allowed(path.as_str()))
            },
        )
        .layer(middleware::map_response(move |response| {
            std::future::ready(http::with_base_path(&base_path, response))
        }))
        .layer(middleware::from_fn(http::middleware::complete))
        .with_state(app)
}
