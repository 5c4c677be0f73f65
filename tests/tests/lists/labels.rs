//! Webhooks by label.

use serde_json::json;

use crate::api::{Api, texts};

#[tokio::test]
async fn webhooks_are_filtered_by_label() {
    let api = Api::new().await;
    for (name, labels) in [
        ("one", json!(["support", "night"])),
        ("two", json!(["support"])),
        ("three", json!([])),
    ] {
        let webhook = json!({"name": name, "url": "https://example.com/", "events": ["message"], "labels": labels});
        let created = api.post("webhooks", webhook).await.expect(201);
        assert_eq!(created["labels"], labels);
    }
    for (label, names) in [
        ("support", vec!["two", "one"]),
        ("night", vec!["one"]),
        ("Support", vec![]),
    ] {
        let found = api.all(&format!("webhooks?label={label}"), 1).await;
        assert_eq!(texts(&found, "name"), names, "{label}");
    }
    let one = &api.all("webhooks?label=night", 10).await[0];
    let path = format!("webhooks/{}", one["id"].as_str().expect("an ID"));
    let patched = api.patch(&path, json!({"labels": null})).await.expect(200);
    assert_eq!(patched["labels"], json!([]));
}
