//! What happens around the moment in which a fallback takes over: reports of the provider before,
//! changed settings, faults of the table.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use domain::message::{MessageRef, Status};
use serde_json::{Value, json};
use tests::{
    fake::{Call, FaultPlan, sqs::Name},
    receiver::{Reply, Request},
};

use crate::{
    api::{Api, egress, sms},
    callbacks::{post, receive, with_json},
    fallback::{chain, events, path, script, sent_at_once, shown},
};

/// Calls the provider's callback URL with this status of the message.
async fn report(api: &mut Api, provider: &Value, message: &str, status: &str) {
    let body = json!({"id": message, "status": status});
    let request = with_json(post(provider), &body);
    assert_eq!(receive(api, &request).await, (202, json!({"reports": 1})));
}

/// Runs until this provider has got so many requests.
async fn run_until(api: &mut Api, provider: &str, requests: usize) {
    while api.requests(provider).len() < requests {
        api.system.step().await.expect("more requests");
    }
}

async fn watch(api: &Api, events: &str) {
    api.system
        .webhook("watch", json!({"events": [events]}))
        .await;
}

/// A provider that seemed to fail may have accepted the message all the same.
#[tokio::test]
async fn provider_that_delivers_late_gets_the_message_back() {
    let mut api = Api::new(&egress()).await;
    watch(&api, "sms.*").await;
    let providers = chain(&api, &["first", "second"]).await;
    let statuses = json!({"callback": {"statuses": {"failed": "failed", "queued": "queued"}}});
    for provider in &providers {
        let changed = api.call("PATCH", &path(provider), statuses.clone()).await;
        changed.expect(200);
    }
    script(&api, &["first", "second"]);
    let message = api.send("first").await;
    let text = message.to_string();
    run_until(&mut api, "second", 1).await;
    // Neither says that the first provider has the message.
    for status in ["failed", "queued"] {
        report(&mut api, &providers[0], &text, status).await;
    }
    run_until(&mut api, "second", 2).await;
    let row = api.message(message).await;
    assert_eq!(
        (row.status, row.provider.as_str()),
        (Status::Queued, "second")
    );

    // Providers repeat reports, and the second one has no say any more.
    for _ in 0..2 {
        report(&mut api, &providers[0], &text, "delivered").await;
    }
    while api.message(message).await.status == Status::Queued {
        api.system.step().await.expect("the reports");
    }
    report(&mut api, &providers[1], &text, "failed").await;
    api.system.run().await;
    let (view, names) = shown(&api, message).await;
    assert_eq!(
        (&view["status"], &view["provider"], &view["provider_id"]),
        (&json!("delivered"), &json!("first"), &providers[0]["id"])
    );
    assert_eq!(
        names,
        ["first", "first", "first", "first", "second", "second"]
    );
    assert_eq!(events(&api), ["sms.delivered"]);
    assert_eq!(api.requests("second").len(), 2, "nothing is awaited");
}

#[tokio::test]
async fn default_sender_gives_way_to_a_fallback_set_after_acceptance() {
    for is_of_earlier_release in [false, true] {
        let mut api = Api::new(&egress()).await;
        let mut providers = chain(&api, &["first"]).await;
        providers.extend(chain(&api, &["second"]).await);
        for (provider, from) in providers.iter().zip(["First", "Second"]) {
            let patch = json!({"from": from});
            api.call("PATCH", &path(provider), patch).await.expect(200);
        }
        script(&api, &["first"]);
        let default = api.send("first").await;
        let mut explicit = sms("first");
        explicit["from"] = json!("Shop");
        let explicit = api.call("POST", "/v1/messages", explicit).await;
        let explicit: MessageRef = explicit.field(202, "id").parse().expect("an ID");
        if is_of_earlier_release {
            let mut state = api.system.fake.state();
            let rows = state.table.items().iter();
            let rows = rows.filter(|((pk, _), _)| pk.starts_with("messages#"));
            let rows: Vec<Value> = rows.map(|(_, item)| json!(item)).collect();
            assert_eq!(rows.len(), 2);
            for mut row in rows {
                row.as_object_mut()
                    .expect("an item")
                    .remove("default_sender");
                state.table.seed(row);
            }
        }
        let fallback = json!({"fallback_provider_id": providers[1]["id"]});
        let changed = api.call("PATCH", &path(&providers[0]), fallback).await;
        changed.expect(200);
        api.system.run().await;
        for (id, from) in [(default, "Second"), (explicit, "Shop")] {
            let row = api.message(id).await;
            assert_eq!(
                (row.status, row.content.from.as_deref()),
                (Status::Sent, Some(from)),
                "{is_of_earlier_release}"
            );
        }
    }
}

