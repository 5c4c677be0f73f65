//! Replays: deliveries that ended in a time range, or missed events, are queued again, 500 per
//! request.

use std::collections::BTreeSet;

use domain::{
    delivery::{DeliveryTask, Status},
    id::{DeliveryId, EventId, WebhookId},
};
use serde_json::{Value, json};
use tests::fake::sqs::Name;

use crate::api::{Api, ids};

/// Calls a replay until its end. Returns the count of each call.
async fn replay(api: &Api, webhook: WebhookId, range: &Value) -> Vec<u64> {
    let (mut counts, mut input) = (Vec::new(), range.clone());
    loop {
        let response = api
            .post(&format!("webhooks/{webhook}/replay"), input.clone())
            .await
            .expect(202);
        counts.push(response["count"].as_u64().expect("a count"));
        let Some(cursor) = response["next_cursor"].as_str() else {
            return counts;
        };
        assert!(counts.len() < 100, "the replay does not end");
        input["cursor"] = cursor.into();
    }
}

/// The events queued for delivery.
fn queued(api: &Api) -> Vec<EventId> {
    let state = api.fake.state();
    let messages = state.queues.on(Name::Deliveries);
    let read = |text: &str| {
        serde_json::from_str::<DeliveryTask>(text)
            .expect("a message")
            .delivery
            .event
    };
    messages.iter().map(|message| read(&message.body)).collect()
}

fn distinct(ids: Vec<EventId>) -> BTreeSet<EventId> {
    let (count, distinct) = (ids.len(), ids.into_iter().collect::<BTreeSet<_>>());
    assert_eq!(distinct.len(), count, "no duplicates");
    distinct
}

#[tokio::test]
async fn replay_requeues_failed_deliveries_once_in_batches_of_500() {
    let api = Api::new().await;
    let (one, other) = (
        api.message_webhook(json!({})).await,
        api.message_webhook(json!({"name": "other"})).await,
    );
    let events = ids(602, 60);
    for id in &events {
        api.event(*id, json!({}), &[one, other]).await;
        api.failed(DeliveryId {
            event: *id,
            webhook: one,
        })
        .await;
    }
    api.failed(DeliveryId {
        event: events[0],
        webhook: other,
    })
    .await;
    assert_eq!(
        replay(&api, one, &json!({"status": "succeeded"})).await,
        [0]
    );

    let range =
        json!({"since": events[601].made_at(), "until": events[1].made_at(), "status": "failed"});
    let counts = replay(&api, one, &range).await;
    assert!(
        counts.iter().all(|count| *count <= 500) && counts.iter().sum::<u64>() == 601,
        "{counts:?}"
    );
    assert_eq!(
        distinct(queued(&api)),
        events[1..].iter().copied().collect()
    );
    let row = api
        .table
        .delivery(DeliveryId {
            event: events[7],
            webhook: one,
        })
        .await
        .expect("read")
        .expect("a row");
    let awaited = row.progress.awaited.expect("a message is awaited");
    assert_eq!((row.status, awaited.id.number), (Status::Retrying, 2));
    assert_eq!(
        replay(&api, one, &range).await.iter().sum::<u64>(),
        0,
        "they are in progress"
    );
}

#[tokio::test]
async fn replay_matches_missed_events_again() {
    let api = Api::new().await;
    let events = ids(40, 60);
    let got = random();
    for (n, id) in events.iter().enumerate() {
        api.event(
            *id,
            json!({"n": n}),
            if n % 2 == 0 {
                &[]
            } else {
                std::slice::from_ref(&got)
            },
        )
        .await;
    }
    let conditions = json!({"field": "n", "op": "lt", "value": 30});
    let late = api.message_webhook(json!({"conditions": conditions})).await;
    api.event(events[3], json!({}), &[]).await;
    let counts = replay(&api, late, &json!({"status": "missed"})).await;
    assert_eq!(counts.iter().sum::<u64>(), 30);
    assert_eq!(
        distinct(queued(&api)),
        events[..30].iter().copied().collect()
    );
    assert_eq!(
        replay(&api, late, &json!({"status": "missed"}))
            .await
            .iter()
            .sum::<u64>(),
        0,
        "it is not repeated"
    );
    let deliveries = api
        .all(&format!("deliveries?event_id={}", events[1]), 10)
        .await;
    let webhooks: Vec<&Value> = deliveries
        .iter()
        .map(|delivery| &delivery["webhook_id"])
        .collect();
    assert_eq!(
        webhooks,
        [&json!(got), &json!(late)],
        "the event names it now"
    );
    let of_late = api
        .all(
            &format!("deliveries?webhook_id={late}&status=retrying"),
            100,
        )
        .await;
    assert_eq!(of_late.len(), 30);
}

