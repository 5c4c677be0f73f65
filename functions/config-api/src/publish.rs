//! Accepting events: parse, know the type, claim the idempotency key, put the event on its queue.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    event::{Event, NewEvent},
    id::EventId,
    invalid::{Checked, Problems},
    pattern::EventType,
    scope::Scope,
};
use jiff::Timestamp;
use platform::{
    clock,
    queue::{Outgoing, ascii_json},
    random,
    table::{
        claims::Claim,
        events::{MOST_EVENT_BYTES, stored_bytes},
    },
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    App,
    http::{Answer, Problem, access::Caller},
    routes::event_types,
};

/// An idempotency key: 1 to 255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key that `text` is.
    pub fn parse(text: &str) -> Checked<Self> {
        let legal = (1..=255).contains(&text.len())
            && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if legal {
            Ok(Self(text.to_owned()))
        } else {
            Err(Problems::here(
                "must have 1 to 255 printable ASCII characters",
            ))
        }
    }

    /// What stands for it in the table.
    pub(crate) fn hash(&self) -> String {
        digest(&self.0)
    }
}

/// An event to publish.
#[derive(Debug)]
pub struct Request {
    /// What the client gave.
    pub new: NewEvent,
    /// What makes a repeat of this request one.
    pub key: Option<IdempotencyKey>,
    /// The event's document: a repeat must have the same.
    pub document: Value,
    /// How many times what led to it left Tieline.
    pub hops: u8,
}

/// Publishes one event on behalf of `route`.
pub async fn one(app: &App, caller: &Caller, route: &str, request: Request) -> Answer<Event> {
    let mut accepted = many(app, caller, route, vec![request]).await?;
    accepted
        .pop()
        .unwrap_or_else(|| Err(Problem::internal("a published event has no result")))
}

/// Publishes events, each by itself: the results are in their order. The outer error is that of the
/// queue.
pub async fn many(
    app: &App,
    caller: &Caller,
    route: &str,
    requests: Vec<Request>,
) -> Answer<Vec<Answer<Event>>> {
    let now = clock::now();
    let space = &key_space(caller, route);
    let mut types = Types::default();
    let mut accepted = Vec::with_capacity(requests.len());
    // One after another: of two with the same key in one batch, the first makes the claim.
    for request in requests {
        accepted.push(accept(app, caller, space, request, &mut types, now).await);
    }
    let mut outgoing: HashMap<EventId, Outgoing> = HashMap::new();
    for Accepted { event, queued, .. } in accepted.iter().flatten() {
        if !queued {
            let message = Outgoing {
                body: ascii_json(event)?,
                delay_seconds: 0,
                group: None,
            };
            outgoing.insert(event.id, message);
        }
    }
    app.events
        .send_all(outgoing.into_values().collect())
        .await?;
    for result in &mut accepted {
        let Ok(Accepted {
            claim: Some((hash, claim)),
            ..
        }) = result
        else {
            continue;
        };
        if let Err(error) = app.table.claim_done(space, hash, claim).await {
            *result = Err(error.into());
        }
    }
    Ok(accepted
        .into_iter()
        .map(|result| result.map(|accepted| accepted.event))
        .collect())
}

struct Accepted {
    event: Event,
    /// Whether an earlier request has put it on the queue already.
    queued: bool,
    /// The claim to be marked once the event is on the queue, with the hash of its key.
    claim: Option<(String, Claim)>,
}

async fn accept(
    app: &App,
    caller: &Caller,
    space: &str,
    request: Request,
    types: &mut Types,
    now: Timestamp,
) -> Answer<Accepted> {
    let Request {
        new,
        key,
        document,
        hops,
    } = request;
    if let Err(problems) = may_publish(caller, &new.kind) {
        return Err(problems.under("type").into());
    }
    if let Some(problems) = types.unknown(app, &new.kind).await? {
        return Err(problems.under("type").into());
    }
    let mut event = Event {
        hops,
        ..new.accept(random::id(), now)
    };
    if stored_bytes(&event) > MOST_EVENT_BYTES {
        return Err(Problem::too_large(
            "The event's stored form is larger than 350 KiB.",
        ));
    }
    let Some(key) = key else {
        return Ok(Accepted {
            event,
            queued: false,
            claim: None,
        });
    };
    let hash = key.hash();
    let body = digest(&document.to_string());
    let claim = app
        .table
        .claim(space, &hash, Claim::new(event.id, body.clone(), now))
        .await?;
    if claim.body != body {
        return Err(other_body());
    }
    if claim.id != event.id {
        event.id = claim.id;
        if document["timestamp"].is_null() {
            event.timestamp = claim.at;
        }
    }
    let queued = claim.done;
    Ok(Accepted {
        event,
        queued,
        claim: (!queued).then_some((hash, claim)),
    })
}

/// The space of idempotency keys on a route: each credential has its own, which a rotation of its
/// token does not change.
pub(crate) fn key_space(caller: &Caller, route: &str) -> String {
    format!("{route}#{}", caller.credential)
}

/// Refuses an event type that only Tieline publishes, unless the caller has the scope `admin`.
pub(crate) fn may_publish(caller: &Caller, kind: &EventType) -> Checked<()> {
    if kind.is_reserved() && !caller.scopes.grants(Scope::Admin) {
        return Err(Problems::here(
            "is reserved for Tieline's own events. Publishing it requires the scope `admin`",
        ));
    }
    Ok(())
}

/// The problem of a key that was used before, for something else.
pub(crate) fn other_body() -> Problem {
    Problems::here(
        "was used with another body within the last 24 hours. Use a new key for each request",
    )
    .of_header("Idempotency-Key")
    .into()
}

/// What stands for a text where its length or its characters are in the way.
pub(crate) fn digest(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// The problem of an event that was refused for `problems`: an unknown or reserved type is another
/// one.
pub async fn refused(
    app: &App,
    caller: &Caller,
    mut problems: Problems,
    kind: &Value,
    types: &mut Types,
) -> Answer<Problem> {
    if let Some(kind) = kind.as_str().and_then(|kind| EventType::parse(kind).ok()) {
        if let Err(reserved) = may_publish(caller, &kind) {
            problems.0.extend(reserved.under("type").0);
        } else if let Some(unknown) = types.unknown(app, &kind).await? {
            problems.0.extend(unknown.under("type").0);
        }
    }
    Ok(problems.into())
}

/// The event types that were looked up for one request: `None` for known ones, else what is wrong.
#[derive(Debug, Default)]
pub struct Types {
    looked_up: HashMap<EventType, Option<Problems>>,
    names: event_types::Names,
}

impl Types {
    /// What is wrong with the type, if anything.
    async fn unknown(&mut self, app: &App, kind: &EventType) -> Answer<Option<Problems>> {
        if let Some(looked_up) = self.looked_up.get(kind) {
            return Ok(looked_up.clone());
        }
        let known = event_types::is_known(app, kind).await?;
        let problems = if known {
            None
        } else {
            Some(event_types::unknown(app, kind, &mut self.names).await?)
        };
        self.looked_up.insert(kind.clone(), problems.clone());
        Ok(problems)
    }
}