#[tokio::test]
async fn message_goes_on_at_once_if_the_account_is_unreadable() {
    for has_fallback in [true, false] {
        let mut api = Api::new(&egress()).await;
        let providers = chain(&api, &["first", "second"]).await;
        let header = json!({"type": "header", "name": "X-Gateway", "value": "0123456789abcdef"});
        let account = json!({"name": "Gateway", "authorization": header});
        let account = api.call("POST", "/v1/accounts", account).await;
        let account = account.field(201, "id");
        let mut patch = json!({"auth": {"type": "account", "account_id": account}});
        if !has_fallback {
            patch["fallback_provider_id"] = Value::Null;
        }
        let changed = api.call("PATCH", &path(&providers[0]), patch).await;
        changed.expect(200);
        let message = api.send("first").await;
        {
            let key = (format!("account#{account}"), "account".to_owned());
            let mut state = api.system.fake.state();
            let mut item = json!(state.table.items()[&key]);
            item["sealed"] = json!({"S": "damaged"});
            state.table.seed(item);
        }
        if has_fallback {
            let error = "the account's settings can't be read";
            sent_at_once(&mut api, message, error).await;
        } else {
            api.system.step().await.expect("the task");
            let left = api.system.fake.state().queues.on(Name::Deliveries).len();
            assert_eq!(left, 1, "a later release may be able to read it");
        }
    }
}

/// No read comes between the last request to a provider and its record, because a failed read would
/// discard the attempt and repeat the request.
#[tokio::test]
async fn fallback_is_read_before_the_last_attempt() {
    let mut api = Api::new(&egress()).await;
    chain(&api, &["first", "second"]).await;
    let requests = Arc::new(AtomicUsize::new(0));
    let made = requests.clone();
    api.system.receiver.script(move |request: &Request| {
        if request.name() == "second" {
            return Reply::status(200);
        }
        made.fetch_add(1, Ordering::SeqCst);
        Reply::status(500)
    });
    let message = api.send("first").await;
    let mut left = 3;
    api.system.fake.plan(move |call: &Call| {
        let is_read = call.operation == "GetItem" && requests.load(Ordering::SeqCst) == 4;
        if is_read && left > 0 {
            left -= 1;
            return FaultPlan::Fails("ResourceNotFoundException");
        }
        FaultPlan::NoFault
    });
    api.system.run().await;
    api.system.fake.plan(|_| FaultPlan::NoFault);
    let (view, names) = shown(&api, message).await;
    assert_eq!(view["status"], "sent");
    assert_eq!(names, ["first", "first", "first", "first", "second"]);
    assert_eq!(api.requests("first").len(), 4);
}

/// Providers report the progress of a call; what Tieline does itself creates no event.
#[tokio::test]
async fn call_that_falls_back_creates_one_event() {
    for (down, end) in [
        (&["first"][..], "completed"),
        (&["first", "second"], "failed"),
    ] {
        let mut api = Api::new(&egress()).await;
        watch(&api, "call.*").await;
        let mut providers: Vec<Value> = Vec::new();
        for name in ["second", "first"] {
            let fallback = providers.first().map(|next| next["id"].clone());
            let fields = json!({
                "channel": "call", "fallback_provider_id": fallback,
                "callback": {
                    "id_pointer": "/id", "status_pointer": "/status", "statuses": {"done": "completed"},
                },
            });
            providers.insert(0, api.provider(name, fields).await);
        }
        script(&api, down);
        let call = json!({"provider": "first", "to": "+15555550100", "text": "Hello"});
        let call = api.call("POST", "/v1/calls", call).await.field(202, "id");
        run_until(&mut api, "second", 1).await;
        assert_eq!(
            events(&api),
            Vec::<String>::new(),
            "nothing of the takeover"
        );
        api.system.run().await;
        if end == "completed" {
            assert_eq!(events(&api), Vec::<String>::new(), "nothing of `sent`");
            report(&mut api, &providers[1], &call, "done").await;
            api.system.run().await;
        }
        assert_eq!(events(&api), ["call.status"]);
        let event = api.requests("watch").remove(0).json();
        assert_eq!(
            (&event["data"]["status"], &event["data"]["provider"]),
            (&json!(end), &json!("second"))
        );
        let view = api
            .call("GET", &format!("/v1/calls/{call}"), Value::Null)
            .await;
        let view = view.expect(200);
        assert_eq!(
            (&view["status"], &view["provider_id"]),
            (&json!(end), &providers[1]["id"])
        );
    }
}
