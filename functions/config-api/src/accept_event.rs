//! Accepts events: checks the type, claims the idempotency key and enqueues the event.

use std::collections::HashMap;

use domain::{
    event::{Event, NewEvent},
    id::EventId,
    pattern::EventType,
    scope::Scope,
    time,
    validation::{Validated, ValidationErrors},
};
use http::StatusCode;
use jiff::Timestamp;
use platform::{
    clock,
    queue::{OutgoingMessage, PartialSend, ascii_json},
    random,
    table::{
        events::{MAX_EVENT_BYTES, stored_bytes},
        idempotency::Claim,
    },
};
use serde_json::Value;

use crate::{
    App,
    http::{
        ApiResult, Problem,
        auth::Principal,
        idempotency::{DocumentKey, key_reused, key_space},
    },
    known_types,
};

/// A request to publish an event.
#[derive(Debug)]
pub struct Request {
    /// The validated request.
    pub new: NewEvent,
    /// The client's idempotency key with the event's JSON document.
    pub key: Option<DocumentKey>,
    /// How many times the chain of requests has already passed through Tieline.
    pub hops: u8,
}

/// Publishes one event. `route` selects the space of idempotency keys.
pub async fn publish(
    app: &App,
    caller: &Principal,
    route: &str,
    request: Request,
) -> ApiResult<Event> {
    let mut accepted = publish_all(app, caller, route, vec![request]).await;
    accepted
        .pop()
        .unwrap_or_else(|| Err(Problem::internal("a published event has no result")))
}

/// Publishes events independently of each other. Returns the results in the same order.
pub async fn publish_all(
    app: &App,
    caller: &Principal,
    route: &str,
    requests: Vec<Request>,
) -> Vec<ApiResult<Event>> {
    let now = time::of_event(clock::now());
    let space = &key_space(caller, route);
    let mut types = Types::default();
    let mut accepted: Vec<ApiResult<Accepted>> = Vec::with_capacity(requests.len());
    let mut last: Option<EventId> = None;
    // In sequence, so that the first of two events with the same key claims it.
    let mut is_table_failing = false;
    for request in requests {
        // Each access to a failing table takes seconds. Events that need none are still accepted in
        // time.
        let result = if is_table_failing && types.needs_table(&request) {
            Err(Problem::internal("the table failed for an earlier event"))
        } else {
            // The order of the IDs is the order of acceptance, which decides what ends a delay.
            let id = last.map_or_else(random::id, |last| random::id().after(last));
            last = Some(id);
            accept(app, caller, space, request, &mut types, (id, now)).await
        };
        is_table_failing |= result
            .as_ref()
            .is_err_and(|problem| problem.status == StatusCode::INTERNAL_SERVER_ERROR);
        accepted.push(result);
    }
    enqueue(app, &mut accepted).await;
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
    accepted
        .into_iter()
        .map(|result| result.map(|accepted| accepted.event))
        .collect()
}

/// Enqueues accepted events, one message for each ID. An event that was not sent gets an error.
async fn enqueue(app: &App, accepted: &mut [ApiResult<Accepted>]) {
    let mut ids: Vec<EventId> = Vec::new();
    let mut outgoing = Vec::new();
    for result in accepted.iter_mut() {
        let Ok(Accepted { event, queued, .. }) = result else {
            continue;
        };
        if *queued || ids.contains(&event.id) {
            continue;
        }
        match ascii_json(event) {
            Ok(body) => {
                ids.push(event.id);
                outgoing.push(OutgoingMessage {
                    body,
                    delay_seconds: 0,
                    group: None,
                });
            }
            Err(error) => *result = Err(error.into()),
        }
    }
    let Err(PartialSend { unsent, error }) = app.events.send_all(outgoing).await else {
        return;
    };
    let unsent: Vec<EventId> = unsent
        .into_iter()
        .filter_map(|at| ids.get(at).copied())
        .collect();
    for result in accepted {
        if result
            .as_ref()
            .is_ok_and(|accepted| !accepted.queued && unsent.contains(&accepted.event.id))
        {
            *result = Err(Problem::internal(&error));
        }
    }
}

struct Accepted {
    event: Event,
    /// Whether an earlier request has already enqueued it.
    queued: bool,
    /// The key's hash and the claim to complete once the event is enqueued.
    claim: Option<(String, Claim)>,
}

async fn accept(
    app: &App,
    caller: &Principal,
    space: &str,
    request: Request,
    types: &mut Types,
    (id, now): (EventId, Timestamp),
) -> ApiResult<Accepted> {
    let Request { new, key, hops } = request;
    if let Err(problems) = check_reserved(caller, &new.kind) {
        return Err(problems.under("type").into());
    }
    if let Some(problems) = types.unknown(app, &new.kind).await? {
        return Err(problems.under("type").into());
    }
    let is_timed = new.timestamp.is_some();
    let mut event = Event {
        hops,
        ..new.accept(id, now)
    };
    if stored_bytes(&event) > MAX_EVENT_BYTES {
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
    let DocumentKey {
        key_hash: hash,
        document_hash,
    } = key;
    let claim = app
        .table
        .claim(
            space,
            &hash,
            Claim::new(event.id, document_hash.clone(), now),
        )
        .await?;
    if claim.body != document_hash {
        return Err(key_reused());
    }
    if claim.id != event.id {
        event.id = claim.id;
        if !is_timed {
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

/// Rejects reserved event types unless the caller has the scope `admin`.
pub(crate) fn check_reserved(caller: &Principal, kind: &EventType) -> Validated<()> {
    if kind.is_reserved() && !caller.scopes.grants(Scope::Admin) {
        return Err(ValidationErrors::here(
            "is reserved for Tieline's own events. Publishing it requires the scope `admin`.",
        ));
    }
    Ok(())
}

/// Returns the problem document for an invalid event. Adds an error if its type is unknown or
/// reserved.
pub async fn rejection(
    app: &App,
    caller: &Principal,
    mut problems: ValidationErrors,
    kind: &Value,
    types: &mut Types,
) -> ApiResult<Problem> {
    if let Some(kind) = kind.as_str().and_then(|kind| EventType::parse(kind).ok()) {
        if let Err(reserved) = check_reserved(caller, &kind) {
            problems.0.extend(reserved.under("type").0);
        } else if let Some(unknown) = types.unknown(app, &kind).await? {
            problems.0.extend(unknown.under("type").0);
        }
    }
    Ok(problems.into())
}

/// Cache of event type lookups for one request: `None` for known types, else the error.
#[derive(Debug, Default)]
pub struct Types {
    looked_up: HashMap<EventType, Option<ValidationErrors>>,
    names: known_types::Names,
}

impl Types {
    /// Whether accepting this request accesses the table.
    fn needs_table(&self, request: &Request) -> bool {
        request.key.is_some() || !self.looked_up.contains_key(&request.new.kind)
    }

    /// Returns the error for an unknown type.
    async fn unknown(
        &mut self,
        app: &App,
        kind: &EventType,
    ) -> ApiResult<Option<ValidationErrors>> {
        if let Some(looked_up) = self.looked_up.get(kind) {
            return Ok(looked_up.clone());
        }
        let known = known_types::is_known(app, kind).await?;
        let problems = if known {
            None
        } else {
            Some(known_types::unknown(app, kind, &mut self.names).await?)
        };
        self.looked_up.insert(kind.clone(), problems.clone());
        Ok(problems)
    }
}
