//! The addresses that third parties call: `ANY /in/{key}`.
//!
//! A call comes in, its key tells the connected service that it is for, the service's verification
//! checks it over the raw bytes, and one message on the queue `events` goes out: the event
//! `service.received`. What is answered with 202 is on that queue. A call that tells which delivery
//! it is claims it first, by each of its keys, so that a repetition within 24 hours is answered
//! with the same id and published once, also when the first one ended between its claim and its
//! message. The key of a provider's callback URL leads to [`reports`].

mod answer;
mod reports;

use domain::{
    event::Event,
    inbound::{self, Key, Receiver, received},
    pattern::EventType,
};
use http::Method;
use lambda_http::{Body, Request, RequestExt, Response};
use platform::{
    clock,
    keyring::{KeyringError, Keys},
    queue::{Queue, QueueError},
    random,
    table::{
        Table, TableError,
        claims::Claim,
        events::{MOST_EVENT_BYTES, stored_bytes},
        inbound::Caller,
        users::Holder,
    },
    telemetry,
};
use serde_json::Value;

use self::answer::{Accepted, Refusal};

/// What inbound works with.
#[derive(Debug)]
pub struct App {
    /// The table.
    pub table: Table,
    /// The keyring.
    pub keys: Keys,
    /// Where events go.
    pub events: Queue,
    /// Where providers' reports go.
    pub deliveries: Queue,
    /// How the outside addresses us, without a slash at the end: some third parties sign the
    /// address that they call.
    pub public_url: String,
}

/// The largest body that is taken, in bytes.
pub const MOST_BYTES: usize = 256 * 1024;

#[derive(Debug, thiserror::Error)]
enum InboundError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Keys(#[from] KeyringError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Answers one call.
pub async fn handle(app: &App, request: &Request) -> Result<Response<Body>, http::Error> {
    let answer = take(app, request).await.map_err(|error| match error {
        InboundError::Refused(refusal) => refusal,
        error => {
            tracing::error!(%error, "inbound call failed");
            Refusal::Internal
        }
    });
    let request_id = request
        .lambda_context_ref()
        .map_or_else(random::token, |context| context.request_id.clone());
    answer::respond(answer, request_id)
}

async fn take(app: &App, request: &Request) -> Result<Accepted, InboundError> {
    if request.body().len() > MOST_BYTES {
        return Err(Refusal::TooLarge.into());
    }
    let key = key(request).ok_or(Refusal::Unknown)?;
    let caller = app
        .table
        .caller(&key, &app.keys)
        .await?
        .ok_or(Refusal::Unknown)?;
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
        Caller::Service(receiver, holder) => publish(app, &receiver, &holder, &call).await,
        Caller::Provider(reporter) => reports::take(app, &reporter, &call).await,
    }
}

/// A call that only asks whether the URL is there.
fn probe(caller: &Caller) -> Result<Accepted, InboundError> {
    match caller {
        Caller::Service(_, holder) if !holder.user.settings.active => Err(Refusal::Inactive.into()),
        Caller::Service(..) | Caller::Provider(_) => Ok(Accepted::Probe),
    }
}

/// A call of a connected service becomes an event.
async fn publish(
    app: &App,
    receiver: &Receiver,
    holder: &Holder,
    call: &inbound::Request<'_>,
) -> Result<Accepted, InboundError> {
    if !holder.user.settings.active {
        return Err(Refusal::Inactive.into());
    }
    let now = clock::now();
    if let Err(reason) = receiver.verification.verify(call, now) {
        telemetry::metric("inbound_refused", 1);
        tracing::warn!(service = %receiver.service, %reason, "inbound call not verified");
        return Err(Refusal::Unverified {
            scheme: receiver.verification.challenge_scheme(),
        }
        .into());
    }
    if let Some(challenge) = receiver.verification.challenge(call.body) {
        return Ok(Accepted::Challenge(challenge));
    }
    let hops = inbound::hops(call.headers).map_err(|_| Refusal::Loop)?;
    let mut event = Event {
        id: random::id(),
        kind: EventType::service_received(),
        timestamp: now,
        data: Value::Object(received(receiver, call)),
        hops,
    };
    if stored_bytes(&event) > MOST_EVENT_BYTES {
        return Err(Refusal::TooLarge.into());
    }
    let route = format!("in/{}", receiver.service);
    let mut claims = Vec::new();
    for delivery in receiver.verification.delivery_keys(call) {
        let claim = app
            .table
            .claim(&route, &delivery, Claim::new(event.id, String::new(), now))
            .await?;
        (event.id, event.timestamp) = (claim.id, claim.at);
        if claim.done {
            tracing::info!(service = %receiver.service, event = %event.id, "inbound call repeated");
            return Ok(Accepted::Event(event.id));
        }
        claims.push((delivery, claim));
    }
    app.events.send_json(&event, 0, None).await?;
    // A claim that holds another event's id is not this event's: that of a call which was a
    // repetition by a later key.
    for (delivery, claim) in claims.into_iter().filter(|(_, claim)| claim.id == event.id) {
        // Unmarked, a repetition sends the same event again, which dispatch knows: no reason to
        // fail this call.
        if let Err(error) = app.table.claim_done(&route, &delivery, &claim).await {
            tracing::warn!(%error, event = %event.id, "claim not marked");
        }
    }
    tracing::info!(service = %receiver.service, event = %event.id, hops, "inbound call accepted");
    Ok(Accepted::Event(event.id))
}

/// The key that ends the path.
fn key(request: &Request) -> Option<Key> {
    let (before, key) = request.uri().path().rsplit_once('/')?;
    before.ends_with("/in").then(|| Key::parse(key)).flatten()
}

/// The address as the third party knows it.
fn url(app: &App, request: &Request, key: &Key) -> String {
    let query = request
        .uri()
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    format!("{}/in/{}{query}", app.public_url, key.expose())
}
