//! Custom event types, newest first, then the built-in ones.

use domain::{audit::Actor, pattern::EventType};
use jiff::SignedDuration;
use platform::{
    clock,
    table::{
        audit,
        event_types::{Created, CustomType},
    },
};
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

/// A release may add a built-in type with the name of a custom one, which can still be deleted.
#[tokio::test]
async fn custom_type_with_the_name_of_a_built_in_one_is_listed_once() {
    let api = Api::new().await;
    let own = CustomType {
        name: EventType::parse("ticket.merged").expect("a type"),
        description: None,
        example: None,
        created_at: clock::now(),
        version: 1,
    };
    let entry = audit::entry(Actor::System, "event_type.created", &own.name, Vec::new());
    let created = api.table.create_event_type(&own, &entry).await;
    assert_eq!(created.expect("written"), Created::Yes);
    let names = texts(&api.all("event-types", 100).await, "name");
    assert_eq!(
        names.iter().filter(|name| *name == "ticket.merged").count(),
        1
    );
    api.delete("event-types/ticket.merged").await.expect(204);
    api.delete("event-types/ticket.merged").await.problem(409);
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
