//! What recipients send back through a provider.

use domain::{id::DeliveryId, message::Status};
use lambda_http::Request;
use serde_json::{Value, json};
use tests::fake::{
    FaultPlan,
    functions::inbound,
    sqs::{Message, Name},
};

use crate::{
    api::{Api, egress},
    callbacks::{TOKEN, from_twilio, post, receive, with_json},
};

/// The settings of a provider like Twilio, with its verification.
fn twilio() -> Value {
    json!({
        "api_key": "AC-of-the-account",
        "response": {"id_pointer": "/sid"},
        "callback": {
            "id_pointer": "/MessageSid", "status_pointer": "/MessageStatus",
            "statuses": {"delivered": "delivered"},
            "verification": {"type": "twilio", "secret": TOKEN},
        },
        "inbound": {
            "when": {"field": "SmsStatus", "op": "eq", "value": "received"}, "from_pointer": "/From",
            "to_pointer": "/To", "text_pointer": "/Body", "id_pointer": "/MessageSid",
            "media_pointer": "/MediaUrl0", "from_name_pointer": "/ProfileName",
        },
    })
}

const SMS: [(&str, &str); 6] = [
    ("MessageSid", "SM9"),
    ("SmsStatus", "received"),
    ("From", "+15555550100"),
    ("To", "+15555550101"),
    ("Body", "Yes & ünï"),
    ("AccountSid", "AC-of-the-account"),
];

/// The events in the queue so far.
fn queued(api: &Api) -> Vec<Value> {
    let state = api.system.fake.state();
    let sent = state.queues.sent().iter();
    sent.filter(|message| message.queue == Name::Events)
        .map(Message::json)
        .collect()
}

/// Receives a request that publishes an event. Returns the event's ID.
async fn published(api: &Api, request: &Request) -> String {
    let (status, body) = receive(api, request).await;
    assert_eq!(status, 202, "{body}");
    body["id"].as_str().expect("an event").to_owned()
}

/// Receives a message from Twilio, whose response is empty `TwiML`. Returns the ID of its event, which
/// is the last one.
async fn answered(api: &Api, request: &Request) -> String {
    let app = inbound(&api.system.fake);
    let response = api.system.at(inbound::handle(&app, request)).await;
    let response = response.expect("a response");
    let (status, headers) = (response.status().as_u16(), response.headers());
    assert_eq!(
        (status, headers["content-type"].to_str().expect("text")),
        (200, "text/xml; charset=utf-8")
    );
    assert_eq!(&response.body()[..], b"<Response/>");
    let last = queued(api).pop().expect("an event");
    last["id"].as_str().expect("an ID").to_owned()
}

#[tokio::test]
async fn sms_is_published_once_and_reaches_the_webhooks() {
    let mut api = Api::new(&egress()).await;
    let webhook = api
        .system
        .webhook("receiver", json!({"events": ["sms.received"]}))
        .await;
    let provider = api.provider("twilio", twilio()).await;
    let request = from_twilio(&provider, TOKEN, &SMS);
    let id = answered(&api, &request).await;
    assert_eq!(answered(&api, &request).await, id);
    let other_spelling: Vec<_> = SMS.into_iter().rev().collect();
    let again = from_twilio(&provider, TOKEN, &other_spelling);
    assert_eq!(answered(&api, &again).await, id);
    let events = queued(&api);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["type"], "sms.received");
    assert_eq!(
        events[0]["data"],
        json!({
            "provider_id": provider["id"], "provider": "twilio", "from": "+15555550100", "from_name": null,
            "to": "+15555550101", "text": "Yes & ünï", "id": "SM9", "media": null,
            "raw": {
                "MessageSid": "SM9", "SmsStatus": "received", "From": "+15555550100", "To": "+15555550101",
                "Body": "Yes & ünï", "AccountSid": "•••",
            },
        })
    );
    api.system.run().await;
    let got = api.requests("receiver");
    assert_eq!(got.len(), 1);
    let data = &got[0].json()["data"];
    assert_eq!(
        (&data["text"], &data["id"]),
        (&json!("Yes & ünï"), &json!("SM9"))
    );
    let delivery = DeliveryId {
        event: id.parse().expect("an ID"),
        webhook: webhook.id,
    };
    assert!(api.system.history(delivery).await.is_some());

    let mut foreign = SMS;
    foreign[0] = ("MessageSid", "SM10");
    let forged = from_twilio(&provider, "another-token", &foreign);
    assert_eq!(receive(&api, &forged).await.0, 401);
    assert_eq!(queued(&api).len(), 1);
    let renamed = json!({"name": "renamed"});
    let path = format!("/v1/providers/{}", provider["id"].as_str().expect("an ID"));
    api.call("PATCH", &path, renamed).await.expect(200);
    answered(&api, &from_twilio(&provider, TOKEN, &foreign)).await;
    assert_eq!(queued(&api)[1]["data"]["provider"], "renamed");
}

