//! Each end without success, and each disabling, is reported by one event, however often that event
//! is emitted.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    delivery::{Status, is_about_webhooks},
    id::DeliveryId,
};
use tests::fake::sqs::{Message, Name};

use super::{Broken, Past, kept, stops::Stop};

pub(super) fn check(past: &Past<'_>) -> Result<(), Broken> {
    ends(past)?;
    disablings(past)
}

fn ends(past: &Past<'_>) -> Result<(), Broken> {
    let mut reported = BTreeMap::<(DeliveryId, u32), BTreeSet<String>>::new();
    for event in of_kind(past, "webhook.delivery_failed") {
        let data = &event["data"];
        let id = data["delivery_id"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .expect("a delivery's id");
        let attempts = u32::try_from(data["attempts"].as_u64().expect("a number")).expect("small");
        reported
            .entry((id, attempts))
            .or_default()
            .insert(event["id"].to_string());
    }
    let mut ends = BTreeSet::new();
    for row in past.written.values().flatten() {
        if [Status::Failed, Status::Blocked].contains(&row.status)
            && !is_about_webhooks(&row.event_type)
        {
            ends.extend(row.progress.last.as_ref().map(|last| (row.id, last.number)));
        }
    }
    for (end, ids) in &reported {
        kept(
            ends.contains(end),
            "only ended deliveries are reported",
            || format!("{end:?}"),
        )?;
        kept(ids.len() == 1, "an end is reported by one event", || {
            format!("{end:?}: {ids:?}")
        })?;
    }
    // A manual retry requested in between supersedes the report.
    let unreported = ends
        .iter()
        .find(|end| !reported.contains_key(end) && !past.records.retried.contains_key(&end.0));
    kept(
        unreported.is_none(),
        "every end without success is reported",
        || format!("{unreported:?}"),
    )
}

fn disablings(past: &Past<'_>) -> Result<(), Broken> {
    let mut reported = BTreeMap::<String, BTreeSet<String>>::new();
    for event in of_kind(past, "webhook.disabled") {
        let webhook = event["data"]["webhook_id"]
            .as_str()
            .expect("an id")
            .to_owned();
        reported
            .entry(webhook)
            .or_default()
            .insert(event["id"].to_string());
    }
    for webhook in past.webhooks {
        let stops = &past.stops[webhook];
        let ours = stops.iter().filter(|stop| stop.by_tieline).count();
        let reported = reported.get(&webhook.to_string()).map_or(0, BTreeSet::len);
        // If the webhook is changed before the event is published, there is no event.
        let is_reported = |stop: &Stop| stop.by_tieline && stop.until.is_none() && !stop.deleted;
        let least = usize::from(stops.last().is_some_and(is_reported));
        kept(
            (least..=ours).contains(&reported),
            "each disabling is reported by one event",
            || format!("{webhook} was disabled {ours} times, which {reported} events report"),
        )?;
    }
    Ok(())
}

fn of_kind<'a>(past: &'a Past<'_>, kind: &'a str) -> impl Iterator<Item = serde_json::Value> + 'a {
    let sent = past
        .state
        .queues
        .sent()
        .iter()
        .filter(|sent| sent.queue == Name::Events);
    sent.filter(move |sent| sent.body.contains(kind))
        .map(Message::json)
        .filter(move |event| event["type"] == kind)
}
