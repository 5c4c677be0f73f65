//! Reads of delivery lists, and the part of a long history that is shown.

use domain::id::{DeliveryId, EventId, WebhookId, WebhookKind};
use platform::random;
use serde_json::{Value, json};
use tests::fake::Call;

use crate::api::{Api, attempt, ids, texts};

fn webhooks(count: usize) -> Vec<WebhookId> {
    (0..count).map(|_| random::id::<WebhookKind>()).collect()
}

async fn events(api: &Api, count: usize, webhooks: &[WebhookId]) -> Vec<EventId> {
    let ids = ids(count, 60);
    for id in &ids {
        api.event(*id, json!({}), webhooks).await;
    }
    ids
}

fn deliveries(events: &[EventId], webhooks: &[WebhookId]) -> Vec<String> {
    let of = |event: &EventId| {
        webhooks
            .iter()
            .map(|webhook| {
                DeliveryId {
                    event: *event,
                    webhook: *webhook,
                }
                .to_string()
            })
            .collect::<Vec<_>>()
    };
    events.iter().flat_map(of).collect()
}

/// The number of deliveries that a call reads by key.
fn deliveries_read(call: &Call) -> usize {
    let keys = &call.request["RequestItems"]["table"]["Keys"];
    keys.to_string().matches(r#""deliveries#"#).count()
}

#[tokio::test]
async fn page_may_split_an_event_and_reads_only_its_rows() {
    let api = Api::new().await;
    let webhooks = webhooks(7);
    let events = events(&api, 3, &webhooks).await;
    for id in [&events[0], &events[2]] {
        api.failed(DeliveryId {
            event: *id,
            webhook: webhooks[3],
        })
        .await;
    }
    for limit in [1, 4, 7, 21] {
        api.fake.state().calls.clear();
        assert_eq!(
            texts(&api.all("deliveries", limit).await, "id"),
            deliveries(&events, &webhooks),
            "{limit}"
        );
        let state = api.fake.state();
        let most = state.calls.iter().map(deliveries_read).max();
        assert!(most <= Some(limit), "{most:?} of {limit}");
    }
    let of_one = api
        .all(&format!("deliveries?event_id={}", events[1]), 3)
        .await;
    assert_eq!(texts(&of_one, "id"), deliveries(&events[1..2], &webhooks));
    let since = events[1].made_at();
    assert!(
        api.all(
            &format!("deliveries?event_id={}&since={since}", events[2]),
            3
        )
        .await
        .is_empty()
    );
}

#[tokio::test]
async fn delivery_without_a_row_is_listed_as_pending() {
    let api = Api::new().await;
    let created = api
        .post(
            "webhooks",
            json!({"name": "a", "url": "https://example.com/", "events": ["chat"]}),
        )
        .await;
    let webhook: WebhookId = created.expect(201)["id"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an id");
    let events = events(&api, 5, &[random::id(), webhook]).await;
    api.failed(DeliveryId {
        event: events[2],
        webhook,
    })
    .await;
    let pending = api
        .all(
            &format!("deliveries?webhook_id={webhook}&status=pending"),
            2,
        )
        .await;
    let expected: Vec<String> = [0, 1, 3, 4].map(|n: usize| events[n].to_string()).into();
    assert_eq!(texts(&pending, "event_id"), expected);
    for limit in [1, 2, 4, 5, 100] {
        let all = api
            .all(&format!("deliveries?webhook_id={webhook}"), limit)
            .await;
        assert_eq!(
            texts(&all, "event_id"),
            events.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "{limit}"
        );
        let statuses = texts(&all, "status");
        assert_eq!(
            statuses,
            ["pending", "pending", "failed", "pending", "pending"],
            "{limit}"
        );
    }
    let (since, until) = (events[3].made_at(), events[1].made_at());
    let some = api
        .all(
            &format!("deliveries?webhook_id={webhook}&since={since}&until={until}"),
            2,
        )
        .await;
    assert_eq!(
        texts(&some, "event_id"),
        [1, 2, 3].map(|n: usize| events[n].to_string())
    );
    let both = api
        .all(
            &format!("deliveries?webhook_id={webhook}&event_id={}", events[2]),
            2,
        )
        .await;
    assert_eq!(texts(&both, "status"), ["failed"]);
}

/// Stores attempts 2 to `last` of a delivery, each with the response `body`.
fn history(api: &Api, id: DeliveryId, last: u32, body: &str) {
    let mut state = api.fake.state();
    for number in 2..=last {
        let attempt = attempt(number, id.event.made_at(), body);
        let item: Value = json!({
            "pk": {"S": format!("attempts#{id}")},
            "sk": {"S": format!("{number:010}")},
            "number": {"N": number.to_string()},
            "at": {"S": attempt.at.to_string()},
            "duration_ms": {"N": "5"},
            "status_code": {"N": "500"},
            "request": {"M": {"method": {"S": "POST"}, "url": {"S": attempt.request.url}}},
            "response_body": {"S": body},
            "missing_tags": {"L": []},
        });
        state.table.seed(item);
    }
    let row = state
        .table
        .items()
        .iter()
        .find(|(key, _)| key.0.starts_with("deliveries#"));
    let mut row = Value::Object(row.expect("a row").1.clone());
    row["last"]["M"]["number"]["N"] = last.to_string().into();
    state.table.seed(row);
}

async fn shown(body: &str, last: u32) -> Vec<Value> {
    let api = Api::new().await;
    let webhook: WebhookId = random::id();
    let event = events(&api, 1, &[webhook]).await[0];
    let id = DeliveryId { event, webhook };
    api.failed(id).await;
    history(&api, id, last, body);
    let delivery = api.get(&format!("deliveries/{id}")).await.expect(200);
    delivery["attempts"].as_array().expect("attempts").clone()
}

#[tokio::test]
async fn long_history_shows_the_newest_attempts_in_full() {
    for (body, last, full) in [
        ("x", 300, 200..300),
        ("\"", 90, 50..100),
        ("\u{1}", 60, 20..50),
    ] {
        let attempts = shown(&body.repeat(16 * 1024), last).await;
        let numbers: Vec<u64> = attempts
            .iter()
            .map(|attempt| attempt["number"].as_u64().expect("a number"))
            .collect();
        assert!(numbers.iter().copied().eq(1..=last.into()), "{numbers:?}");
        let shown = attempts
            .iter()
            .rev()
            .take_while(|attempt| attempt["response_body"].is_string())
            .count();
        assert!(full.contains(&shown), "{shown}");
        assert!(
            attempts
                .iter()
                .rev()
                .skip(shown)
                .all(|attempt| attempt["response_body"].is_null())
        );
    }
    let attempts = shown("small", 49).await;
    assert!(
        attempts.len() == 49
            && attempts
                .iter()
                .all(|attempt| attempt["response_body"].is_string())
    );
}

async fn etag(api: &Api, path: &str) -> String {
    let response = api.get(path).await;
    response.header("etag").to_owned()
}

#[tokio::test]
async fn event_and_delivery_have_etags() {
    let api = Api::new().await;
    let webhook: WebhookId = random::id();
    let event = events(&api, 1, &[webhook]).await[0];
    let id = DeliveryId { event, webhook };
    for path in [format!("events/{event}"), format!("deliveries/{id}")] {
        let before = etag(&api, &path).await;
        assert!(
            before.starts_with('"') && before.ends_with('"') && before.len() > 10,
            "{before}"
        );
        assert_eq!(etag(&api, &path).await, before);
    }
    let before = [
        etag(&api, &format!("events/{event}")).await,
        etag(&api, &format!("deliveries/{id}")).await,
    ];
    api.failed(id).await;
    let after = [
        etag(&api, &format!("events/{event}")).await,
        etag(&api, &format!("deliveries/{id}")).await,
    ];
    assert!(
        before
            .iter()
            .zip(&after)
            .all(|(before, after)| before != after),
        "{before:?} {after:?}"
    );
}

#[tokio::test]
async fn status_filter_finds_deliveries_of_every_release() {
    let api = Api::new().await;
    let webhooks = webhooks(3);
    let events = events(&api, 6, &webhooks).await;
    for event in &events {
        for webhook in &webhooks {
            api.failed(DeliveryId {
                event: *event,
                webhook: *webhook,
            })
            .await;
        }
    }
    {
        let mut state = api.fake.state();
        let rows = state
            .table
            .items()
            .iter()
            .filter(|(key, _)| key.0.starts_with("deliveries#"));
        let rows: Vec<Value> = rows.map(|(_, item)| json!(item)).collect();
        for (n, mut row) in rows.into_iter().enumerate().filter(|(n, _)| n % 2 == 0) {
            let row = row.as_object_mut().expect("an item");
            assert!(row.remove("status_pk").is_some() && !row.contains_key("list_pk"));
            let sort_key = row.remove("status_sk").expect("in the index");
            row.insert(
                "list_pk".to_owned(),
                json!({"S": format!("delivery#failed#{}", n % 4)}),
            );
            row.insert("list_sk".to_owned(), sort_key);
            state.table.seed(row.clone().into());
        }
    }
    for limit in [1, 5, 18, 100] {
        let listed = texts(
            &api.all("deliveries?status=failed", limit).await,
            "event_id",
        );
        let expected: Vec<String> = events
            .iter()
            .flat_map(|event| [event, event, event])
            .map(ToString::to_string)
            .collect();
        assert_eq!(listed, expected, "{limit}");
    }
}

#[tokio::test]
async fn unreadable_row_is_omitted_from_lists() {
    let api = Api::new().await;
    let webhook = webhooks(1)[0];
    let events = events(&api, 3, &[webhook]).await;
    for event in &events {
        api.failed(DeliveryId {
            event: *event,
            webhook,
        })
        .await;
    }
    for name in ["one", "two"] {
        let document = json!({"name": name, "url": "https://example.com/", "events": ["chat"]});
        api.post("webhooks", document).await.expect(201);
    }
    {
        let mut state = api.fake.state();
        let damaged = |key: &str, index: usize| {
            let item = state
                .table
                .items()
                .iter()
                .filter(|(found, _)| found.0.starts_with(key))
                .nth(index);
            json!(item.expect("an item").1)
        };
        let mut items = [
            damaged("deliveries#", 1),
            damaged("events#", 2),
            damaged("webhook#", 0),
        ];
        items[0]["status"] = json!({"S": "of the future"});
        items[1]["data"] = json!({"S": "{"});
        items[2]["sealed"] = json!({"S": "no seal"});
        for item in items {
            state.table.seed(item);
        }
    }
    assert_eq!(api.all("deliveries?status=failed", 10).await.len(), 2);
    assert_eq!(api.all("events", 10).await.len(), 2);
    assert_eq!(api.all("webhooks", 10).await.len(), 1);
}
