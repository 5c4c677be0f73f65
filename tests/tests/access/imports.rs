//! Imports of campaigns: at the same time, cut short, and refused.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::{
    client::Response,
    fake::{
        Fake, FaultPlan,
        system::{System, allow},
    },
    fixture::Api,
};

async fn start() -> (System, Api) {
    let system = System::new(&platform::egress::Egress::new(allow())).await;
    let (api, _) = Api::of_admin(&system.fake, system.time()).await;
    // So that calls which begin together stay in step: the keyring is read, and the token's use
    // noted.
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

/// What an answer lists, such as `campaign Spring`.
fn listed(reply: &Response, list: &str) -> BTreeSet<String> {
    let entries = reply.body[list].as_array().into_iter().flatten();
    let text = |entry: &Value, field: &str| entry[field].as_str().expect("text").to_owned();
    entries
        .map(|entry| format!("{} {}", text(entry, "type"), text(entry, "name")))
        .collect()
}

/// The names of the campaigns and providers that are there. Each has its name to itself, is in its
/// place, and a provider's row counts the campaigns that name it.
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
        "campaigns name providers that are not there: {uses:?}"
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

/// The bundle of a campaign of this name that names no providers.
fn alone(name: &str) -> Value {
    json!({"format": "tieline.campaign/1", "campaign": {"name": name}, "providers": []})
}

#[tokio::test]
async fn second_of_two_concurrent_imports_sees_the_first() {
    let all = ["campaign Spring", "provider Mail", "provider Text"].as_slice();
    for (bundle, names) in [(bundle(), all), (alone("Spring"), &all[..1])] {
        for mode in ["fail", "reuse", "rename"] {
            let (system, api) = start().await;
            let other = api.clone();
            let (one, two) = tokio::join!(
                import_of(&api, bundle.clone(), mode),
                import_of(&other, bundle.clone(), mode)
            );
            let (first, second) = if listed(&one, "created").is_empty() {
                (two, one)
            } else {
                (one, two)
            };
            let own: BTreeSet<String> = names.iter().copied().map(str::to_owned).collect();
            assert_eq!(
                (first.status, listed(&first, "created")),
                (200, own.clone())
            );
            let mut expected = own.clone();
            match mode {
                "reuse" => assert_eq!((second.status, listed(&second, "reused")), (200, own)),
                "rename" => {
                    expected.extend(own.iter().map(|name| format!("{name} (2)")));
                    assert_eq!(
                        (second.status, listed(&second, "renamed")),
                        (200, &expected - &own)
                    );
                }
                _ => {
                    assert_eq!(second.status, 409, "{}", second.body);
                    let detail = second.body["detail"].as_str().expect("a detail");
                    assert!(
                        own.iter().all(|name| detail.contains(&name[9..])),
                        "{detail}"
                    );
                }
            }
            assert_eq!(whole(&system.fake), expected, "{mode}");
            let audit = api.call("GET", "/v1/audit", Value::Null).await;
            let entries = audit.body["data"].as_array().expect("data").iter();
            let created = ["campaign.created", "provider.created"].map(Value::from);
            let count = entries
                .filter(|entry| created.contains(&entry["action"]))
                .count();
            assert_eq!(count, expected.len(), "the audit log has an entry for each");
        }
    }
}

#[tokio::test]
async fn concurrent_provider_change_keeps_the_campaign_count() {
    let mut outcomes = BTreeSet::new();
    for (method, path) in [
        ("PATCH", ""),
        ("PATCH", "/import"),
        ("DELETE", ""),
        ("DELETE", "/import"),
    ] {
        // However far the one is when the other begins.
        for ahead in 0..12 {
            let (system, api) = start().await;
            let spring = import(&api, "fail").await;
            let [text, _, campaign] = [0, 1, 2].map(|at| spring.body["created"][at]["id"].clone());
            api.call(
                "DELETE",
                &format!("/v1/campaigns/{}", campaign.as_str().expect("an id")),
                Value::Null,
            )
            .await;
            let provider = format!("/v1/providers/{}", text.as_str().expect("an id"));
            let summer = if path.is_empty() {
                json!({"name": "Summer", "sms_provider_id": text})
            } else {
                let mut bundle = bundle();
                bundle["campaign"]["name"] = json!("Summer");
                json!({"bundle": bundle, "on_conflict": "reuse"})
            };
            let change = async {
                for _ in 0..ahead {
                    tokio::task::yield_now().await;
                }
                let body = if method == "PATCH" {
                    json!({"provider_id": "other"})
                } else {
                    Value::Null
                };
                api.call(method, &provider, body).await
            };
            let campaigns = format!("/v1/campaigns{path}");
            let (changed, created) = tokio::join!(change, api.call("POST", &campaigns, summer));
            let there = whole(&system.fake);
            assert_eq!(
                there.contains("campaign Summer"),
                created.status < 300,
                "{}",
                created.body
            );
            outcomes.insert((method, changed.status, path, created.status));
        }
    }
    let expected = [
        ("DELETE", 204, "", 409),
        ("DELETE", 204, "/import", 200),
        ("DELETE", 409, "", 201),
        ("DELETE", 409, "/import", 200),
        ("PATCH", 200, "", 201),
        ("PATCH", 200, "/import", 200),
    ];
    assert_eq!(outcomes, BTreeSet::from(expected));
}

#[tokio::test]
async fn crashed_import_is_all_or_nothing() {
    let mut outcomes = BTreeSet::new();
    for fault in [
        FaultPlan::CrashBefore,
        FaultPlan::CrashAfter,
        FaultPlan::ResponseLost,
        FaultPlan::Fails("ResourceNotFoundException"),
    ] {
        for at in 0.. {
            let (system, api) = start().await;
            system.begin_count();
            system.fake.plan(move |call| {
                if call.index == at {
                    fault
                } else {
                    FaultPlan::Answered
                }
            });
            let crash = system.fake.crash();
            let answered = tokio::select! {
                reply = import(&api, "fail") => Some(reply.status),
                () = crash.notified() => None,
            };
            let calls = system.fake.state().calls.len();
            system.fake.plan(|_| FaultPlan::Answered);
            let made = whole(&system.fake).len();
            assert!([0, 3].contains(&made), "{fault:?} at call {at}: {made}");
            outcomes.insert((answered, made));
            let status = if made == 0 { 200 } else { 409 };
            assert_eq!(
                import(&api, "fail").await.status,
                status,
                "{fault:?} at call {at}"
            );
            assert_eq!(whole(&system.fake).len(), 3);
            if calls <= at {
                break;
            }
        }
    }
    assert_eq!(
        outcomes,
        BTreeSet::from([(None, 0), (None, 3), (Some(200), 3), (Some(500), 0)])
    );
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
        assert!(refused.body.to_string().len() < 1_000, "a short answer");
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
