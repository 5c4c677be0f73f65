//! Receives requests of third parties: `ANY /in/{key}`.
//!
//! The key identifies the connected service, whose verification checks the raw request. A verified
//! request becomes the event `service.received` on the queue `events`. The response is 202 only once
//! the event is queued. A request with delivery keys claims each of them first. A repeat within 24
//! hours therefore gets the same event ID, and the event is published once, even if the first
//! request crashed between its claim and its message. The key of a provider's callback URL leads to
//! [`callbacks`].

mod callbacks;
mod response;

use std::fmt::Display;

use domain::{
    event::Event,
    id::EventId,
    inbound::{self, Key, Receiver, Verification, received},
    pattern::EventType,
    time,
};
use http::Method;
use jiff::Timestamp;
use lambda_http::{Body, Request, RequestExt, Response};
use platform::{
    clock,
    keyring::{KeyringCache, KeyringError},
    queue::{PartialSend, Queue, QueueError},
    random,
    table::{
        Table, TableError,
        events::{MAX_EVENT_BYTES, stored_bytes},
        idempotency::Claim,
        inbound::KeyOwner,
        users::StoredUser,
    },
    telemetry,
};
use serde_json::Value;

use self::response::{Accepted, Rejection};

/// Dependencies of the inbound function.
#[derive(Debug)]
pub struct App {
    /// The DynamoDB table.
    pub table: Table,
    /// Keyring that decrypts stored secrets.
    pub keys: KeyringCache,
    /// Queue for events.
    pub events: Queue,
    /// Queue for reports of providers.
    pub deliveries: Queue,
    /// Public base URL without a trailing slash. Some third parties sign the URL that they request.
    pub public_url: String,
}

/// Maximum size of a request body, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

#[derive(Debug, thiserror::Error)]
enum InboundError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    PartialSend(#[from] PartialSend),
}

/// Handles one inbound request.
pub async fn handle(app: &App, request: &Request) -> Result<Response<Body>, http::Error> {
    let result = accept(app, request).await.map_err(|error| match error {
        InboundError::Rejected(rejection) => rejection,
        error => {
            tracing::error!(%error, "inbound request failed");
            Rejection::Internal
        }
    });
    let request_id = request
        .lambda_context_ref()
        .map_or_else(random::token, |context| context.request_id.clone());
    response::respond(result, request_id)
}

async fn accept(app: &App, request: &Request) -> Result<Accepted, InboundError> {
    if request.body().len() > MAX_BODY_BYTES {
        return Err(Rejection::TooLarge.into());
    }
    let key = key(request).ok_or(Rejection::Unknown)?;
    let caller = app
        .table
        .resolve_inbound_key(&key, &app.keys)
        .await?
        .ok_or(Rejection::Unknown)?;
    if [Method::HEAD, Method::OPTIONS].contains(request.method()) {
        return probe(&caller);
    }
    let url = url(app, request, &key);
    let call = inbound::Request {
        method: request.method(),
        url: &url,
        headers: request.headers(),
        body: request.body(),
    };
    match caller {
        KeyOwner::Service(receiver, holder) => publish(app, &receiver, &holder, &call).await,
        KeyOwner::Provider(reporter) => callbacks::accept(app, &reporter, &call).await,
    }
}

/// Accepts a request that only tests whether the URL exists.
fn probe(caller: &KeyOwner) -> Result<Accepted, InboundError> {
    match caller {
        KeyOwner::Service(_, holder) if !holder.user.settings.active => {
            Err(Rejection::Inactive.into())
        }
        KeyOwner::Service(..) | KeyOwner::Provider(_) => Ok(Accepted::Probe),
    }
}

/// Verifies a request to a connected service and publishes it as an event.
async fn publish(
    app: &App,
    receiver: &Receiver,
    holder: &StoredUser,
    call: &inbound::Request<'_>,
) -> Result<Accepted, InboundError> {
    if !holder.user.settings.active {
        return Err(Rejection::Inactive.into());
    }
    let now = time::of_event(clock::now());
    if let Some(challenge) = verify(&receiver.verification, receiver.service, call, now)? {
        return Ok(challenge);
    }
    let hops = inbound::hops(call.headers).map_err(Rejection::from)?;
    let event = Event {
        id: random::id(),
        kind: EventType::service_received(),
        timestamp: now,
        data: Value::Object(received(receiver, call)),
        hops,
    };
    check_size(&event)?;
    let keys = receiver.verification.delivery_keys(call);
    send_once(app, &format!("in/{}", receiver.service), event, keys)
        .await
        .map(Accepted::Event)
}

fn check_size(event: &Event) -> Result<(), Rejection> {
    if stored_bytes(event) > MAX_EVENT_BYTES {
        return Err(Rejection::TooLarge);
    }
    Ok(())
}

/// Queues an event, unless one with any of these keys was queued on this route in the last 24
/// hours. Returns the ID of the event, or of the earlier one.
async fn send_once(
    app: &App,
    route: &str,
    mut event: Event,
    keys: Vec<String>,
) -> Result<EventId, InboundError> {
    let mut claims = Vec::new();
    for delivery in keys {
        let claim = Claim::new(event.id, String::new(), event.timestamp);
        let claim = app.table.claim(route, &delivery, claim).await?;
        (event.id, event.timestamp) = (claim.id, claim.at);
        if claim.done {
            tracing::info!(route, event = %event.id, "inbound request repeated");
            return Ok(event.id);
        }
        claims.push((delivery, claim));
    }
    app.events.send_json(&event, 0, None).await?;
    // Skips claims with another event ID: only the event `event.id` has been queued.
    for (delivery, claim) in claims.into_iter().filter(|(_, claim)| claim.id == event.id) {
        // Not fatal: without the mark, a repeat sends the same event again, and dispatch
        // deduplicates it.
        if let Err(error) = app.table.claim_done(route, &delivery, &claim).await {
            tracing::warn!(%error, event = %event.id, "failed to mark claim as done");
        }
    }
    tracing::info!(route, event = %event.id, hops = event.hops, "inbound request accepted");
    Ok(event.id)
}

/// Verifies a request to the URL of `owner`. Returns the response to a challenge, which has no
/// other effect.
fn verify(
    verification: &Verification,
    owner: impl Display,
    call: &inbound::Request<'_>,
    now: Timestamp,
) -> Result<Option<Accepted>, Rejection> {
    if let Err(reason) = verification.verify(call, now) {
        telemetry::metric("inbound_refused", 1);
        tracing::warn!(%owner, %reason, "inbound request rejected: verification failed");
        return Err(Rejection::Unverified {
            scheme: verification.challenge_scheme(),
        });
    }
    Ok(verification.challenge(call.body).map(Accepted::Challenge))
}

/// The last segment of the path, as a key.
fn key(request: &Request) -> Option<Key> {
    let (before, key) = request.uri().path().rsplit_once('/')?;
    before.ends_with("/in").then(|| Key::parse(key)).flatten()
}

/// The URL as the third party knows it.
fn url(app: &App, request: &Request, key: &Key) -> String {
    let query = request
        .uri()
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    format!("{}/in/{}{query}", app.public_url, key.expose())
}
