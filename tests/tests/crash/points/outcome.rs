//! Checks of the final state.

use std::collections::{BTreeMap, BTreeSet};

use super::cases::Case;
use domain::{
    event::{Event, derived_id},
    id::{DeliveryId, WebhookId},
    pattern::EventType,
};
use platform::table::Key;
use serde_json::{Value, json};
use tests::{
    fake::{sqs::Name, system::System},
    receiver::Request,
};

pub(super) async fn check(
    case: &Case,
    system: &mut System,
    event: &Event,
    ids: &BTreeMap<&str, WebhookId>,
    breaks: usize,
) {
    for queue in [Name::Events, Name::Deliveries, Name::Retries, Name::Dead] {
        assert!(
            system.fake.state().queues.on(queue).is_empty(),
            "{queue:?} is not empty"
        );
    }
    let wanted: BTreeSet<WebhookId> = case
        .webhooks
        .iter()
        .filter(|(.., ended)| ended.is_some())
        .map(|(name, ..)| ids[name])
        .collect();
    let matches = system.event(event).await.expect("the event").matches;
    assert_eq!(
        (matches.len(), matches.into_iter().collect()),
        (wanted.len(), wanted),
        "the event's matches"
    );
    assert_eq!(
        writes(system, &Key::event(event.id)).len(),
        1,
        "the event is written once"
    );

    let requests = system.receiver.requests();
    let mut emitted = BTreeSet::new();
    for (name, _, ended) in &case.webhooks {
        let id = DeliveryId {
            event: event.id,
            webhook: ids[name],
        };
        let Some(ended) = ended else {
            assert_eq!(
                item(system, &Key::delivery(id)),
                Value::Null,
                "{name} has a delivery"
            );
            continue;
        };
        let (row, attempts) = system.history(id).await.expect("a delivery");
        assert_eq!(
            (row.status, row.progress.awaited.is_none()),
            (ended.status, true),
            "{name}"
        );
        let numbers: Vec<u32> = attempts.iter().map(|attempt| attempt.number).collect();
        assert_eq!(
            numbers,
            (1..=ended.attempts).collect::<Vec<_>>(),
            "{name}'s attempts"
        );
        recorded_once(system, id, ended.attempts);

        let calls: Vec<&Request> = requests
            .iter()
            .filter(|request| request.name() == *name)
            .collect();
        let most = ended.calls + if ended.calls == 0 { 0 } else { breaks };
        assert!(
            (ended.calls..=most).contains(&calls.len()),
            "{name} was called {} times",
            calls.len()
        );
        assert!(
            calls
                .iter()
                .all(|request| request.webhook_id() == event.id.to_string()),
            "{name}'s webhook-id"
        );

        let stored = item(system, &Key::webhook(ids[name]));
        let gone = case.emits.contains(&"webhook.disabled");
        assert_eq!(
            stored["disabled_reason"]["S"],
            if gone { json!("gone") } else { Value::Null },
            "{name}"
        );
        let failed = format!("{id}|{}", ended.attempts);
        for kind in case.emits {
            let (of, at) = match *kind {
                "webhook.disabled" => {
                    let at = stored["stopped_at"]["S"].as_str().expect("a time");
                    (format!("{}|{at}", ids[name]), at.parse().expect("a time"))
                }
                _ => (failed.clone(), row.updated_at),
            };
            let kind = EventType::parse(kind).expect("a type");
            emitted.insert((derived_id(&kind, &of, at).to_string(), kind.to_string()));
        }
    }

    // However often an event about a failure is emitted, it has one ID and leads to one delivery.
    let sent: Vec<(Name, Value)> = system
        .fake
        .state()
        .queues
        .sent()
        .iter()
        .map(|message| (message.queue, message.json()))
        .collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let telling = sent
        .iter()
        .filter(|(queue, body)| *queue == Name::Events && body["type"] != "message");
    assert_eq!(
        telling
            .map(|(_, body)| (text(&body["id"]), text(&body["type"])))
            .collect::<BTreeSet<_>>(),
        emitted
    );
    if let Some(watch) = case.webhooks.iter().find(|(name, ..)| *name == "watch") {
        let calls: Vec<&Request> = requests
            .iter()
            .filter(|request| request.name() == "watch")
            .collect();
        let heard: BTreeSet<String> = calls
            .iter()
            .map(|request| request.webhook_id().to_owned())
            .collect();
        assert_eq!(
            heard,
            emitted.iter().map(|(id, _)| id.clone()).collect(),
            "{}",
            watch.1
        );
    }
}

/// The item with this key; null if there is none.
fn item(system: &System, key: &Key) -> Value {
    json!(
        system
            .fake
            .state()
            .table
            .items()
            .get(&(key.pk.clone(), key.sk.clone()))
    )
}

/// The items that were written with this key, in order.
fn writes(system: &System, key: &Key) -> Vec<Value> {
    let key = (key.pk.clone(), key.sk.clone());
    let state = system.fake.state();
    state
        .table
        .writes()
        .iter()
        .filter(|made| made.key == key)
        .map(|made| json!(made.item))
        .collect()
}

/// No attempt number is recorded under two tokens or after a higher one, and no attempt is
/// replaced.
fn recorded_once(system: &System, id: DeliveryId, attempts: u32) {
    let rows = writes(system, &Key::delivery(id));
    let mut tickets: Vec<(u32, String)> = rows
        .iter()
        .map(|row| {
            let last = &row["last"]["M"];
            let number = last["number"]["N"]
                .as_str()
                .expect("a number")
                .parse()
                .expect("a number");
            (
                number,
                last["token"]["S"].as_str().expect("a token").to_owned(),
            )
        })
        .collect();
    tickets.dedup();
    let numbers: Vec<u32> = tickets.iter().map(|(number, _)| *number).collect();
    assert_eq!(
        numbers,
        (1..=attempts).collect::<Vec<_>>(),
        "what was recorded: {tickets:?}"
    );
    for number in 2..=attempts {
        assert_eq!(
            writes(system, &Key::attempt(id, number)).len(),
            1,
            "attempt {number}"
        );
    }
}