#[tokio::test]
async fn status_reports_still_arrive_at_the_same_url() {
    let mut api = Api::new(&egress()).await;
    let provider = api.provider("twilio", twilio()).await;
    api.system
        .receiver
        .script(|_| tests::receiver::Reply::status(201).body(r#"{"sid": "SM1"}"#));
    let id = api.send("twilio").await;
    api.system.run().await;
    let report = [
        ("MessageSid", "SM1"),
        ("SmsStatus", "delivered"),
        ("MessageStatus", "delivered"),
    ];
    let report = from_twilio(&provider, TOKEN, &report);
    assert_eq!(receive(&api, &report).await, (202, json!({"reports": 1})));
    api.system.run().await;
    assert_eq!(api.message(id).await.status, Status::Delivered);
    assert!(
        queued(&api)
            .iter()
            .all(|event| event["type"] != "sms.received")
    );
}

#[tokio::test]
async fn crash_at_any_call_leads_to_one_event() {
    let whole = Api::new(&egress()).await;
    let provider = whole.provider("twilio", twilio()).await;
    whole.system.begin_count();
    answered(&whole, &from_twilio(&provider, TOKEN, &SMS)).await;
    let operations: Vec<String> = {
        let state = whole.system.fake.state();
        state
            .calls
            .iter()
            .map(|call| call.operation.clone())
            .collect()
    };
    assert_eq!(
        operations,
        [
            "GetSecretValue",
            "BatchGetItem",
            "PutItem",
            "SendMessage",
            "PutItem"
        ]
    );
    for (n, operation) in operations.iter().enumerate() {
        for fault in [
            FaultPlan::CrashBefore,
            FaultPlan::CrashAfter,
            FaultPlan::ResponseLost,
            FaultPlan::Fails("ResourceNotFoundException"),
        ] {
            let context = format!("{fault:?} at call {n}, {operation}");
            let mut api = Api::new(&egress()).await;
            api.system
                .webhook("receiver", json!({"events": ["sms.*"]}))
                .await;
            let provider = api.provider("twilio", twilio()).await;
            let request = from_twilio(&provider, TOKEN, &SMS);
            api.system.begin_count();
            api.system.fake.plan(move |call| {
                if call.index == n {
                    fault
                } else {
                    FaultPlan::NoFault
                }
            });
            let crash = api.system.fake.crash();
            let app = inbound(&api.system.fake);
            tokio::select! {
                biased;
                () = crash.notified() => {}
                response = api.system.at(inbound::handle(&app, &request)) => {
                    response.expect("a response");
                }
            }
            api.system.fake.plan(|_| FaultPlan::NoFault);
            let id = answered(&api, &request).await;
            let events = queued(&api);
            assert!(events.iter().all(|event| event["id"] == id), "{context}");
            assert!((1..=2).contains(&events.len()), "{context}: {events:?}");
            api.system.run().await;
            // A duplicate queue message may cost a duplicate request, under the same ID.
            let requests = api.requests("receiver");
            assert!((1..=events.len()).contains(&requests.len()), "{context}");
            assert!(
                requests.iter().all(|request| request.webhook_id() == id),
                "{context}"
            );
        }
    }
}

#[tokio::test]
async fn inbound_without_reports_has_a_url_and_an_own_verification() {
    let api = Api::new(&egress()).await;
    let bot = json!({
        "channel": "chatbot", "callback": null,
        "inbound": {"from_pointer": "/message/chat/id", "text_pointer": "/message/text", "id_pointer": "/update_id"},
    });
    let provider = api.provider("bot", bot).await;
    assert_eq!(provider["callback"], Value::Null);
    assert_eq!(
        provider["inbound"],
        json!({
            "when": null, "from_pointer": "/message/chat/id", "to_pointer": null,
            "text_pointer": "/message/text", "id_pointer": "/update_id", "media_pointer": null,
            "from_name_pointer": null,
        })
    );
    let update = |id: u32| json!({"update_id": id, "message": {"chat": {"id": 88}, "text": "Hi"}});
    published(&api, &with_json(post(&provider), &update(1))).await;
    let event = &queued(&api)[0];
    assert_eq!(event["type"], "chatbot.received");
    assert_eq!(
        (&event["data"]["from"], &event["data"]["id"]),
        (&json!("88"), &json!("1"))
    );
    // Nothing to publish.
    assert_eq!(
        receive(&api, &with_json(post(&provider), &json!({}))).await,
        (202, json!({"reports": 0}))
    );
    let list = json!([update(2), update(3), 7]);
    assert_eq!(
        receive(&api, &with_json(post(&provider), &list)).await,
        (202, json!({"reports": 2}))
    );
    assert_eq!(queued(&api).len(), 3);

    let path = format!("/v1/providers/{}", provider["id"].as_str().expect("an ID"));
    let verification =
        json!({"type": "header", "name": "x-bot-token", "value": "token-of-the-bot"});
    let change = json!({"callback": {"verification": verification}});
    let changed = api.call("PATCH", &path, change).await.expect(200);
    assert_eq!(changed["callback_url"], provider["callback_url"]);
    assert_eq!(changed["callback"]["id_pointer"], Value::Null);
    let with = |token: &str| with_json(post(&provider).header("x-bot-token", token), &update(4));
    assert_eq!(receive(&api, &with("another-token")).await.0, 401);
    published(&api, &with("token-of-the-bot")).await;

    let without = api.call("PATCH", &path, json!({"inbound": null})).await;
    assert_eq!(without.pointers(), ["/callback"]);
    let change = json!({"inbound": null, "callback": null});
    let removed = api.call("PATCH", &path, change).await.expect(200);
    assert_eq!(removed["callback_url"], Value::Null);
    assert_eq!(receive(&api, &with("token-of-the-bot")).await.0, 404);
}

#[tokio::test]
async fn message_without_an_id_is_published_once_per_request() {
    let api = Api::new(&egress()).await;
    let mut signed = twilio();
    signed["inbound"]["id_pointer"] = Value::Null;
    let signed = api.provider("signed", signed).await;
    let request = from_twilio(&signed, TOKEN, &SMS);
    let id = answered(&api, &request).await;
    assert_eq!(answered(&api, &request).await, id, "the same signature");
    assert_eq!(queued(&api).len(), 1);

    let open = api
        .provider("open", json!({"callback": null, "inbound": {}}))
        .await;
    let body = json!({"text": "Hi"});
    let with_key = |key: &str| with_json(post(&open).header("idempotency-key", key), &body);
    let first = published(&api, &with_key("a")).await;
    assert_eq!(published(&api, &with_key("a")).await, first);
    assert_ne!(published(&api, &with_key("b")).await, first);
    let unmarked = with_json(post(&open), &body);
    assert_ne!(
        published(&api, &unmarked).await,
        published(&api, &unmarked).await,
        "nothing tells them apart from two messages"
    );
}

#[tokio::test]
async fn only_incoming_calls_are_published_and_large_messages_are_rejected() {
    let api = Api::new(&egress()).await;
    let voice = json!({
        "channel": "call",
        "callback": {"id_pointer": "/CallSid", "status_pointer": "/CallStatus", "statuses": {"completed": "completed"}},
        "inbound": {
            "when": {"field": "Direction", "op": "eq", "value": "inbound"}, "from_pointer": "/From",
            "to_pointer": "/To", "id_pointer": "/CallSid",
        },
    });
    let provider = api.provider("voice", voice).await;
    let call = |direction: &str, status: &str| {
        let body = json!({"CallSid": "CA1", "Direction": direction, "CallStatus": status, "From": "+15555550100"});
        with_json(post(&provider), &body)
    };
    let id = published(&api, &call("inbound", "ringing")).await;
    assert_eq!(published(&api, &call("inbound", "completed")).await, id);
    let outbound = receive(&api, &call("outbound-api", "completed")).await;
    assert_eq!(outbound, (202, json!({"reports": 1})));
    let events = queued(&api);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["type"], "call.incoming");
    assert_eq!(events[0]["data"]["text"], Value::Null);

    let path = format!("/v1/providers/{}", provider["id"].as_str().expect("an ID"));
    let change = json!({"inbound": {"text_pointer": "/Body", "id_pointer": null}});
    api.call("PATCH", &path, change).await.expect(200);
    let large = json!({"Direction": "inbound", "Body": "x".repeat(200_000)});
    assert_eq!(
        receive(&api, &with_json(post(&provider), &large)).await.0,
        413
    );
    let hops = post(&provider).header("tieline-hops", "3");
    assert_eq!(
        receive(&api, &with_json(hops, &json!({"x": 1}))).await.0,
        508
    );
    assert_eq!(queued(&api).len(), 1);
}
