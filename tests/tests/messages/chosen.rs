//! Selection of the provider. A channel has at most one default.

use std::collections::BTreeSet;

use futures::future::{join, join_all};
use serde_json::{Value, json};

use crate::api::{Api, egress, sms};

/// The provider of a message that names none, or the error.
async fn chosen(api: &Api) -> String {
    let mut message = sms("");
    message["provider"] = Value::Null;
    let reply = api.call("POST", "/v1/messages", message).await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    if reply.status == 202 {
        text(&reply.body["provider"])
    } else {
        text(&reply.body["errors"][0]["detail"])
    }
}

/// The names of the providers shown as default. The channel's default must agree.
async fn defaults(api: &Api) -> Vec<String> {
    let list = api
        .call("GET", "/v1/providers?channel=sms", Value::Null)
        .await
        .expect(200);
    let all = list["data"]
        .as_array()
        .expect("data")
        .iter()
        .filter(|provider| provider["default"] == true);
    let (ids, names): (Vec<String>, Vec<String>) = all
        .map(|provider| {
            (
                provider["id"].to_string(),
                provider["name"].as_str().expect("a name").to_owned(),
            )
        })
        .unzip();
    let state = api.system.fake.state();
    let place = state
        .table
        .items()
        .get(&("channel#sms".to_owned(), "default".to_owned()))
        .map(|item| json!(item));
    assert_eq!(
        place
            .map(|place| place["id"]["S"].to_string())
            .into_iter()
            .collect::<Vec<_>>(),
        ids
    );
    names
}

async fn patch(api: &Api, provider: &Value, change: Value) -> Value {
    let path = format!("/v1/providers/{}", provider["id"].as_str().expect("an id"));
    api.call("PATCH", &path, change).await.expect(200)
}

async fn delete(api: &Api, provider: &Value) {
    let path = format!("/v1/providers/{}", provider["id"].as_str().expect("an id"));
    api.call("DELETE", &path, Value::Null).await.expect(204);
}

#[tokio::test]
async fn default_moves_to_another_provider() {
    let api = Api::new(&egress()).await;
    assert_eq!(chosen(&api).await, "no provider is configured for sms");
    let only = api.provider("only", json!({})).await;
    api.provider("mail", json!({"channel": "email", "default": true}))
        .await;
    assert_eq!(chosen(&api).await, "only");
    let first = api.provider("first", json!({"default": true})).await;
    assert_eq!(chosen(&api).await, "first");
    let second = api.provider("second", json!({"default": true})).await;
    assert_eq!(
        (chosen(&api).await.as_str(), defaults(&api).await),
        ("second", vec!["second".to_owned()])
    );
    patch(&api, &first, json!({"default": true})).await;
    assert_eq!(
        (chosen(&api).await.as_str(), defaults(&api).await),
        ("first", vec!["first".to_owned()])
    );
    // Other changes don't affect the default.
    patch(&api, &second, json!({"provider_id": "other"})).await;
    patch(&api, &first, json!({"name": "renamed"})).await;
    assert_eq!(
        (chosen(&api).await.as_str(), defaults(&api).await),
        ("renamed", vec!["renamed".to_owned()])
    );
    patch(&api, &first, json!({"default": false})).await;
    assert!(
        chosen(&api)
            .await
            .starts_with("is required: there are several"),
        "{}",
        chosen(&api).await
    );
    patch(&api, &second, json!({"default": true})).await;
    delete(&api, &second).await;
    assert_eq!(defaults(&api).await, Vec::<String>::new());
    delete(&api, &only).await;
    assert_eq!(chosen(&api).await, "renamed");
    delete(&api, &first).await;
    assert_eq!(chosen(&api).await, "no provider is configured for sms");
    // The audit log names the provider that is no longer the default.
    let log = api
        .call("GET", "/v1/audit?limit=100", Value::Null)
        .await
        .expect(200);
    let lost = log["data"].as_array().expect("data").iter();
    let lost = lost
        .filter(|entry| entry["changes"] == json!(["default"]) && entry["resource"] == first["id"]);
    // The second one took it, the first took it back, and finally gave it up.
    assert_eq!(lost.count(), 3);
}

#[tokio::test]
async fn names_and_ids_are_case_insensitive() {
    let api = Api::new(&egress()).await;
    let provider = api.provider("Main-Office", json!({})).await;
    api.provider("other", json!({"default": true})).await;
    for wanted in [
        "main-office",
        "MAIN-OFFICE",
        " Main-Office ",
        provider["id"].as_str().expect("an id"),
    ] {
        let sent = api
            .call("POST", "/v1/messages", sms(wanted))
            .await
            .expect(202);
        assert_eq!(sent["provider_id"], provider["id"], "{wanted}");
    }
}

#[tokio::test]
async fn concurrent_defaults_leave_one() {
    let api = Api::new(&egress()).await;
    let mut providers = Vec::new();
    for n in 0..4 {
        providers.push(api.provider(&format!("p{n}"), json!({})).await);
    }
    for round in 0..4 {
        let all = providers
            .iter()
            .map(|provider| patch(&api, provider, json!({"default": true})));
        let one = patch(&api, &providers[round], json!({"default": round % 2 == 0}));
        join(join_all(all), one).await;
        let found: BTreeSet<String> = defaults(&api).await.into_iter().collect();
        assert!(found.len() <= 1, "{found:?}");
    }
}