#[tokio::test]
async fn invalid_replay_is_rejected_and_queues_nothing() {
    let api = Api::new().await;
    let hook = api.message_webhook(json!({})).await;
    let path = format!("webhooks/{hook}/replay");
    for (input, pointer) in [
        (json!({"status": "pending"}), "/status"),
        (json!({"since": "yesterday"}), "/since"),
        (json!({"until": 5}), "/until"),
        (json!({"limit": 5}), "/limit"),
    ] {
        assert_eq!(
            api.post(&path, input).await.expect(422)["errors"][0]["pointer"],
            pointer
        );
    }
    api.post(&path, json!({"cursor": "forged"}))
        .await
        .expect(400);
    let events = ids(501, 60);
    for id in &events {
        api.event(*id, json!({}), &[hook]).await;
        api.failed(DeliveryId {
            event: *id,
            webhook: hook,
        })
        .await;
    }
    let first = api.post(&path, json!({})).await.expect(202);
    let cursor = first["next_cursor"].as_str().expect("more follow");
    api.post(&path, json!({"cursor": cursor, "status": "blocked"}))
        .await
        .expect(400);
    let other = api.message_webhook(json!({"name": "other"})).await;
    api.post(
        &format!("webhooks/{other}/replay"),
        json!({"cursor": cursor}),
    )
    .await
    .expect(400);
    let off = api
        .message_webhook(json!({"name": "off", "enabled": false}))
        .await;
    api.post(&format!("webhooks/{off}/replay"), json!({}))
        .await
        .expect(409);
}

#[tokio::test]
async fn retry_and_replay_keep_the_hops_of_their_request() {
    let api = Api::new().await;
    let one = api.message_webhook(json!({})).await;
    let events = ids(3, 60);
    for (id, matches) in events.iter().zip([&[one][..], &[one], &[]]) {
        api.event(*id, json!({}), matches).await;
    }
    for event in [events[0], events[1]] {
        api.failed(DeliveryId {
            event,
            webhook: one,
        })
        .await;
    }
    let retry = format!(
        "deliveries/{}/retry",
        DeliveryId {
            event: events[0],
            webhook: one
        }
    );
    api.post_after(2, &retry, Value::Null).await.expect(202);
    let replay = format!("webhooks/{one}/replay");
    for (hops, status) in [(1, "failed"), (2, "missed")] {
        assert_eq!(
            api.post_after(hops, &replay, json!({"status": status}))
                .await
                .expect(202)["count"],
            1
        );
    }
    let hops = |id: &EventId| {
        let state = api.fake.state();
        let messages = state.queues.on(Name::Deliveries);
        let mut messages = messages
            .iter()
            .map(|text| serde_json::from_str::<DeliveryTask>(&text.body).expect("a message"));
        messages
            .find(|message| message.delivery.event == *id)
            .expect("queued")
            .hops
    };
    assert_eq!(events.iter().map(hops).collect::<Vec<_>>(), [2, 1, 2]);
    for path in [&retry, &replay] {
        api.post_after(3, path, Value::Null).await.expect(508);
    }
}

fn random() -> WebhookId {
    platform::random::id()
}

#[tokio::test]
async fn delivery_pending_over_an_hour_can_be_retried_and_replayed() {
    let api = Api::new().await;
    let one = api.message_webhook(json!({})).await;
    let events = ids(4, 60);
    for id in &events {
        api.event(*id, json!({}), &[one]).await;
    }
    let retry = |event: EventId| {
        format!(
            "deliveries/{}/retry",
            DeliveryId {
                event,
                webhook: one
            }
        )
    };
    api.post(&retry(events[0]), Value::Null).await.expect(409);
    assert_eq!(
        replay(&api, one, &json!({"status": "missed"})).await,
        [0],
        "all of them may be in progress"
    );

    // Three were dispatched more than an hour ago.
    {
        let mut state = api.fake.state();
        for event in &events[1..] {
            let found =
                state.table.items().iter().find(|(key, _)| {
                    key.1 == event.ulid().to_string() && key.0.starts_with("events#")
                });
            let mut item = json!(found.expect("an event").1);
            let at = platform::clock::now() - jiff::SignedDuration::from_mins(61);
            item["dispatched_at"] = json!({"S": at.to_string()});
            state.table.seed(item);
        }
    }
    let again = api.post(&retry(events[1]), Value::Null).await.expect(202);
    assert_eq!(
        (&again["status"], &again["attempt_count"]),
        (&json!("retrying"), &json!(0))
    );
    assert_eq!(distinct(queued(&api)), [events[1]].into());
    assert_eq!(replay(&api, one, &json!({"status": "missed"})).await, [2]);
    assert_eq!(
        distinct(queued(&api)),
        events[1..].iter().copied().collect()
    );
    assert_eq!(
        replay(&api, one, &json!({"status": "missed"})).await,
        [0],
        "they have rows now"
    );
}
