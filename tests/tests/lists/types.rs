//! Event types of one's own: newest first, and the built-in ones after them.

use jiff::SignedDuration;
use platform::clock;
use serde_json::json;

use crate::api::{Api, texts};

#[tokio::test]
async fn own_types_come_newest_first_then_the_built_in_ones() {
    let api = Api::new().await;
    let built_in = texts(&api.all("event-types", 100).await, "name");
    let mut expected = Vec::new();
    let now = clock::now();
    for (n, name) in (0..).zip(["b.one", "z.two", "a.three", "m.four"]) {
        let made = api.post("event-types", json!({"name": name, "example": {"text": "x".repeat(200_000)}}));
        clock::at(now + SignedDuration::from_secs(n), made).await.expect(201);
        expected.insert(0, name.to_owned());
    }
    expected.extend(built_in);
    for limit in [1, 3, 4, 5, 100] {
        assert_eq!(texts(&api.all("event-types", limit).await, "name"), expected, "{limit}");
    }
}
