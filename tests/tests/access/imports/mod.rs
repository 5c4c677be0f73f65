//! Imports of campaigns: concurrent, interrupted and rejected.

mod accounts;
mod faults;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::{
    client::Response,
    fake::{
        Fake,
        system::{System, allow},
    },
    fixture::Api,
};

async fn start() -> (System, Api) {
    let system = System::new(&platform::egress::Egress::new(allow())).await;
    let (api, _) = Api::of_admin(&system.fake, system.time()).await;
    // Caches the keyring and records the token's use, so that concurrent calls stay in step.
    api.call("GET", "/v1/campaigns", Value::Null).await;
    (system, api)
}

fn bundle() -> Value {
    let provider = |name: &str, channel: &str| {
        json!({
            "name": name, "provider_id": "gw", "channel": channel, "send_url": "https://gateway.example.com/send",
            "callback": {"id_pointer": "/id", "status_pointer": "/status", "statuses": {"ok": "delivered"}},
        })
    };
    json!({
        "format": "tieline.campaign/1",
        "campaign": {"name": "Spring", "description": null, "sms_provider": "Text", "email_provider": "Mail"},
        "providers": [provider("Text", "sms"), provider("Mail", "email")],
    })
}

async fn import(api: &Api, mode: &str) -> Response {
    import_of(api, bundle(), mode).await
}

async fn import_of(api: &Api, bundle: Value, mode: &str) -> Response {
    api.call(
        "POST",
        "/v1/campaigns/import",
        json!({"bundle": bundle, "on_conflict": mode}),
    )
    .await
}

/// The entries of a list in a response, such as `campaign Spring`.
fn listed(reply: &Response, list: &str) -> BTreeSet<String> {
    let entries = reply.body[list].as_array().into_iter().flatten();
    let text = |entry: &Value, field: &str| entry[field].as_str().expect("text").to_owned();
    entries
        .map(|entry| format!("{} {}", text(entry, "type"), text(entry, "name")))
        .collect()
}

/// The names of the existing campaigns and providers. Checks that each owns its name, is listed,
/// and that a provider's row counts the campaigns that use it.
fn whole(fake: &Fake) -> BTreeSet<String> {
    let state = fake.state();
    let items = state.table.items();
    let field = |item: &serde_json::Map<String, Value>, name: &str| {
        item.get(name)
            .and_then(|value| value["S"].as_str().or(value["N"].as_str()))
            .unwrap_or_default()
            .to_owned()
    };
    let of = |kind: &str| -> Vec<_> {
        items
            .iter()
            .filter(|((_, sk), _)| sk == kind)
            .map(|(_, item)| item)
            .collect()
    };
    let (campaigns, providers) = (of("campaign"), of("provider"));
    let mut uses = BTreeMap::<String, usize>::new();
    let provider_ids = campaigns.iter().flat_map(|item| {
        [
            field(item, "sms_provider_id"),
            field(item, "email_provider_id"),
        ]
    });
    for id in provider_ids.filter(|id| !id.is_empty()) {
        *uses.entry(id).or_default() += 1;
    }
    let mut names = BTreeSet::new();
    for (kind, item) in campaigns
        .iter()
        .map(|item| ("campaign", item))
        .chain(providers.iter().map(|p| ("provider", p)))
    {
        let name = field(item, "name");
        let key = (
            format!("name#{kind}#{}", name.to_lowercase()),
            "name".to_owned(),
        );
        assert_eq!(
            items.get(&key).map(|item| field(item, "id")),
            Some(field(item, "id")),
            "{name}"
        );
        assert!(names.insert(format!("{kind} {name}")), "{name} twice");
    }
    for item in &providers {
        let (id, channel) = (field(item, "id"), field(item, "channel"));
        assert_eq!(
            field(item, "campaigns"),
            uses.remove(&id).unwrap_or(0).to_string(),
            "the campaigns of {id}"
        );
        assert!(
            items.contains_key(&(format!("channel#{channel}"), id)),
            "a member of its channel"
        );
    }
    assert!(
        uses.is_empty(),
        "campaigns use providers that do not exist: {uses:?}"
    );
    let count = |prefix: &str| {
        items
            .keys()
            .filter(|(pk, _)| pk.starts_with(prefix))
            .count()
    };
    assert_eq!(
        count("name#campaign#") + count("name#provider#"),
        names.len()
    );
    assert_eq!(count("inbound#"), providers.len(), "each of them reports");
    names
}

/// The bundle of a campaign with this name and without providers.
fn alone(name: &str) -> Value {
    json!({"format": "tieline.campaign/1", "campaign": {"name": name}, "providers": []})
}

#[tokio::test]
async fn rejected_import_changes_nothing() {
    let (system, api) = start().await;
    assert_eq!(import(&api, "fail").await.status, 200);
    let scopes = ["campaigns:write", "campaigns:read"];
    let limited = api.with_token(&api.credential(&scopes).await.1);
    let campaigns = limited.call("GET", "/v1/campaigns", Value::Null).await;
    let export = format!(
        "/v1/campaigns/{}/export",
        campaigns.body["data"][0]["id"].as_str().expect("an id")
    );
    let writes = system.fake.state().table.writes().len();
    let many: Vec<Value> = (0..10_000)
        .map(|number| json!({"name": number.to_string()}))
        .collect();
    for (path, value, pointer) in [
        ("", Value::Null, "/bundle"),
        ("/format", json!("tieline.campaign/2"), "/bundle/format"),
        ("/format", json!("zip"), "/bundle/format"),
        ("/providers", json!(many), "/bundle/providers"),
        ("/providers", Value::Null, "/bundle/providers"),
        (
            "/providers/1/name",
            json!("Post"),
            "/bundle/campaign/email_provider",
        ),
        (
            "/providers/1/callback",
            json!([]),
            "/bundle/providers/1/callback",
        ),
        (
            "/providers/1/send_url",
            json!("https://169.254.169.254/"),
            "/bundle/providers/1/send_url",
        ),
        (
            "/providers/1/send_url",
            json!("https://gateway.example.com/•••"),
            "/bundle/providers/1/send_url",
        ),
    ] {
        let mut bundle = bundle();
        *bundle.pointer_mut(path).expect("a part of it") = value;
        let body = json!({"bundle": bundle, "on_conflict": "rename"});
        let refused = api.call("POST", "/v1/campaigns/import", body).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{}",
            refused.body
        );
        assert!(refused.body.to_string().len() < 1_000, "a short response");
    }
    assert_eq!(import(&api, "fail").await.status, 409);
    let cases = [
        (limited.call("GET", &export, Value::Null).await, "read"),
        (import(&limited, "rename").await, "write"),
    ];
    for (refused, kind) in cases {
        assert_eq!(
            refused.body["detail"],
            format!("The token lacks the scope providers:{kind}.")
        );
    }
    assert_eq!(
        import(&limited, "reuse").await.status,
        200,
        "there is nothing to create"
    );
    assert_eq!(system.fake.state().table.writes().len(), writes);
}
