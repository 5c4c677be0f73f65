//! Fallback providers: they take the messages that a provider can't send.

use domain::message::{Message, MessageRef, Status};
use serde_json::{Value, json};
use tests::{
    fake::sqs::Name,
    receiver::{Reply, Request},
};

use crate::api::{Api, egress, sms};

fn id(provider: &Value) -> &str {
    provider["id"].as_str().expect("an ID")
}

pub(crate) fn path(provider: &Value) -> String {
    format!("/v1/providers/{}", id(provider))
}

/// Providers with these names, each of which falls back to the next one.
pub(crate) async fn chain(api: &Api, names: &[&str]) -> Vec<Value> {
    let mut providers: Vec<Value> = Vec::new();
    for name in names.iter().rev() {
        let fallback = providers.first().map(|next| next["id"].clone());
        let fields = json!({"fallback_provider_id": fallback, "response": {"id_pointer": "/id"}});
        providers.insert(0, api.provider(name, fields).await);
    }
    providers
}

/// Responds with 500 for these providers, and with an ID for the others.
pub(crate) fn script(api: &Api, down: &'static [&'static str]) {
    api.system.receiver.script(move |request: &Request| {
        if down.contains(&request.name()) {
            return Reply::status(500);
        }
        let body = json!({"id": format!("of-{}", request.name())});
        Reply::status(200).body(body.to_string())
    });
}

/// The message as the API shows it, and the names of its attempts' providers.
pub(crate) async fn shown(api: &Api, id: MessageRef) -> (Value, Vec<String>) {
    let shown = api
        .call("GET", &format!("/v1/messages/{id}"), Value::Null)
        .await;
    let shown = shown.expect(200);
    let attempts = shown["attempts"].as_array().expect("attempts");
    let name = |attempt: &Value| attempt["provider"].as_str().expect("a name").to_owned();
    let names = attempts.iter().map(name).collect();
    (shown, names)
}

/// The types of the events about messages so far, each once.
pub(crate) fn events(api: &Api) -> Vec<String> {
    let mut events: Vec<(String, String)> = api
        .requests("watch")
        .iter()
        .map(|request| {
            let kind = request.json()["type"].as_str().expect("a type").to_owned();
            (request.webhook_id().to_owned(), kind)
        })
        .collect();
    events.sort();
    events.dedup();
    events.into_iter().map(|(_, kind)| kind).collect()
}

async fn watch(api: &Api) {
    api.system
        .webhook("watch", json!({"events": ["sms.*"]}))
        .await;
}

#[tokio::test]
async fn fallback_carries_the_message_when_the_first_provider_is_down() {
    let mut api = Api::new(&egress()).await;
    watch(&api).await;
    let providers = chain(&api, &["first", "second"]).await;
    assert_eq!(providers[0]["fallback_provider_id"], providers[1]["id"]);
    assert_eq!(providers[1]["fallback_provider_id"], Value::Null);
    script(&api, &["first"]);
    let began = api.system.time();
    let message = api.send("first").await;
    api.system.run().await;
    let seconds = |request: &Request| request.at.duration_since(began).as_secs();
    let times = |name: &str| api.requests(name).iter().map(seconds).collect::<Vec<_>>();
    assert_eq!(times("first"), [0, 5, 300, 1_800]);
    assert_eq!(times("second"), [1_800], "at once");
    let sent = api.requests("second").remove(0);
    assert_eq!(sent.webhook_id(), message.to_string(), "the same ID");
    assert_eq!(sent.json()["provider_id"], "second");

    let (view, names) = shown(&api, message).await;
    assert_eq!(names, ["first", "first", "first", "first", "second"]);
    for (attempt, provider) in [(0, &providers[0]), (4, &providers[1])] {
        assert_eq!(view["attempts"][attempt]["provider_id"], provider["id"]);
    }
    let fields = ["status", "provider", "provider_id", "provider_message_id"];
    assert_eq!(
        fields.map(|field| &view[field]),
        [
            &json!("sent"),
            &json!("second"),
            &providers[1]["id"],
            &json!("of-second")
        ]
    );
    let through = format!("/v1/messages?provider_id={}", id(&providers[1]));
    let listed = api.call("GET", &through, Value::Null).await.expect(200);
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));

    // Its reports find the message, by either ID; those of the first provider change nothing.
    for (provider, named, status) in [
        (&providers[0], json!({"ours": message}), Status::Sent),
        (&providers[0], json!({"theirs": "of-second"}), Status::Sent),
        (
            &providers[1],
            json!({"theirs": "of-second"}),
            Status::Delivered,
        ),
    ] {
        let report = json!({
            "callback": {
                "id": named,
                "report": {"status": {"status": "delivered", "provider_status": "done"}},
            },
            "provider": provider["id"],
            "received_at": api.system.time(),
        });
        api.system.put(Name::Deliveries, report.to_string()).await;
        api.system.run().await;
        assert_eq!(api.message(message).await.status, status, "{report}");
    }
    assert_eq!(events(&api), ["sms.sent", "sms.delivered"]);
}

