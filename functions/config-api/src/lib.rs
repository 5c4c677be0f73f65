//! The HTTP API under `/v1`, for admins and integration credentials.
//!
//! A request comes in through API Gateway, [`http::access`] decides whether its token may use the
//! route, a handler under [`routes`] parses it in full, and an answer goes out in the frame of
//! [`http::frame`]. Events are accepted by one message on the queue `events` and nothing else: what
//! is answered with 202 is on that queue.

pub mod http;
pub mod openapi;
pub mod outbox;
pub mod publish;
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
use domain::target::Allow;
use platform::{egress::Egress, gateway, keyring::Keys, queue::Queue, table::Table};

/// What the handlers work with.
pub struct App {
    /// The table.
    pub table: Table,
    /// The keyring.
    pub keys: Keys,
    /// Where accepted events go.
    pub events: Queue,
    /// Where attempts are asked for.
    pub deliveries: Queue,
    /// Outgoing HTTP: what is sent to connected services, their tokens, tests of webhooks and
    /// providers.
    pub egress: Egress,
    /// What egress allows beside public hosts.
    pub allow: Allow,
    /// How the outside addresses us, without a slash at the end.
    pub public_url: String,
    /// Who may use which route.
    pub rules: http::access::Rules,
    /// The OpenAPI document, as JSON. Made when it is first asked for.
    pub document: LazyLock<Bytes, Box<dyn FnOnce() -> Bytes + Send>>,
}

/// The clients that an [`App`] is made of.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields of App")]
pub struct Clients {
    pub table: Table,
    pub keys: Keys,
    pub events: Queue,
    pub deliveries: Queue,
    pub allow: Allow,
    pub public_url: String,
}

/// The whole API.
pub fn router(clients: Clients) -> Router {
    let (routes, document) = routes::all().split_for_parts();
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
        rules: http::access::Rules::of(&serde_json::json!({"paths": document.paths})),
        document: LazyLock::new(Box::new(move || {
            openapi::complete(&document, &url).to_string().into()
        })),
    };
    let app = Arc::new(app);
    routes
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            http::access::check,
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
            std::future::ready(http::rebased(&base_path, response))
        }))
        .layer(middleware::from_fn(http::frame::around))
        .with_state(app)
}
