//! Limits: an event matches at most 1,000 webhooks, whatever its type and their patterns, and a 422
//! lists at most 100 errors.

use domain::id::WebhookKind;
use platform::random;
use serde_json::{Value, json};

use tests::client::Response;

use crate::api::Api;

/// Subscribes this many webhooks to a pattern.
fn subscribe(api: &Api, pattern: &str, count: usize) {
    let mut state = api.fake.state();
    for _ in 0..count {
        let webhook = random::id::<WebhookKind>().to_string();
        let item = json!({
            "pk": {"S": format!("subscription#{pattern}")},
            "sk": {"S": webhook},
            "webhook_id": {"S": webhook},
        });
        state.table.seed(item);
    }
}

async fn webhook(api: &Api, pattern: &str) -> Response {
    let name = random::id::<WebhookKind>().to_string();
    api.post(
        "webhooks",
        json!({"name": name, "url": "https://example.com/", "events": [pattern]}),
    )
    .await
}

#[tokio::test]
async fn wildcards_count_against_undefined_types() {
    let api = Api::new().await;
    api.post("event-types", json!({"name": "a"}))
        .await
        .expect(201);
    subscribe(&api, "a.*", 1_000);
    for pattern in ["a.*", "a.b.*"] {
        let refused: Value = webhook(&api, pattern).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], "/events", "{pattern}");
    }
    webhook(&api, "a").await.expect(201);
    webhook(&api, "*").await.expect(201);
}

#[tokio::test]
async fn custom_types_count_webhooks_by_name_and_by_wildcard() {
    let api = Api::new().await;
    api.post("event-types", json!({"name": "c.d"}))
        .await
        .expect(201);
    subscribe(&api, "c.d", 999);
    webhook(&api, "c.*").await.expect(201);
    for pattern in ["c.*", "*", "c.d"] {
        webhook(&api, pattern).await.expect(422);
    }
    // Before a type exists, only its creation can check this.
    subscribe(&api, "e.f", 600);
    subscribe(&api, "e.*", 400);
    api.post("event-types", json!({"name": "e.f"}))
        .await
        .expect(201);
    subscribe(&api, "g.h", 601);
    subscribe(&api, "g.*", 400);
    api.post("event-types", json!({"name": "g.h"}))
        .await
        .expect(409);
}

#[tokio::test]
async fn validation_problem_lists_at_most_a_hundred_errors() {
    let api = Api::new().await;
    let unknown: serde_json::Map<String, Value> = (0..15_000)
        .map(|index| (format!("f{index}"), json!(0)))
        .collect();
    for path in [
        "webhooks",
        "providers",
        "services",
        "accounts",
        "campaigns",
        "messages",
        "events",
    ] {
        let refused = api.post(path, unknown.clone().into()).await.expect(422);
        let errors = refused["errors"].as_array().expect("errors");
        assert_eq!(errors.len(), 100, "{path}");
        assert!(
            errors[99]["detail"]
                .as_str()
                .is_some_and(|detail| detail.ends_with("more errors are not listed"))
        );
        assert!(refused.to_string().len() < 32 * 1024, "{path}");
    }
    // The pointers repeat a long name.
    let bundle = json!({"secrets": {"n".repeat(50_000): unknown}});
    let refused = api.post("campaigns/import", bundle).await.expect(422);
    assert!(refused.to_string().len() < 512 * 1024);
}
