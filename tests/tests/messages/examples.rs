//! Published events compared with the examples of the catalogue.

use std::collections::BTreeSet;

use domain::event_type;
use serde_json::{Value, json};
use tests::{
    fake::sqs::{Message, Name},
    receiver::Reply,
};

use crate::{
    api::{Api, egress},
    callbacks::{post, receive, with_json},
};

/// A provider for this channel, whose reports and inbound messages are JSON.
fn settings(channel: &str) -> Value {
    let mut settings = json!({
        "channel": channel,
        "response": {"id_pointer": "/id"},
        "callback": {
            "id_pointer": "/id", "status_pointer": "/status",
            "statuses": {"done": if channel == "call" { "completed" } else { "delivered" }, "lost": "failed"},
        },
        "inbound": {"when": {"field": "received", "op": "exists"}, "from_pointer": "/received/from"},
    });
    if channel == "call" {
        settings["callback"]["recording_pointer"] = json!("/url");
    }
    settings
}

fn message(channel: &str) -> (&'static str, Value) {
    let mut body =
        json!({"channel": channel, "provider": channel, "to": "+15555550100", "text": "Hello"});
    let fields = body.as_object_mut().expect("an object");
    match channel {
        "call" => {
            fields.remove("channel");
            return ("/v1/calls", body);
        }
        "email" => {
            fields.insert("to".to_owned(), json!("ana@example.com"));
            fields.insert("subject".to_owned(), json!("Hello"));
        }
        _ => {}
    }
    ("/v1/messages", body)
}

/// Every type of the four channels is published as its example shows it, so that the examples can't
/// get out of date.
#[tokio::test]
async fn events_of_every_channel_have_the_fields_of_their_examples() {
    let mut api = Api::new(&egress()).await;
    let mut number = 0;
    api.system.receiver.script(move |_| {
        number += 1;
        Reply::status(200).body(json!({"id": format!("theirs-{number}")}).to_string())
    });
    let channels = ["sms", "email", "chatbot", "call"];
    let mut sent = 0;
    for channel in channels {
        let provider = api.provider(channel, settings(channel)).await;
        let mut reports = vec![json!({"received": {"from": "x"}})];
        for status in ["done", "lost"] {
            let (path, body) = message(channel);
            api.call("POST", path, body).await.expect(202);
            api.system.run().await;
            sent += 1;
            let id = format!("theirs-{sent}");
            if channel == "call" {
                reports.push(json!({"id": id, "digits": "1"}));
                reports.push(json!({"id": id, "url": "https://example.com/r"}));
            }
            reports.push(json!({"id": id, "status": status}));
        }
        for report in reports {
            let (status, body) = receive(&api, &with_json(post(&provider), &report)).await;
            assert_eq!(status, 202, "{body}");
            api.system.run().await;
        }
    }

    let published: Vec<Value> = {
        let state = api.system.fake.state();
        let events = state.queues.sent().iter();
        events
            .filter(|message| message.queue == Name::Events)
            .map(Message::json)
            .collect()
    };
    let fields = |data: &Value| -> BTreeSet<String> {
        data.as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    let mut kinds = BTreeSet::new();
    for event in &published {
        let kind = event["type"].as_str().expect("a type");
        let mut example = fields(&event_type::find(kind).expect("built in").example);
        // The example is of a call that took place.
        if kind == "call.status" && event["data"]["status"] == "failed" {
            example.insert("error".to_owned());
        }
        assert_eq!(fields(&event["data"]), example, "{event}");
        kinds.insert(kind);
    }
    let of_channels = |name: &&str| {
        channels
            .iter()
            .any(|channel| name.starts_with(&format!("{channel}.")))
    };
    let expected = event_type::catalogue().iter().map(|known| known.name);
    assert_eq!(kinds, expected.filter(of_channels).collect());
}
