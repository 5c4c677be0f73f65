//! Pages lose no entry to DynamoDB's limit of 1 MB or Lambda's of 6 MB.

use domain::id::EventId;
use serde_json::{Value, json};

use crate::api::{Api, ids, texts};

/// Events whose data contains this text `count` times, newest first.
async fn events(api: &Api, text: &str, sizes: &[usize], seconds: i64) -> Vec<String> {
    let ids: Vec<EventId> = ids(sizes.len(), seconds);
    for (id, size) in ids.iter().zip(sizes) {
        api.event(*id, json!({"text": text.repeat(*size)}), &[])
            .await;
    }
    ids.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn large_events_are_listed_completely_and_in_order() {
    let api = Api::new().await;
    let expected = events(&api, "x", &[350_000; 20], 60).await;
    for limit in [7, 100] {
        assert_eq!(
            texts(&api.all("events", limit).await, "id"),
            expected,
            "{limit}"
        );
    }
    assert_eq!(
        texts(&api.all("events?type=message", 100).await, "id"),
        expected
    );
    assert!(api.all("events?type=chat", 100).await.is_empty());
}

#[tokio::test]
async fn escaped_text_counts_against_the_page_size() {
    let api = Api::new().await;
    let expected = events(&api, "\"", &[170_000; 8], 60).await;
    assert_eq!(texts(&api.all("events", 100).await, "id"), expected);
}

#[tokio::test]
async fn events_of_many_days_and_shards_are_merged() {
    let api = Api::new().await;
    let sizes: Vec<usize> = (0..30)
        .map(|n| if n % 7 < 3 { 350_000 } else { 10 })
        .collect();
    // Every 6 hours over 7.5 days.
    let expected = events(&api, "x", &sizes, 21_600).await;
    for limit in [5, 30, 100] {
        assert_eq!(
            texts(&api.all("events", limit).await, "id"),
            expected,
            "{limit}"
        );
    }
    let page = api
        .get("events?limit=30&since=2020-01-01T00:00:00Z")
        .await
        .expect(200);
    assert!(page["data"].as_array().expect("data").len() < 30);
    assert!(page["next_cursor"].is_string());
}

#[tokio::test]
async fn last_page_has_no_cursor() {
    let api = Api::new().await;
    let expected = events(&api, "x", &[1; 8], 60).await;
    let page = api.get("events?limit=8").await.expect(200);
    assert_eq!(
        texts(page["data"].as_array().expect("data"), "id"),
        expected
    );
    assert_eq!(page["next_cursor"], Value::Null);
}

#[tokio::test]
async fn page_of_a_busy_day_reads_only_that_day() {
    let api = Api::new().await;
    events(&api, "x", &[1; 60], 0).await;
    api.fake.state().calls.clear();
    api.get("events?limit=10").await.expect(200);
    let queries: usize = api.fake.counts()["Query"];
    assert!(queries <= 4, "{queries}");
}

#[tokio::test]
async fn reversed_time_range_is_empty() {
    let api = Api::new().await;
    events(&api, "x", &[1; 3], 60).await;
    let webhook = platform::random::id::<domain::id::WebhookKind>();
    for list in [
        "events?",
        "audit?",
        "deliveries?",
        &format!("deliveries?webhook_id={webhook}&"),
        "deliveries?status=failed&",
    ] {
        for (since, until) in [
            ("2026-03-01T10:00:00Z", "2026-03-01T09:00:00Z"),
            ("2200-01-01T00:00:00Z", "2200-01-02T00:00:00Z"),
            ("1900-01-01T00:00:00Z", "1900-01-02T00:00:00Z"),
            ("2026-03-01T10:00:00Z", "1900-01-01T00:00:00Z"),
            ("2200-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ] {
            let page = api
                .get(&format!("{list}since={since}&until={until}"))
                .await
                .expect(200);
            assert_eq!(
                page,
                json!({"data": [], "next_cursor": null}),
                "{list} {since} {until}"
            );
        }
    }
}