#[tokio::test]
async fn message_fails_once_after_the_third_provider() {
    let mut api = Api::new(&egress()).await;
    watch(&api).await;
    chain(&api, &["first", "second", "third"]).await;
    script(&api, &["first", "second", "third"]);
    let began = api.system.time();
    let id = api.send("first").await;
    api.system.run().await;
    let (view, names) = shown(&api, id).await;
    let expected = ["first", "second", "third"].map(|name| [name; 4]).concat();
    assert_eq!(names, expected);
    assert_eq!(
        (&view["status"], &view["provider"]),
        (&json!("failed"), &json!("third"))
    );
    assert_eq!(events(&api), ["sms.failed"]);
    let last = &api.requests("third")[3];
    assert_eq!(last.at.duration_since(began).as_secs(), 3 * 1_800);
}

/// Checks that the second provider sends the message at once, because of this error of the first.
pub(crate) async fn sent_at_once(api: &mut Api, message: MessageRef, error: &str) {
    let began = api.system.time();
    api.system.run().await;
    let (view, names) = shown(api, message).await;
    assert_eq!(
        (&view["status"], names),
        (
            &json!("sent"),
            vec!["first".to_owned(), "second".to_owned()]
        )
    );
    let blocked = view["attempts"][0]["error"].as_str().expect("an error");
    assert_eq!(blocked, format!("blocked: {error}"));
    let last = api.requests("second").pop().expect("a request");
    assert_eq!(last.at, began, "at once");
    assert_eq!(api.requests("first").len(), 0);
}

#[tokio::test]
async fn blocked_message_goes_on_at_once() {
    let mut api = Api::new(&egress()).await;
    let providers = chain(&api, &["first", "second"]).await;
    let url = format!(
        "{}/{{message.subject}}",
        api.system.receiver.url_of("first")
    );
    let keyed = json!({"send_url": url});
    api.call("PATCH", &path(&providers[0]), keyed)
        .await
        .expect(200);
    let message = api.send("first").await;
    let error = "`{message.subject}` has no value but is part of the URL path";
    sent_at_once(&mut api, message, error).await;
}

#[tokio::test]
async fn message_of_a_deleted_provider_goes_on_at_once() {
    let mut api = Api::new(&egress()).await;
    let providers = chain(&api, &["first", "second"]).await;
    let message = api.send("first").await;
    let deleted = api.call("DELETE", &path(&providers[0]), Value::Null).await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    sent_at_once(&mut api, message, "the provider was deleted").await;
}

#[tokio::test]
async fn message_of_an_unreadable_provider_goes_on_at_once() {
    for (field, has_fallback) in [("sealed", true), ("updated_at", true), ("sealed", false)] {
        let mut api = Api::new(&egress()).await;
        let providers = chain(&api, &["first", "second"]).await;
        if !has_fallback {
            let none = json!({"fallback_provider_id": null});
            api.call("PATCH", &path(&providers[0]), none)
                .await
                .expect(200);
        }
        let message = api.send("first").await;
        {
            let key = (
                format!("provider#{}", id(&providers[0])),
                "provider".to_owned(),
            );
            let mut state = api.system.fake.state();
            let mut item = json!(state.table.items()[&key]);
            item[field] = json!({"S": "damaged"});
            state.table.seed(item);
        }
        if has_fallback {
            let error = "the provider's settings can't be read";
            sent_at_once(&mut api, message, error).await;
        } else {
            api.system.step().await.expect("the task");
            let left = api.system.fake.state().queues.on(Name::Deliveries).len();
            assert_eq!(left, 1, "a later release may be able to read it");
        }
    }
}

#[tokio::test]
async fn fallbacks_that_cannot_send_are_skipped() {
    for (field, damage) in [
        ("expires_at", json!({"N": "1"})),
        ("sealed", json!({"S": "damaged"})),
    ] {
        let mut api = Api::new(&egress()).await;
        watch(&api).await;
        let providers = chain(&api, &["first", "second", "third"]).await;
        script(&api, &["first"]);
        let message = api.send("first").await;
        {
            let key = (
                format!("provider#{}", id(&providers[1])),
                "provider".to_owned(),
            );
            let mut state = api.system.fake.state();
            let mut item = json!(state.table.items()[&key]);
            item[field] = damage;
            state.table.seed(item);
        }
        api.system.run().await;
        let (view, names) = shown(&api, message).await;
        let status = view["status"].as_str().expect("a status");
        if field == "expires_at" {
            // Deleted by an admin while another one made it a fallback. Its own is not known.
            assert_eq!((status, names.len()), ("failed", 4));
            assert_eq!(events(&api), ["sms.failed"]);
        } else {
            assert_eq!((status, names.len()), ("sent", 6));
            assert_eq!(names[4..], ["second", "third"]);
            assert_eq!(events(&api), ["sms.sent"]);
        }
    }
}

