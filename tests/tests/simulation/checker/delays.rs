//! A delivery with a delay does not begin before its end, and an event that ends it cancels the
//! delivery, whatever the order of their dispatch.

use std::collections::BTreeMap;

use domain::{
    delivery::{Cancellation, Delivery},
    id::{DeliveryId, EventId, WebhookId},
    path::Path,
    webhook::delay,
};
use jiff::{SignedDuration, Timestamp};
use platform::table::key;
use serde_json::Value;
use tests::fake::sqs::{Message, Name};
use tokio::time::Instant;

use super::{
    Broken, Past,
    calls::{delivery, is_unsent},
    kept,
};
use crate::{history::EndpointCall, plan::Rule};

pub(super) fn check(past: &Past<'_>) -> Result<(), Broken> {
    let events = published(past);
    recorded(past, &events)?;
    let mut calls = BTreeMap::<DeliveryId, Vec<&EndpointCall>>::new();
    for call in &past.records.calls {
        let id = delivery(past, call).filter(|id| past.hook(id.webhook).delay().is_some());
        // What an admin asks for is sent at once.
        if let Some(id) = id.filter(|id| !past.records.retried.contains_key(id)) {
            calls.entry(id).or_default().push(call);
        }
    }
    for (id, calls) in &calls {
        in_time(past, *id, calls)?;
        if let Some(rule) = past.hook(id.webhook).rule() {
            not_superseded(past, *id, &rule, &events[&id.event], calls)?;
        }
    }
    for row in past.rows.values() {
        if let Some(Cancellation::Superseded(by)) = row.cancelled {
            superseded(past, row, by, &events)?;
        }
    }
    Ok(())
}

/// Every event that was sent to the queue.
fn published(past: &Past<'_>) -> BTreeMap<EventId, Value> {
    let sent = past.state.queues.sent().iter();
    let sent = sent
        .filter(|sent| sent.queue == Name::Events)
        .map(Message::json);
    let id = |event: &Value| event["id"].as_str()?.parse().ok();
    sent.map(|event| (id(&event).expect("an event's ID"), event))
        .collect()
}

/// Partition of the events that end the same delays as this one.
fn partition(webhook: WebhookId, rule: &Rule, event: &Value) -> String {
    let path = Path::parse(&rule.key).expect("a path");
    let fingerprint = delay::fingerprint(&path, &event["data"]).expect("a value");
    key::superseding(webhook, &fingerprint)
}

fn end(past: &Past<'_>, id: DeliveryId) -> Timestamp {
    let seconds = past.hook(id.webhook).delay().unwrap_or(0);
    delay::ends_at(id.event, seconds)
}

/// Whether the other event was accepted after the delivery's event and before the end of its delay.
fn is_during_delay(past: &Past<'_>, id: DeliveryId, other: EventId) -> bool {
    other > id.event && other.made_at() < end(past, id)
}

/// An event that ends delays is recorded before its own row.
fn recorded(past: &Past<'_>, events: &BTreeMap<EventId, Value>) -> Result<(), Broken> {
    let mut written = BTreeMap::<(&str, &str), Instant>::new();
    for made in past.state.table.writes() {
        let (pk, sk) = &made.key;
        written.entry((pk, sk)).or_insert(made.at);
    }
    for accepted in &past.records.accepted {
        let event = &events[&accepted.event.id];
        let dispatched = past.events[&accepted.event.id].0;
        for (hook, webhook) in past.hooks.iter().zip(past.webhooks) {
            let Some(rule) = hook.rule().filter(|rule| rule.is_ended_by(event)) else {
                continue;
            };
            let stopped = past.stops[webhook].iter().any(|stop| {
                stop.at <= dispatched && stop.until.is_none_or(|until| until >= accepted.at)
            });
            let pk = partition(*webhook, &rule, event);
            let sk = accepted.event.id.ulid().to_string();
            let at = written.get(&(pk.as_str(), sk.as_str()));
            kept(
                stopped || at.is_some_and(|at| *at <= dispatched),
                "an event that ends delays is recorded before it is dispatched",
                || format!("{} for {}", accepted.event.id, hook.name),
            )?;
        }
    }
    Ok(())
}

fn in_time(past: &Past<'_>, id: DeliveryId, calls: &[&EndpointCall]) -> Result<(), Broken> {
    let (time, since) = past.state.since.expect("a clock");
    for call in calls {
        let elapsed = call.began.duration_since(since) + past.slack();
        let at = time + SignedDuration::try_from(elapsed).expect("short");
        kept(at >= end(past, id), "no call begins during a delay", || {
            format!("{id} at {at} instead of {}", end(past, id))
        })?;
    }
    Ok(())
}

/// The first attempt looks for events that end the delay, and finds those recorded before.
fn not_superseded(
    past: &Past<'_>,
    id: DeliveryId,
    rule: &Rule,
    event: &Value,
    calls: &[&EndpointCall],
) -> Result<(), Broken> {
    // The first call may be that of a later attempt, which looks for nothing.
    if past.attempts(id).first().is_some_and(is_unsent) {
        return Ok(());
    }
    let pk = partition(id.webhook, rule, event);
    let first = calls.iter().min_by_key(|call| call.began).expect("a call");
    let looked = past.records.work[first.by].looks.iter();
    let looked_at = looked
        .filter(|(looked, _)| *looked == pk)
        .map(|(_, at)| *at)
        .min();
    let looked_at = looked_at
        .ok_or_else(|| Broken::new("a due delivery looks for what ended its delay", id))?;
    let found = past.state.table.writes().iter().find(|made| {
        let ulid = made.key.1.parse().map(EventId::from_ulid);
        let is_during = ulid.is_ok_and(|other| is_during_delay(past, id, other));
        made.key.0 == pk && made.at < looked_at && is_during
    });
    kept(found.is_none(), "no superseded delivery is sent", || {
        format!("{id} despite {:?}", found.map(|made| &made.key.1))
    })
}

/// What cancelled the delivery is about the same thing, and was accepted during the delay.
fn superseded(
    past: &Past<'_>,
    row: &Delivery,
    by: EventId,
    events: &BTreeMap<EventId, Value>,
) -> Result<(), Broken> {
    let rule = past.hook(row.id.webhook).rule();
    let is_right = rule.is_some_and(|rule| {
        let (own, other) = (&events[&row.id.event], &events[&by]);
        let pk = |event| partition(row.id.webhook, &rule, event);
        rule.is_ended_by(other) && pk(own) == pk(other) && is_during_delay(past, row.id, by)
    });
    let sent = row.progress.last.is_some() && !past.records.retried.contains_key(&row.id);
    kept(
        is_right && !sent,
        "only an event during the delay about the same thing supersedes",
        || format!("{} by {by}", row.id),
    )
}
