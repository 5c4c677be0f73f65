//! Custom event types, newest first, then the built-in ones.

use jiff::SignedDuration;
use platform::clock;
use serde_json::json;

use crate::api::{Api, texts};

#[tokio::test]
async fn custom_types_are_listed_newest_first_before_built_in_ones() {
    let api = Api::new().await;
    let built_in = texts(&api.all("event-types", 100).await, "name");
    let mut expected = Vec::new();
    let now = clock::now();
    // Together more than one page of DynamoDB.
    for n in 0..80 {
        let name = format!("{}.n{n}", ["b", "z", "a", "m"][n % 4]);
        let made = api.post(
            "event-types",
            json!({"name": name, "example": {"text": "x".repeat(16_000)}}),
        );
        let at = now + SignedDuration::from_secs(i64::try_from(n).expect("small"));
        clock::at(at, made).await.expect(201);
        expected.insert(0, name);
    }
    expected.extend(built_in);
    for limit in [1, 3, 79, 80, 81, 100] {
        assert_eq!(
            texts(&api.all("event-types", limit).await, "name"),
            expected,
            "{limit}"
        );
    }
    let refused = api.post(
        "webhooks",
        json!({"name": "W", "url": "https://example.com/", "events": ["b.n00", "a.n78x"]}),
    );
    let refused = refused.await.expect(422);
    for (index, meant) in ["b.n0", "a.n78"].into_iter().enumerate() {
        let detail = refused["errors"][index]["detail"]
            .as_str()
            .unwrap_or_default();
        assert!(
            detail.contains(&format!("Did you mean `{meant}`?")),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn example_over_16_kib_is_rejected() {
    let api = Api::new().await;
    let new = |length: usize| json!({"name": "a.b", "example": {"text": "x".repeat(length)}});
    let refused = api.post("event-types", new(16 * 1024)).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/example");
    let most = 16 * 1024 - r#"{"text":""}"#.len();
    api.post("event-types", new(most)).await.expect(201);
    assert_eq!(
        api.get("event-types/a.b").await.expect(200)["example"]["text"],
        "x".repeat(most)
    );
}