/// A message is prepared for the provider that sends it.
#[tokio::test]
async fn sender_and_limits_are_those_of_the_fallback() {
    let mut api = Api::new(&egress()).await;
    let providers = chain(&api, &["first", "second", "third"]).await;
    for (provider, from, limit) in [(0, "+15555550111", 9), (1, "Second", 4), (2, "Third", 9)] {
        let limits = json!({"text": {"max_length": limit}});
        let settings = json!({"from": from, "request": {"limits": limits}});
        let changed = api
            .call("PATCH", &path(&providers[provider]), settings)
            .await;
        changed.expect(200);
    }
    script(&api, &["first"]);
    let default = api.send("first").await;
    let mut explicit = sms("first");
    explicit["from"] = json!("Shop");
    let explicit = api
        .call("POST", "/v1/messages", explicit)
        .await
        .field(202, "id");
    api.system.run().await;
    let explicit: MessageRef = explicit.parse().expect("an ID");
    for (id, from) in [(default, "Third"), (explicit, "Shop")] {
        let Message {
            status, content, ..
        } = api.message(id).await;
        assert_eq!(
            (status, content.from.as_deref()),
            (Status::Sent, Some(from))
        );
        let (view, names) = shown(&api, id).await;
        assert_eq!(names[3..], ["first", "second", "third"]);
        assert_eq!(
            view["attempts"][4]["error"],
            "blocked: `text` must have at most 4 characters for the provider \"second\""
        );
    }
    let senders: Vec<Value> = api
        .requests("third")
        .iter()
        .map(|request| request.json()["from"].clone())
        .collect();
    assert_eq!(senders, ["Third", "Shop"]);
    assert_eq!(api.requests("second").len(), 0);
}

#[tokio::test]
async fn reported_failure_does_not_fall_back() {
    let mut api = Api::new(&egress()).await;
    let providers = chain(&api, &["first", "second"]).await;
    script(&api, &[]);
    let message = api.send("first").await;
    api.system.run().await;
    let report = json!({
        "callback": {
            "id": {"theirs": "of-first"},
            "report": {"status": {"status": "failed", "provider_status": "bounced"}},
        },
        "provider": providers[0]["id"],
        "received_at": api.system.time(),
    });
    api.system.put(Name::Deliveries, report.to_string()).await;
    api.system.run().await;
    assert_eq!(api.message(message).await.status, Status::Failed);
    assert_eq!(api.requests("second").len(), 0);
}

#[tokio::test]
async fn fallback_is_validated_and_protected() {
    let api = Api::new(&egress()).await;
    let providers = chain(&api, &["first", "second", "third"]).await;
    let [first, second, third] = providers.as_slice() else {
        panic!("three providers")
    };
    let mail = api.provider("mail", json!({"channel": "email"})).await;
    let other = api.provider("other", json!({})).await;
    let set = |to: &Value| json!({"fallback_provider_id": to["id"]});
    for (provider, patch) in [
        (first, set(first)),
        (third, set(first)),
        (third, set(second)),
        (third, set(&other)),
        (&other, set(first)),
        (first, set(&mail)),
        (
            first,
            json!({"fallback_provider_id": "prov_01J0000000000000000000000A"}),
        ),
        (
            first,
            json!({"fallback_provider_id": "acct_01J0000000000000000000000A"}),
        ),
    ] {
        let refused = api.call("PATCH", &path(provider), patch.clone()).await;
        assert_eq!(refused.pointers(), ["/fallback_provider_id"], "{patch}");
    }
    let mut new = json!({
        "name": "new", "provider_id": "n", "channel": "sms", "send_url": "https://n.example.com/",
        "auth": {"type": "none"}, "fallback_provider_id": first["id"],
    });
    let refused = api.call("POST", "/v1/providers", new.clone()).await;
    assert_eq!(refused.pointers(), ["/fallback_provider_id"]);
    new["fallback_provider_id"] = second["id"].clone();
    let new = api.call("POST", "/v1/providers", new).await.expect(201);

    // A fallback can't be deleted; its users are named.
    let refused = api.call("DELETE", &path(second), Value::Null).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    let detail = refused.body["detail"].as_str().expect("a detail");
    for user in [first, &new] {
        assert!(detail.contains(id(user)), "{detail}");
    }
    let none = json!({"fallback_provider_id": null});
    api.call("PATCH", &path(first), none).await.expect(200);
    for (provider, status) in [(second, 409), (&new, 204), (second, 204), (third, 204)] {
        let deleted = api.call("DELETE", &path(provider), Value::Null).await;
        assert_eq!(deleted.status, status, "{}", deleted.text);
    }
    // What a changed default, name or key leaves alone.
    api.call("PATCH", &path(&other), set(first))
        .await
        .expect(200);
    let more = json!({"default": true, "name": "renamed"});
    let changed = api.call("PATCH", &path(&other), more).await.expect(200);
    assert_eq!(changed["fallback_provider_id"], first["id"]);
    assert_eq!(
        api.call("DELETE", &path(first), Value::Null).await.status,
        409
    );
}
