//! Servers on this machine that the functions call.

use std::{
    future,
    net::{Ipv4Addr, TcpListener},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use tests::fake::{Fake, sqs::Name};

/// Serves a router on a free port of 127.0.0.1 until this process ends. Returns the port.
pub(crate) fn serve(router: Router) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.set_nonblocking(true).expect("non-blocking");
    let port = listener.local_addr().expect("an address").port();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(async move { axum::serve(listener, router).await.expect("server") });
    port
}

/// Serves the fakes of AWS. Returns the environment of a function that uses them.
pub(crate) fn aws(fake: &Fake) -> Vec<(&'static str, String)> {
    let router = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::disable())
        .with_state(fake.clone());
    let variables = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        (
            "AWS_SECRET_ACCESS_KEY",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        ),
        // As long as the tokens that Lambda sets.
        ("AWS_SESSION_TOKEN", &"IQoJb3JpZ2luX2Vj".repeat(50)),
        ("TABLE", "table"),
        ("KEYRING_SECRET_ID", "keyring"),
        ("EGRESS_ALLOW", "127.0.0.1:1024-65535"),
        ("PUBLIC_URL", "https://hooks.example.com"),
        ("EVENTS_QUEUE_URL", &Name::Events.url()),
        ("DELIVERIES_QUEUE_URL", &Name::Deliveries.url()),
        ("RETRIES_QUEUE_URL", &Name::Retries.url()),
        ("DEAD_QUEUE_URL", &Name::Dead.url()),
        (
            "AWS_ENDPOINT_URL",
            &format!("http://127.0.0.1:{}", serve(router)),
        ),
    ];
    variables
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
}

async fn answer(State(fake): State<Fake>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers["x-amz-target"].to_str().expect("ASCII");
    let (status, body) = fake.call(target, &body).await;
    let status = StatusCode::from_u16(status).expect("a status");
    (
        status,
        [("content-type", "application/x-amz-json-1.0")],
        body,
    )
        .into_response()
}

/// Text that decodes to something else in every encoding: the most work for masking secrets.
const ENCODED: &str = "%61+\\u0061&#97;aaaaaaaaaaaaaaaaaa%2561%5Cu0061";

/// Starts a receiver that responds 200 with `ok`, on `/empty` without a body, on `/encoded` with
/// 16 KiB of encoded text, on `/hung` never. Returns its URL.
pub(crate) fn receiver() -> String {
    let router = Router::new()
        .route(
            "/encoded",
            post(async || ENCODED.repeat(16 * 1024 / ENCODED.len())),
        )
        .route("/empty", post(async || ()))
        .route("/hung", post(future::pending::<()>))
        // Reads the body: a server that does not may close the connection while it is sent.
        .fallback(async |_: Bytes| "ok")
        .layer(DefaultBodyLimit::disable());
    format!("http://127.0.0.1:{}/", serve(router))
}
