//! Every recorded attempt was a request with the event's ID, and requests are repeated no more
//! often than faults explain.

use std::collections::BTreeMap;

use domain::{
    attempt::Attempt,
    delivery::Status,
    id::{DeliveryId, EventId},
    time,
};
use serde_json::Value;
use tests::fake::sqs::{Message, Name};

use super::{Broken, Past, ends::summary, kept};
use crate::history::EndpointCall;

pub(super) fn check(past: &Past<'_>) -> Result<(), Broken> {
    let mut calls = BTreeMap::<DeliveryId, Vec<&EndpointCall>>::new();
    let sent = past
        .state
        .queues
        .sent()
        .iter()
        .filter(|sent| sent.queue == Name::Events)
        .map(Message::json);
    let id = |event: &Value| {
        event["id"]
            .as_str()
            .expect("an id")
            .parse()
            .expect("an event's id")
    };
    let mut events = BTreeMap::<EventId, Vec<Value>>::new();
    for event in sent {
        events.entry(id(&event)).or_default().push(event);
    }
    for call in &past.records.calls {
        let id = delivery(past, call).filter(|id| past.rows.contains_key(id));
        let id = id.ok_or_else(|| {
            Broken::new(
                "every call carries its event's id",
                format!("{} to {}", call.webhook_id, call.name),
            )
        })?;
        // An event about a webhook lacks its name if it is emitted again after the webhook was
        // deleted.
        let sent = &events[&id.event];
        let is = |event: &Value| {
            call.body["timestamp"] == shown_time(event)
                && ["type", "data"]
                    .iter()
                    .all(|field| call.body[field] == event[field])
        };
        kept(sent.iter().any(is), "every call carries its event", || {
            format!("{} to {} instead of {sent:?}", call.body, call.name)
        })?;
        calls.entry(id).or_default().push(call);
    }
    for (id, row) in &past.rows {
        let calls = calls.get(id).map_or(&[][..], Vec::as_slice);
        let attempts = past.attempts(*id);
        let responses: Vec<_> = calls.iter().map(|call| call.response).collect();
        let what = || format!("{id}: {:?}, and responses {responses:?}", summary(attempts));
        for attempt in attempts
            .iter()
            .filter(|attempt| attempt.status_code.is_some())
        {
            let code = attempt.status_code;
            let recorded = attempts
                .iter()
                .filter(|attempt| attempt.status_code == code)
                .count();
            let received = responses
                .iter()
                .filter(|response| **response == code)
                .count();
            kept(recorded <= received, "what is recorded was called", what)?;
        }
        let delivered = responses
            .iter()
            .flatten()
            .any(|code| (200..400).contains(code));
        kept(
            row.status != Status::Succeeded || delivered,
            "every successful attempt was a call",
            what,
        )?;
        let sent = attempts
            .iter()
            .filter(|attempt| !is_unsent(attempt))
            .count();
        let extra = calls.len().saturating_sub(sent);
        let allowed = past.allowance(*id, calls);
        kept(
            extra <= allowed,
            "no call is repeated without a fault",
            || format!("{extra} repeated where {allowed} may be: {}", what()),
        )?;
    }
    Ok(())
}

/// Whether the attempt could not be sent, and reached no endpoint.
pub(super) fn is_unsent(attempt: &Attempt) -> bool {
    let unsent = |error: &str| error.contains("refused") || error.contains("blocked");
    attempt.error.as_deref().is_some_and(unsent)
}

/// Returns the time of a queued event as a call shows it.
fn shown_time(event: &Value) -> String {
    let time = event["timestamp"].as_str().expect("a time");
    time::show_event(time.parse().expect("a time"))
}

/// The delivery that a call belongs to.
pub(super) fn delivery(past: &Past<'_>, call: &EndpointCall) -> Option<DeliveryId> {
    let at = past.hooks.iter().position(|hook| hook.name == call.name)?;
    Some(DeliveryId {
        event: call.webhook_id.parse().ok()?,
        webhook: past.webhooks[at],
    })
}
